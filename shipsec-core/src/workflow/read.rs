//! Reading a graph from JSON: strict about what it knows, patient with what it does not, and clear
//! about the place of what is wrong.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Value as Json, error::Category};
use serde_path_to_error::{Path, Segment};

use super::{
    Graph,
    diagnostic::{shown, whole_tokens},
};
use crate::pointer::{of_ignored, token};

/// Text that is no graph.
///
/// ```
/// use shipsec_core::workflow::Graph;
///
/// let text = r#"{"name": "Recon",
///   "nodes": [{"id": "start", "type": 7}]}"#;
/// let error = Graph::from_json(text).unwrap_err();
/// assert_eq!((error.line, error.path.as_str()), (2, "/nodes/0/type"));
/// assert_eq!(error.message, "invalid type: integer `7`, expected a string");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}{}: {message}", InPath(path))]
#[non_exhaustive]
pub struct GraphError {
    /// JSON Pointer (RFC 6901) to what was being read; empty for the graph itself.
    pub path: String,
    /// Line of the text, from 1.
    pub line: usize,
    /// Character of that line, from 1, where reading stopped: at the end of a value that does not
    /// fit.
    pub column: usize,
    /// What is wrong, and what was expected. Text from the graph is shown escaped and shortened.
    pub message: String,
}

struct InPath<'a>(&'a str);

impl fmt::Display for InPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, ", at {}", shown(self.0, usize::MAX))
    }
}

impl Graph {
    /// Reads a graph from JSON, such as ShipSec Studio's canvas saves. Fields that this version
    /// does not know are kept; `null` stands for a field that is left out. Whether the graph makes
    /// sense is for [`compile`](super::compile()) to say.
    ///
    /// ```
    /// use shipsec_core::workflow::Graph;
    ///
    /// let graph = Graph::from_json(r#"{"name": "Recon", "nodes": [], "edges": []}"#)?;
    /// assert_eq!(graph.name, "Recon");
    /// # Ok::<_, shipsec_core::workflow::GraphError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`GraphError`], with the place, where the text is no JSON, is nested deeper than 128 levels,
    /// says a field twice, or has a value of another type than its field.
    pub fn from_json(text: &str) -> Result<Self, GraphError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // Keeping track of the path costs time, so only text with an error in it is read twice.
        serde_json::from_str(text).map_err(|plain| {
            let mut reader = serde_json::Deserializer::from_str(text);
            match serde_path_to_error::deserialize::<_, Self>(&mut reader) {
                Err(error) => GraphError::new(text, &path_pointer(error.path()), error.inner()),
                Ok(_) => GraphError::new(text, "", &plain),
            }
        })
    }
}

impl GraphError {
    fn new(text: &str, path: &str, error: &serde_json::Error) -> Self {
        let line = text.lines().nth(error.line().saturating_sub(1));
        // serde_json counts bytes.
        let column = line
            .and_then(|line| line.as_bytes().get(..error.column()))
            .map_or(error.column(), |read| {
                String::from_utf8_lossy(read).chars().count()
            });
        Self {
            path: path.to_owned(),
            line: error.line().max(1),
            column: column.max(1),
            message: message(error),
        }
    }
}

pub(super) fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    let mut shown = shown(text, usize::MAX).into_owned();
    // Of a long message the end says what was expected.
    if let (Some((cut, _)), Some((end, _))) = (
        shown.char_indices().nth(200),
        shown.char_indices().nth_back(99),
    ) && cut < end
    {
        shown.replace_range(cut..end, "…");
    }
    match error.classify() {
        Category::Syntax if shown == "recursion limit exceeded" => {
            "nested deeper than 128 levels".to_owned()
        }
        Category::Syntax => format!("not JSON: {shown}"),
        Category::Eof => format!("the text ends too early: {shown}"),
        Category::Data | Category::Io => shown,
    }
}

/// A path as a JSON Pointer.
pub(super) fn path_pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => {
                pointer.push('/');
                pointer.push_str(&token(key));
            }
            // A variant is no level of the text, and of an unknown level there is nothing to say.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    whole_tokens(pointer)
}

/// Reads `null` as the default: canvases write it for what is not set.
pub(super) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads what has none but known fields: what a person misspelt must not pass for nothing, though a
/// log may hold what a newer version wrote.
pub(super) fn known_fields<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let mut unknown = None;
    let value = serde_ignored::deserialize(deserializer, |path| {
        unknown.get_or_insert_with(|| of_ignored(&path));
    })?;
    match unknown {
        None => Ok(value),
        Some(place) => {
            let place = super::diagnostic::quoted(&place);
            Err(D::Error::custom(format_args!(
                "there is no setting {place}"
            )))
        }
    }
}

/// Reads an object that says no key twice; `null` as an empty one.
pub(super) fn unique_keys<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: UniqueKeys,
{
    struct Read<T>(std::marker::PhantomData<T>);

    impl<'de, T: UniqueKeys> Visitor<'de> for Read<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_unit<E>(self) -> Result<T, E> {
            Ok(T::default())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
            let mut read = T::default();
            while let Some((key, value)) = map.next_entry::<String, Json>()? {
                if let Some(key) = read.put(key, value) {
                    let key = super::diagnostic::quoted(&key);
                    return Err(A::Error::custom(format_args!("key {key} is there twice")));
                }
            }
            Ok(read)
        }
    }

    deserializer.deserialize_any(Read(std::marker::PhantomData))
}

/// A map that says when a key is taken.
pub(super) trait UniqueKeys: Default {
    /// Adds an entry; gives back the key where it is taken.
    fn put(&mut self, key: String, value: Json) -> Option<String>;
}

impl UniqueKeys for serde_json::Map<String, Json> {
    fn put(&mut self, key: String, value: Json) -> Option<String> {
        if self.contains_key(&key) {
            return Some(key);
        }
        self.insert(key, value);
        None
    }
}

impl UniqueKeys for std::collections::BTreeMap<crate::PortId, Json> {
    fn put(&mut self, key: String, value: Json) -> Option<String> {
        if self.contains_key(key.as_str()) {
            return Some(key);
        }
        self.insert(key.into(), value);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Graph::from_json(text).unwrap_err().to_string()
    }

    #[test]
    fn an_error_says_where_and_what() {
        let cases = [
            (
                "",
                "line 1, column 1: the text ends too early: EOF while parsing a value",
            ),
            ("nope", "line 1, column 2: not JSON: expected ident"),
            (
                "[]",
                "line 1, column 1: invalid type: sequence, expected a workflow graph, an object",
            ),
            (
                "{\"nodes\": [{\"id\": \"a\"}]}",
                "line 1, column 22, at /nodes/0: missing field `type`",
            ),
            (
                "{\"nodes\": [\n  {\"id\": \"ä\", \"id\"",
                "line 2, column 18, at /nodes/0: duplicate field `id`",
            ),
            (
                "{\"edges\": [{\"id\": \"e\", \"source\": \"a\", \"target\": \"b\", \"kind\": \"x\\u001b\"}]}",
                "line 1, column 70, at /edges/0/kind: unknown variant `x\\u{1b}`, expected one of `success`, `error`, `finally`",
            ),
            (
                "{\"nodes\": [{\"id\": \"a\", \"type\": \"t\", \"data\": {\"config\": {\"params\": {\"a/b\": 1, \"a/b\": 2}}}}]}",
                "line 1, column 86, at /nodes/0/data/config/params: key \"a/b\" is there twice",
            ),
            (
                "{\"nodes\": [{\"id\": \"a\", \"type\": \"t\", \"data\": {\"config\": {\"retry\": {\"maxAttemps\": 1}}}}]}",
                "line 1, column 83, at /nodes/0/data/config/retry: there is no setting \"/maxAttemps\"",
            ),
            (
                "{\"config\": {\"timeoutSeconds\": 1e999}}",
                "line 1, column 35, at /config/timeoutSeconds: not JSON: number out of range",
            ),
        ];
        let (texts, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
        let found: Vec<_> = texts.into_iter().map(error).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn nulls_stand_for_what_is_left_out() {
        let text = r#"{"name": null, "config": null, "viewport": null,
            "nodes": [{"id": "a", "type": "t", "position": null, "data": null},
                      {"id": "b", "type": "t", "data": {"label": null, "config": null}},
                      {"id": "c", "type": "t", "data": {"config": {"params": null,
                        "inputOverrides": null, "joinStrategy": null, "retry": null}}}],
            "edges": [{"id": "e", "source": "a", "target": "b", "sourceHandle": null,
                       "targetHandle": null, "kind": null}]}"#;
        let graph = Graph::from_json(text).unwrap();
        assert_eq!(graph.nodes[0].data, graph.nodes[2].data);
        assert_eq!(graph.edges[0].source_handle, None);
        assert_eq!(Graph::from_json(&format!("\u{feff}{text}")), Ok(graph));
    }
}
