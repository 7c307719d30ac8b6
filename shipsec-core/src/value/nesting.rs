//! How deep JSON is nested. Whoever reads it, or drops what was read, takes some of the stack for each
//! level: text from outside must not decide how much.

use std::io::{self, Write};

/// The most levels that a value may have, as a list in a list has two: the documents that it stands in,
/// such as the state of a run, have a few more, and can be read by whoever allows 128 levels (what
/// `serde_json` does by itself).
const DEEPEST: usize = 120;

/// Counts the levels of JSON text as it comes.
#[derive(Debug, Default)]
pub(crate) struct Nesting {
    depth: usize,
    deepest: usize,
    quoted: bool,
    escaped: bool,
}

impl Nesting {
    /// Takes the next bytes.
    pub(crate) fn take(&mut self, text: &[u8]) {
        for byte in text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.quoted => self.escaped = true,
                b'"' => self.quoted = !self.quoted,
                b'{' | b'[' if !self.quoted => {
                    self.depth += 1;
                    self.deepest = self.deepest.max(self.depth);
                }
                b'}' | b']' if !self.quoted => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// The most levels so far.
    pub(crate) fn deepest(&self) -> usize {
        self.deepest
    }
}

/// Passes JSON text on, and fails with [`TooDeep`] once it has more levels than a value may have.
#[derive(Debug)]
pub(crate) struct Shallow<W> {
    nesting: Nesting,
    inner: W,
}

impl<W> Shallow<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            nesting: Nesting::default(),
            inner,
        }
    }

    pub(crate) fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: Write> Write for Shallow<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buf)?;
        self.nesting.take(&buf[..written]);
        match self.nesting.deepest() {
            0..=DEEPEST => Ok(written),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, TooDeep)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A value with more levels than a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nested deeper than {DEEPEST} levels: flatten it, or give it as text")]
pub(crate) struct TooDeep;

impl TooDeep {
    /// Whether this is why something could not be written.
    pub(crate) fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_counted_outside_of_text() {
        let deepest = |parts: &[&str]| {
            let mut nesting = Nesting::default();
            parts.iter().for_each(|part| nesting.take(part.as_bytes()));
            nesting.deepest()
        };
        assert_eq!(deepest(&["7"]), 0);
        assert_eq!(deepest(&[r#"{"a[\"[": [{}, "]"]}"#]), 3);
        assert_eq!(deepest(&["[\"[\\", "\"[[\", [", "]]"]), 2);
    }
}
