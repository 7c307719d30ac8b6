//! Text as people type it, and values as errors name them.

use serde_json::Value as Json;

/// Replaces `\n`, `\r`, `\t`, `\0` and `\\`, as people type them into a text field. Any other
/// backslash stands for itself.
pub(crate) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let replaced = match (c, chars.peek()) {
            ('\\', Some('n')) => '\n',
            ('\\', Some('r')) => '\r',
            ('\\', Some('t')) => '\t',
            ('\\', Some('0')) => '\0',
            ('\\', Some('\\')) => '\\',
            _ => {
                out.push(c);
                continue;
            }
        };
        chars.next();
        out.push(replaced);
    }
    out
}

/// What kind of JSON it is: never the value itself, which may be large or secret.
pub(crate) fn shape(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_escapes_become_what_they_name() {
        assert_eq!(unescape(r"a\nb\t\\n"), "a\nb\t\\n");
        assert_eq!(unescape(r"\d, \"), r"\d, \");
    }
}
