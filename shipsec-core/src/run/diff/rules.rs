//! What is not compared, and how much of it is told.

use std::{collections::HashMap, str::FromStr};

use serde_json::Value as Json;

use super::Change;
use crate::Registry;

/// How two runs are compared.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DiffOptions {
    /// What is not compared.
    pub ignore: Vec<IgnoreRule>,
    /// By how much the duration of a node must differ to be told: 0.2 is a fifth. None: durations
    /// are not compared.
    pub duration: Option<f64>,
    /// How many changes are listed; further ones are counted.
    pub most: usize,
    pub(super) values: HashMap<String, Json>,
}

impl Default for DiffOptions {
    /// Nothing is ignored save what is not compared by itself, durations are not compared, and 10,000
    /// changes are listed.
    fn default() -> Self {
        Self {
            ignore: Vec::new(),
            duration: None,
            most: 10_000,
            values: HashMap::new(),
        }
    }
}

impl DiffOptions {
    /// Does not compare what the rule names.
    #[must_use]
    pub fn ignoring(mut self, rule: IgnoreRule) -> Self {
        self.ignore.push(rule);
        self
    }

    /// Tells durations that differ by more than this: 0.2 is a fifth of the first.
    #[must_use]
    pub fn with_durations(mut self, beyond: f64) -> Self {
        self.duration = Some(beyond);
        self
    }

    /// Does not compare what components declare to be volatile: parts of their outputs whose schema
    /// has `"x-volatile": true`, such as times and random ids.
    #[must_use]
    pub fn without_volatile(mut self, registry: &Registry) -> Self {
        for definition in registry.definitions() {
            for port in definition.outputs.iter() {
                let mut path = vec![Token::Exactly(port.id.to_string())];
                let component = definition.id.to_string();
                volatile(&port.schema, &port.schema, &mut path, 0, &mut |path| {
                    self.ignore.push(IgnoreRule {
                        of: Of::Component(component.clone()),
                        path: path.to_vec(),
                    });
                });
            }
        }
        self
    }

    /// Gives the value of an output that artifact storage keeps, by its digest.
    #[must_use]
    pub fn with_value(mut self, sha256: impl Into<String>, value: Json) -> Self {
        self.values.insert(sha256.into(), value);
        self
    }

    /// Whether a change is to be left out.
    pub(super) fn ignores(&self, change: &Change, component: Option<&str>) -> bool {
        self.ignore.iter().any(|rule| {
            let of = match &rule.of {
                Of::Node(node) => {
                    let id = change.node_id.as_ref().map_or("", |id| id.as_str());
                    node.fits(id)
                }
                Of::Component(id) => component == Some(id),
            };
            of && begins(&rule.path, &change.path)
        })
    }
}

/// Finds the parts of a schema that say that they are volatile.
fn volatile(
    root: &Json,
    schema: &Json,
    path: &mut Vec<Token>,
    depth: usize,
    found: &mut dyn FnMut(&[Token]),
) {
    // A schema may refer to itself.
    const DEEPEST: usize = 12;
    if depth > DEEPEST {
        return;
    }
    if schema.get("x-volatile") == Some(&Json::Bool(true)) {
        found(path);
        return;
    }
    if let Some(Json::String(reference)) = schema.get("$ref")
        && let Some(pointer) = reference.strip_prefix('#')
        && let Some(target) = root.pointer(pointer)
    {
        volatile(root, target, path, depth + 1, found);
    }
    if let Some(Json::Object(properties)) = schema.get("properties") {
        for (name, schema) in properties {
            path.push(Token::Exactly(name.clone()));
            volatile(root, schema, path, depth + 1, found);
            path.pop();
        }
    }
    for items in ["items", "additionalProperties"] {
        if let Some(schema @ Json::Object(_)) = schema.get(items) {
            path.push(Token::Any);
            volatile(root, schema, path, depth + 1, found);
            path.pop();
        }
    }
    for choices in ["anyOf", "oneOf", "allOf"] {
        if let Some(Json::Array(schemas)) = schema.get(choices) {
            for schema in schemas {
                volatile(root, schema, path, depth + 1, found);
            }
        }
    }
}

/// What is not to be compared: a node, then the port (or parameter, artifact, level), then the way
/// into its value, with `/` between. `*` stands for one token, `**` for any number of them; what
/// stands below what a rule names is ignored with it.
///
/// ```
/// use shipsec_core::run::diff::IgnoreRule;
///
/// // The field `seenAt` of every item of the findings of node `scan`.
/// let rule: IgnoreRule = "scan/findings/*/seenAt".parse()?;
/// // Every field of that name anywhere.
/// let everywhere: IgnoreRule = "**/timestamp".parse()?;
/// # Ok::<_, shipsec_core::run::diff::InvalidRule>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoreRule {
    of: Of,
    path: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    Node(Token),
    Component(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Exactly(String),
    Any,
    Many,
}

impl Token {
    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Exactly(exactly) => exactly == text,
            Self::Any | Self::Many => true,
        }
    }
}

/// A path that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no path to ignore: expected NODE/PORT/…, with * for one token and ** for any number"
)]
pub struct InvalidRule(String);

impl FromStr for IgnoreRule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tokens = text.strip_prefix('/').unwrap_or(text).split('/');
        let token = |text: &str| match text {
            "*" => Token::Any,
            "**" => Token::Many,
            // As in a JSON Pointer (RFC 6901).
            text => Token::Exactly(text.replace("~1", "/").replace("~0", "~")),
        };
        let mut tokens: Vec<Token> = tokens.map(token).collect();
        let empty = |token: &Token| *token == Token::Exactly(String::new());
        if tokens.iter().any(empty) {
            return Err(InvalidRule(text.chars().take(200).collect()));
        }
        let node = tokens.remove(0);
        if node == Token::Many {
            tokens.insert(0, Token::Many);
        }
        Ok(Self {
            of: Of::Node(node),
            path: tokens,
        })
    }
}

/// Whether the pattern fits the path, or what stands above it. Takes no longer than the one is long
/// times the other: only the last `**` may have to take more, because what stands before it fits as
/// soon as it can.
fn begins(pattern: &[Token], path: &[String]) -> bool {
    let (mut at, mut place) = (0, 0);
    // What follows the last `**`, and from where on it was tried.
    let mut again = None;
    loop {
        match pattern.get(at) {
            None => return true,
            Some(Token::Many) => {
                at += 1;
                again = Some((at, place));
                continue;
            }
            Some(token) if path.get(place).is_some_and(|text| token.fits(text)) => {
                (at, place) = (at + 1, place + 1);
                continue;
            }
            Some(_) => {}
        }
        match &mut again {
            Some((after, from)) if *from < path.len() => {
                *from += 1;
                (at, place) = (*after, *from);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_no_longer_than_it_is_long() {
        let path = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        let fits = |rule: &str, of: &str| {
            let rule: IgnoreRule = format!("node/{rule}").parse().unwrap();
            begins(&rule.path, &path(of))
        };
        for (rule, of, expected) in [
            ("a", "a/b", true),
            ("a/b", "a", false),
            ("*/b", "a/b/c", true),
            ("**/b", "b", true),
            ("**/b/c", "b/b/b/c", true),
            ("**/b/c", "b/c", true),
            ("**/b/*/c", "a/b/b/c/c", true),
            ("**/a/**/c/d", "x/a/c/b/a/c/d", true),
            ("**/a/**/c/d", "x/c/d/a/c", false),
            ("**", "a", true),
            ("a/**", "a", true),
            ("**/x", "a/b", false),
        ] {
            assert_eq!(fits(rule, of), expected, "{rule} of {of}");
        }
        // With each `**` tried against each place this would not end.
        let many = format!("{}nothing", "**/a/".repeat(5_000));
        assert!(!fits(&many, &"a/".repeat(5_000)));
    }
}
