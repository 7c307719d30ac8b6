//! Text for a terminal: nothing that a component, a graph or a store says reaches it raw.

use std::{borrow::Cow, fmt::Write as _, time::Duration};

use unicode_width::UnicodeWidthChar as _;

/// Whether a terminal would act on the character rather than show it: controls (a C1 control is a
/// whole escape sequence on some terminals), and marks that change the direction of text.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// One line that shows what the text holds: colours and other escape sequences are left out, a tab
/// becomes spaces, every other unsafe character is written as `\u{…}`.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let plain = anstream::adapter::strip_str(text).to_string();
    let mut shown = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '\t' => shown.push_str("    "),
            '\n' => shown.push('⏎'),
            '\r' => {}
            c if is_unsafe(c) => {
                let _ = write!(shown, "{}", c.escape_unicode());
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// The columns that a line takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The text cut to this many columns, with `…` where something was cut.
pub(crate) fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    if text.len() <= columns || width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let mut used = 0;
    let room = columns.saturating_sub(1);
    let kept: String = text
        .chars()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= room
        })
        .collect();
    Cow::Owned(if columns == 0 { kept } else { kept + "…" })
}

/// The name cut to this many columns in its middle: what it ends with, such as the `[3]` of an item,
/// tells it from its neighbours.
pub(crate) fn fit_name(name: &str, columns: usize) -> Cow<'_, str> {
    if name.len() <= columns || width(name) <= columns {
        return Cow::Borrowed(name);
    }
    let Some(room) = columns.checked_sub(1) else {
        return Cow::Borrowed("");
    };
    let item = name.rfind('[').filter(|_| name.ends_with(']'));
    let item = item.map_or(0, |at| width(&name[at..]));
    let end = item.max(room / 3).min(room);
    let mut used = 0;
    let ending: Vec<char> = name
        .chars()
        .rev()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= end
        })
        .collect();
    let mut used = 0;
    let beginning = name.chars().take_while(|c| {
        used += c.width().unwrap_or(0);
        used <= room - end
    });
    let cut = beginning.chain(['…']).chain(ending.into_iter().rev());
    Cow::Owned(cut.collect())
}

/// The name filled with spaces to this many columns, or cut in its middle.
pub(crate) fn pad_name(name: &str, columns: usize) -> String {
    pad(&fit_name(name, columns), columns)
}

/// The text filled with spaces to this many columns.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let mut padded = fit(text, columns).into_owned();
    let missing = columns.saturating_sub(width(&padded));
    padded.extend(std::iter::repeat_n(' ', missing));
    padded
}

/// A length of time for people.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.as_millis() == 0 => "<1 ms".to_owned(),
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Milliseconds, as the log gives them, for people.
pub(crate) fn millis(millis: f64) -> String {
    duration(Duration::try_from_secs_f64(millis / 1e3).unwrap_or_default())
}

/// An amount of bytes for people.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// A count with the word for what is counted.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_sees_no_escape() {
        assert_eq!(visible("plain"), "plain");
        assert_eq!(visible("\u{1b}[31mred\u{1b}[0m"), "red");
        assert_eq!(visible("a\tb\nc\r"), "a    b⏎c");
        assert_eq!(visible("a\u{202e}b\u{7}"), "a\\u{202e}b");
        for hostile in [
            "\u{1b}]0;title\u{7}x",
            "\u{9b}2J",
            "\u{1b}",
            "\u{1b}[",
            "\u{90}q\u{9c}",
            "\u{7f}\u{0}\u{8}",
        ] {
            let shown = visible(hostile);
            assert!(!shown.contains(is_unsafe), "{hostile:?} became {shown:?}");
        }
    }

    #[test]
    fn a_line_is_cut_by_columns() {
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(pad("日", 4), "日  ");
    }

    #[test]
    fn a_name_keeps_its_end() {
        assert_eq!(fit_name("probe[3]", 8), "probe[3]");
        assert_eq!(fit_name("resolve-all-hosts[12]", 12), "resolve…[12]");
        assert_eq!(fit_name("resolve-all-hosts-west", 13), "resolve-…west");
        assert_eq!(fit_name("resolve-all-hosts-east", 13), "resolve-…east");
        assert_eq!(fit_name("日本語日本語[7]", 8), "日本…[7]");
        assert_eq!(fit_name("a[1234567]", 4), "…67]");
        assert_eq!(
            ["", "…", "…"],
            [0, 1, 2].map(|columns| fit_name("日本語", columns))
        );
        assert_eq!(pad_name("probe[3]", 10), "probe[3]  ");
        for columns in 0..30 {
            assert!(width(&fit_name("日本語a resolve-all[12]", columns)) <= columns);
        }
    }

    #[test]
    fn amounts_are_for_people() {
        let shown = [0, 1, 999, 1000, 59_900, 60_000, 3_599_999, 3_600_000]
            .map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(
            shown,
            [
                "<1 ms", "1 ms", "999 ms", "1.0 s", "59.9 s", "1m 00s", "59m 59s", "1h 00m"
            ]
        );
        let shown = [0, 1023, 1024, 1536, 1 << 20, (1 << 20) - 1].map(bytes);
        assert_eq!(
            shown,
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 MiB"]
        );
    }
}
