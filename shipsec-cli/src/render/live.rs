//! The live view: a region at the end of the terminal, drawn again and again.

use std::{
    collections::VecDeque,
    io::{self, Write},
    time::{Duration, Instant},
};

use crossterm::{
    cursor, queue,
    terminal::{self, Clear, ClearType},
};
use shipsec_core::{
    event::{Event, Timestamp},
    run::RunView,
};

use super::{
    frame::{LOG_LINES, LogLine, Moment, frame},
    style,
};
use crate::text::visible;

/// How often the view turns its signs.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// A burst of events is drawn at most this often.
const LEAST: Duration = Duration::from_millis(30);

/// Standard output, where sequences reach the terminal also when colours do not.
pub(super) fn stdout() -> anstream::AutoStream<io::Stdout> {
    anstream::AutoStream::always_ansi(io::stdout())
}

/// A live view. Dropping it gives the terminal back as it was.
#[derive(Debug)]
pub(crate) struct Live {
    title: String,
    logs: VecDeque<LogLine>,
    note: Option<String>,
    /// Lines that are on the screen now.
    drawn: usize,
    tick: usize,
    last: Option<Instant>,
    colours: bool,
}

impl Live {
    pub(super) fn new(title: &str) -> Self {
        Self {
            title: visible(title).into_owned(),
            logs: VecDeque::with_capacity(LOG_LINES),
            note: None,
            drawn: 0,
            tick: 0,
            last: None,
            colours: style::colours(),
        }
    }

    pub(super) fn event(&mut self, event: &Event) {
        let Some(line) = LogLine::of(event) else {
            return;
        };
        if self.logs.len() == LOG_LINES {
            self.logs.pop_front();
        }
        self.logs.push_back(line);
    }

    pub(super) fn note(&mut self, note: &str) {
        self.note = Some(note.to_owned());
    }

    /// Draws after events; not more often than an eye sees.
    pub(super) fn refresh(&mut self, out: &mut dyn Write, view: &RunView) -> io::Result<()> {
        match self.last {
            Some(last) if last.elapsed() < LEAST => Ok(()),
            _ => self.draw(out, view),
        }
    }

    /// Draws because time has passed.
    pub(super) fn tick(&mut self, out: &mut dyn Write, view: &RunView) -> io::Result<()> {
        self.tick += 1;
        self.draw(out, view)
    }

    fn draw(&mut self, out: &mut dyn Write, view: &RunView) -> io::Result<()> {
        let (columns, rows) = terminal::size().unwrap_or((80, 24));
        let moment = Moment {
            columns: usize::from(columns),
            // The cursor has the last line.
            rows: usize::from(rows).saturating_sub(1),
            now: Timestamp::now(),
            tick: self.tick,
            chosen: None,
        };
        let lines = frame(
            view,
            &self.title,
            self.logs.iter(),
            self.note.as_deref(),
            moment,
        );
        // One write, so that nobody sees it half drawn.
        let mut picture = Vec::new();
        queue!(picture, terminal::BeginSynchronizedUpdate)?;
        if self.last.is_none() {
            queue!(picture, cursor::Hide)?;
        }
        // A terminal that became smaller has pushed lines out of reach.
        self.go_up(&mut picture, moment.rows)?;
        for line in &lines {
            picture.extend_from_slice(style::line(line, self.colours).as_bytes());
            queue!(picture, Clear(ClearType::UntilNewLine))?;
            picture.extend_from_slice(b"\r\n");
        }
        queue!(
            picture,
            Clear(ClearType::FromCursorDown),
            terminal::EndSynchronizedUpdate
        )?;
        self.drawn = lines.len();
        self.last = Some(Instant::now());
        out.write_all(&picture)?;
        out.flush()
    }

    fn go_up(&self, out: &mut Vec<u8>, rows: usize) -> io::Result<()> {
        match u16::try_from(self.drawn.min(rows)) {
            Ok(0) | Err(_) => queue!(out, cursor::MoveToColumn(0)),
            Ok(up) => queue!(out, cursor::MoveToPreviousLine(up)),
        }
    }

    /// Takes the picture away, and gives the terminal back.
    pub(super) fn clear(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.last.take().is_none() {
            return Ok(());
        }
        let rows = terminal::size().map_or(24, |(_, rows)| usize::from(rows));
        let mut last = Vec::new();
        self.go_up(&mut last, rows.saturating_sub(1))?;
        queue!(last, Clear(ClearType::FromCursorDown), cursor::Show)?;
        self.drawn = 0;
        out.write_all(&last)?;
        out.flush()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // Nobody is left to tell when the terminal is gone.
        let _ = self.clear(&mut stdout());
    }
}
