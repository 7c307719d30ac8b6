//! The whole terminal for a while: another screen, no echo, keys as they are pressed.

use std::{
    io::{self, Write as _},
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
};

use crossterm::{
    cursor, execute, queue,
    terminal::{self, Clear, ClearType},
};

use super::style;

/// Whether the terminal is to be given back.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, taken. Dropping it gives the terminal back as it was; so does a panic, before it
/// tells its message.
#[derive(Debug)]
pub(crate) struct Screen {
    colours: bool,
}

impl Screen {
    /// Takes the terminal.
    pub(crate) fn take() -> io::Result<Self> {
        give_back_on_panic();
        let screen = Self {
            colours: style::colours(),
        };
        TAKEN.store(true, Ordering::SeqCst);
        terminal::enable_raw_mode()?;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }

    /// Columns and rows.
    pub(crate) fn size() -> (usize, usize) {
        let (columns, rows) = terminal::size().unwrap_or((80, 24));
        (columns.into(), rows.into())
    }

    /// Draws lines, at most as many as there are rows, in one write, so that nobody sees it half
    /// drawn.
    pub(crate) fn draw(&self, lines: &[String]) -> io::Result<()> {
        let mut picture = Vec::new();
        queue!(
            picture,
            terminal::BeginSynchronizedUpdate,
            cursor::MoveTo(0, 0)
        )?;
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                picture.extend_from_slice(b"\r\n");
            }
            picture.extend_from_slice(style::line(line, self.colours).as_bytes());
            queue!(picture, Clear(ClearType::UntilNewLine))?;
        }
        queue!(
            picture,
            Clear(ClearType::FromCursorDown),
            terminal::EndSynchronizedUpdate
        )?;
        let mut out = io::stdout().lock();
        out.write_all(&picture)?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back, where it was taken. Nobody is left to tell when the terminal is gone.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), cursor::Show, terminal::LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            tell(panic);
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_gives_the_terminal_back_before_it_tells() {
        static TAKEN_WHEN_TOLD: AtomicBool = AtomicBool::new(true);
        std::panic::set_hook(Box::new(|_| {
            TAKEN_WHEN_TOLD.store(TAKEN.load(Ordering::SeqCst), Ordering::SeqCst);
        }));
        give_back_on_panic();
        TAKEN.store(true, Ordering::SeqCst);
        let panicked = std::panic::catch_unwind(|| panic!("in the middle of a picture"));
        assert!(panicked.is_err());
        assert!(!TAKEN_WHEN_TOLD.load(Ordering::SeqCst));
        assert!(!TAKEN.load(Ordering::SeqCst));
    }
}
