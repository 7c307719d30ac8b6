//! Everything that keeps a text from being read as a graph, not only the first of it.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value as Json, json};

use super::{
    Graph, GraphError,
    read::{message, path_pointer},
};
use crate::pointer::token;

/// Problems that are told at most.
const MOST: usize = 50;

/// A longer text is not read again and again.
const LONGEST: usize = 1024 * 1024;

impl Graph {
    /// What keeps a text from being read, in the order of the text; nothing where
    /// [`from_json`](Self::from_json) reads it. Of a text that is no JSON, and of one longer than 1 MiB,
    /// the first problem; else at most 50.
    ///
    /// ```
    /// use shipsec_core::workflow::Graph;
    ///
    /// let text = r#"{"nodes": [{"id": 7, "type": "a", "data": {"label": 1}}]}"#;
    /// let paths = Graph::problems(text).into_iter().map(|problem| problem.path);
    /// assert_eq!(paths.collect::<Vec<_>>(), ["/nodes/0/id", "/nodes/0/data/label"]);
    /// ```
    pub fn problems(text: &str) -> Vec<GraphError> {
        let Err(first) = Self::from_json(text) else {
            return Vec::new();
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut all = vec![first];
        let Ok(mut tree) = serde_json::from_str(text) else {
            return all;
        };
        if text.len() > LONGEST {
            return all;
        }
        let mut found = problem(&tree);
        while let Some((path, message)) = found {
            let known = |known: &GraphError| known.path == path && known.message == message;
            if !all.iter().any(known) {
                let (line, column) = place(text, end_of(text, &path).unwrap_or(text.len()));
                all.push(GraphError {
                    path: path.clone(),
                    line,
                    column,
                    message: message.clone(),
                });
            }
            if all.len() >= MOST {
                break;
            }
            let Some((mended, next)) = mend(&tree, &path, &message) else {
                break;
            };
            (tree, found) = (mended, next);
        }
        all.sort_by_key(|problem| (problem.line, problem.column));
        all
    }
}

/// The first problem of a tree: its path, and what is wrong.
fn problem(tree: &Json) -> Option<(String, String)> {
    let error = serde_path_to_error::deserialize::<_, Graph>(tree).err()?;
    Some((path_pointer(error.path()), message(error.inner())))
}

/// The tree with something that fits where a problem is, and its next problem.
fn mend(tree: &Json, path: &str, message: &str) -> Option<(Json, Option<(String, String)>)> {
    let missing = message
        .strip_prefix("missing field `")
        .and_then(|rest| rest.strip_suffix('`'));
    // An object whose field is missing gets it; another value goes, or gives way to one that fits.
    let (parent, key) = match missing {
        Some(field) => (path, field.to_owned()),
        None => {
            let (parent, key) = path.rsplit_once('/')?;
            (parent, key.replace("~1", "/").replace("~0", "~"))
        }
    };
    let (at, token) = (format!("{parent}/"), token(&key));
    // Enough for a node, an edge and a place.
    let object =
        json!({"id": "", "type": "", "source": "", "target": "", "x": 0, "y": 0, "zoom": 1});
    let values = [json!(""), json!(0), Json::Null, json!([]), object];
    values.into_iter().find_map(|value| {
        let mut mended = tree.clone();
        match (mended.pointer_mut(parent)?, value) {
            (Json::Object(fields), value) => drop(fields.insert(key.clone(), value)),
            (Json::Array(items), value) => *items.get_mut(key.parse::<usize>().ok()?)? = value,
            _ => return None,
        }
        let next = problem(&mended);
        let here = |(next, _): &(String, String)| match missing {
            Some(_) => next.strip_prefix(&at) == Some(&token),
            None => *next == path,
        };
        (!next.as_ref().is_some_and(here)).then_some((mended, next))
    })
}

/// Where a value of whole JSON ends.
fn end_of(text: &str, pointer: &str) -> Option<usize> {
    let space = |at: usize| {
        let rest = text.get(at..)?;
        Some(text.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len())
    };
    let skip = |at: usize| Some(read::<IgnoredAny>(text, at)?.1);
    let mut at = 0;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        at = space(at)?;
        match text.as_bytes().get(at)? {
            b'{' => loop {
                let (key, end) = read::<String>(text, space(at + 1)?)?;
                // Behind the colon.
                at = space(end)? + 1;
                if key == token {
                    break;
                }
                at = space(skip(at)?)?;
            },
            b'[' => {
                let index: usize = token.parse().ok()?;
                at += 1;
                for _ in 0..index {
                    at = space(skip(at)?)? + 1;
                }
            }
            _ => return None,
        }
    }
    skip(at)
}

/// Reads one value, and tells where it ends.
fn read<T: DeserializeOwned>(text: &str, at: usize) -> Option<(T, usize)> {
    let mut values = serde_json::Deserializer::from_str(text.get(at..)?).into_iter::<T>();
    let value = values.next()?.ok()?;
    Some((value, at + values.byte_offset()))
}

/// Line and character of an offset, from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_value_is_told_with_its_place() {
        let text = r#"{"name": "W", "config": {"maxConcurrency": "many"},
"nodes": [{"id": "a", "type": "t", "data": {"config": {"timeoutSeconds": "5", "groupId": 7,
    "retry": {"maxAttemps": 1}, "forEach": {"concurrency": 2}, "joinStrategy": ["any"]}}},
  {"id": 3, "position": {"x": "left", "y": 0}},
  7],
"edges": [{"id": "e", "source": "a", "target": 5, "kind": "sucess"}]}"#;
        let told: Vec<String> = Graph::problems(text)
            .iter()
            .map(ToString::to_string)
            .collect();
        let expected = [
            "line 1, column 49, at /config/maxConcurrency: invalid type: string \"many\", expected u32",
            "line 2, column 76, at /nodes/0/data/config/timeoutSeconds: invalid type: string \"5\", expected f64",
            "line 2, column 90, at /nodes/0/data/config/groupId: invalid type: integer `7`, expected a string",
            "line 3, column 30, at /nodes/0/data/config/retry: there is no setting \"/maxAttemps\"",
            "line 3, column 61, at /nodes/0/data/config/forEach: missing field `input`",
            "line 3, column 86, at /nodes/0/data/config/joinStrategy: invalid type: sequence, expected a string",
            "line 4, column 10, at /nodes/1/id: invalid type: integer `3`, expected a string",
            "line 4, column 36, at /nodes/1/position/x: invalid type: string \"left\", expected f64",
            "line 4, column 46, at /nodes/1: missing field `type`",
            "line 5, column 3, at /nodes/2: invalid type: integer `7`, expected a node, an object",
            "line 6, column 48, at /edges/0/target: invalid type: integer `5`, expected a string",
            "line 6, column 66, at /edges/0/kind: unknown variant `sucess`, expected one of `success`, `error`, `finally`",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_can_be_read_has_none_and_what_is_no_json_has_one() {
        assert_eq!(Graph::problems(r#"{"nodes": []}"#), []);
        for text in ["", "{", "[]", "7", "{\"nodes\": 7, \"nodes\": []}"] {
            assert_eq!(Graph::problems(text).len(), 1, "{text}");
        }
        let many = format!("{{\"nodes\": [{}7]}}", "7,".repeat(1000));
        assert_eq!(Graph::problems(&many).len(), MOST);
    }
}
