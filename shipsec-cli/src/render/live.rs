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
    NodeId, RunId,
    event::{Event, EventKind, Timestamp},
    run::RunView,
};

use super::{
    describe,
    frame::{LOG_LINES, LogLine, Moment, frame},
    style,
};
use crate::calls::waiting;
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
    /// The arguments that name the store to other commands, with a space before each.
    place: String,
    logs: VecDeque<LogLine>,
    /// What waits for an answer, in this run and those that it called.
    asked: Vec<(RunId, NodeId, String)>,
    note: Option<String>,
    /// Lines that are on the screen now.
    drawn: usize,
    tick: usize,
    last: Option<Instant>,
    colours: bool,
}

impl Live {
    pub(super) fn new(title: &str, place: &str) -> Self {
        Self {
            place: place.to_owned(),
            title: visible(title).into_owned(),
            logs: VecDeque::with_capacity(LOG_LINES),
            asked: Vec::new(),
            note: None,
            drawn: 0,
            tick: 0,
            last: None,
            colours: style::colours(),
        }
    }

    pub(super) fn event(&mut self, view: &RunView, event: &Event) {
        let waits = |asked: &(RunId, NodeId, String)| {
            let node = view.node(asked.1.as_str());
            asked.0 != view.run_id || node.is_some_and(|node| node.awaiting.is_some())
        };
        if matches!(event.kind, EventKind::NodeAwaitingInput(_)) || !self.asked.iter().all(waits) {
            self.waits(view);
        }
        for line in LogLine::of(event) {
            if self.logs.len() == LOG_LINES {
                self.logs.pop_front();
            }
            self.logs.push_back(line);
        }
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
        let note = self.note.clone().or_else(|| self.how_to_answer());
        let lines = frame(view, &self.title, self.logs.iter(), note.as_deref(), moment);
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

    /// Notes what a run, or one that it called, waits for now.
    pub(super) fn waits(&mut self, view: &RunView) {
        self.asked.retain(|(run, ..)| *run != view.run_id);
        self.asked.extend(waiting(view).filter_map(|node| {
            let kind = node.awaiting.as_ref()?.kind.clone();
            Some((view.run_id.clone(), node.node_id.clone(), kind))
        }));
    }

    /// How to answer the first of the nodes that wait for somebody.
    fn how_to_answer(&self) -> Option<String> {
        let (run, node, kind) = self.asked.first()?;
        Some(describe::how_to_answer(run, node, kind, &self.place))
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
