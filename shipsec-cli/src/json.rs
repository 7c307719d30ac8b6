//! JSON on standard output.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use serde::Serialize;

use crate::{failure::Failure, text::is_unsafe};

/// Writes a value as JSON for people, and a line end.
pub(crate) fn print(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::failed)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", escaped(text, true)).map_err(Failure::writing)
}

/// Writes a value as one line of JSON.
pub(crate) fn line(out: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(Failure::failed)?;
    writeln!(out, "{}", escaped(text, false)).map_err(Failure::writing)
}

/// JSON escapes the controls below space and leaves the others as they are, which a terminal may
/// act on. They stand only inside strings, where `\u…` means the same.
fn escaped(text: String, lines: bool) -> String {
    let raw = |c: char| is_unsafe(c) && !(lines && c == '\n');
    if !text.contains(raw) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if raw(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_escaped_and_means_the_same() {
        let hostile = "a\u{1b}[2J\u{9b}2J\u{7f}\u{202e}\u{e0041}\n日";
        for lines in [false, true] {
            let text = escaped(serde_json::to_string(hostile).unwrap(), lines);
            assert!(!text.contains(is_unsafe), "{text:?}");
            assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
        }
        let pretty = serde_json::to_string_pretty(&["\u{9b}"]).unwrap();
        assert_eq!(escaped(pretty, true), "[\n  \"\\u009b\"\n]");
    }
}
