//! Where in a JSON text a JSON Pointer leads.

use std::ops::Range;

use jsonc_parser::{
    CollectOptions, ParseOptions,
    ast::{Object, Value},
    common::Ranged as _,
    parse_to_ast,
};

/// A JSON text whose places can be found.
pub(crate) struct Places<'a>(Option<Value<'a>>);

impl<'a> Places<'a> {
    /// Of a text that serde_json has read: its depth is bounded then.
    pub(crate) fn of(text: &'a str) -> Self {
        let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default());
        Self(parsed.ok().and_then(|parsed| parsed.value))
    }

    /// The bytes to point at for a JSON Pointer. Where it leads to something that is missing, the
    /// nearest thing around it; where it leads to a whole node or edge, its name.
    pub(crate) fn find(&self, pointer: &str) -> Option<Range<usize>> {
        let mut value = self.0.as_ref()?;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let inside = match value {
                Value::Object(object) => last(object, &token),
                Value::Array(array) => token
                    .parse()
                    .ok()
                    .and_then(|at: usize| array.elements.get(at)),
                _ => None,
            };
            match inside {
                Some(inside) => value = inside,
                None => break,
            }
        }
        let named = match value {
            Value::Object(object) => ["id", "label", "name"]
                .iter()
                .find_map(|name| last(object, name))
                .filter(|value| matches!(value, Value::StringLit(_))),
            _ => None,
        };
        let range = named.unwrap_or(value).range();
        Some(match named.unwrap_or(value) {
            // A bracket says where; all lines of what is inside would say nothing more.
            Value::Object(_) | Value::Array(_) => range.start..range.start + 1,
            _ => range.start..range.end,
        })
    }
}

/// The value of a key: of the last one where it is there twice, which is the one that counts.
fn last<'v, 'a>(object: &'v Object<'a>, key: &str) -> Option<&'v Value<'a>> {
    let same = |property: &&jsonc_parser::ast::ObjectProp<'a>| property.name.as_str() == key;
    object
        .properties
        .iter()
        .rev()
        .find(same)
        .map(|property| &property.value)
}

/// The bytes of the character at a line and a column, both from 1; none at the end of the text.
pub(crate) fn offset(text: &str, line: usize, column: usize) -> Range<usize> {
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let mut rest = text[start..].char_indices().skip(column.saturating_sub(1));
    match rest.next() {
        Some((at, found)) => start + at..start + at + found.len_utf8(),
        None => text.len()..text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
  "nodes": [
    {"id": "a", "data": {"config": {"params": {"x/y": 1}}}},
    {"id": "b", "type": "t", "type": "u"}
  ],
  "edges": []
}"#;

    fn at(pointer: &str) -> &'static str {
        &TEXT[Places::of(TEXT).find(pointer).unwrap()]
    }

    #[test]
    fn a_pointer_leads_to_its_value() {
        assert_eq!(at("/nodes/0/data/config/params/x~1y"), "1");
        assert_eq!(at("/nodes/1/type"), "\"u\"");
        assert_eq!(at("/nodes/1"), "\"b\"");
        assert_eq!(at("/edges"), "[");
        assert_eq!(at(""), "{");
    }

    #[test]
    fn what_is_missing_is_shown_by_what_is_around_it() {
        assert_eq!(at("/nodes/0/data/config/params/url"), "{");
        assert_eq!(at("/nodes/7/id"), "[");
        assert_eq!(at("/nodes/1/version"), "\"b\"");
    }

    #[test]
    fn a_line_and_a_column_are_a_place() {
        assert_eq!(&TEXT[offset(TEXT, 2, 3).start..][..7], "\"nodes\"");
        assert_eq!(offset(TEXT, 99, 99), TEXT.len()..TEXT.len());
        assert_eq!(offset("aü!", 1, 2), 1..3);
    }
}
