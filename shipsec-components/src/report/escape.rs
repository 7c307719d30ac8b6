//! Text from elsewhere, made harmless for a report.

/// Without control characters and without those that turn the direction of writing: what
/// is shown is what is there, on one line.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if is_hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Running text in Markdown: whatever could be markup where it stands is escaped, and nothing
/// else, so that the source reads well too.
pub(super) fn text(text: &str) -> String {
    let visible = visible(text);
    let text = visible.trim();
    let mut out = String::with_capacity(text.len() + 8);
    // What begins a list, a heading or a rule does so only where nothing else came before.
    let mut leading = true;
    for (at, c) in text.char_indices() {
        let opens = matches!(c, '#' | '+' | '-' | '.' | ')' | '=' | ':');
        let escaped = match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '$'
            | '^' => true,
            // Code hosts make links of bare addresses.
            ':' if text[at..].starts_with("://") => true,
            '.' if ends_with_www(&text[..at]) => true,
            _ => opens && leading,
        };
        leading &= opens || c == ' ' || c.is_ascii_digit();
        if escaped {
            out.push('\\');
        }
        out.push(c);
        if c == '@' {
            // Code hosts notify whoever is mentioned.
            out.push('\u{200b}');
        }
    }
    out
}

fn ends_with_www(text: &str) -> bool {
    let mut last = text.bytes().rev();
    (0..3).all(|_| {
        last.next()
            .is_some_and(|byte| byte.eq_ignore_ascii_case(&b'w'))
    })
}

/// A code span that holds the text, whatever backticks it has.
pub(super) fn code(text: &str) -> String {
    let text = visible(text);
    let (mut run, mut longest) = (0, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) || text.is_empty() {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// The address, if it is one that a report may link to.
pub(super) fn link(address: &str) -> Option<&str> {
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(
                c,
                '-' | '.'
                    | '_'
                    | '~'
                    | ':'
                    | '/'
                    | '?'
                    | '#'
                    | '@'
                    | '!'
                    | '$'
                    | '&'
                    | '\''
                    | '*'
                    | '+'
                    | ','
                    | ';'
                    | '='
                    | '%'
            )
    };
    (address.starts_with("https://") && address.len() <= 2000 && address.chars().all(plain))
        .then_some(address)
}
