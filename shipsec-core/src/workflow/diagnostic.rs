//! What the compiler has to say about a graph.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a graph can run in spite of it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// The graph does not compile.
    Error,
    /// It compiles; somebody should look.
    Warning,
}

/// What is wrong, as a stable name: programs may depend on it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// No component with this id and version is registered.
    UnknownComponent,
    /// The id is empty, longer than 256 bytes, or has control characters.
    InvalidId,
    /// Two nodes have the same id.
    DuplicateNode,
    /// Two edges have the same id.
    DuplicateEdge,
    /// An edge names a node that is not there.
    UnknownNode,
    /// An edge or an override names a port that its node does not have.
    UnknownPort,
    /// The types of two connected ports do not fit.
    IncompatibleTypes,
    /// Several edges enter a port that takes one value.
    SeveralConnections,
    /// An input that must have a value has none.
    MissingInput,
    /// A parameter is missing, unknown, or does not fit.
    InvalidParameter,
    /// The value set by hand does not fit the port.
    InvalidValue,
    /// The join strategy is not one, or can never be satisfied.
    InvalidJoin,
    /// A time, a count or a factor is out of its range.
    InvalidSetting,
    /// No path leads from the entry point to the node.
    UnreachableNode,
    /// The graph has no entry point.
    NoEntryPoint,
    /// The graph has several entry points.
    SeveralEntryPoints,
    /// Edges lead in a circle.
    Cycle,
    /// A value stands where a reference to a secret belongs.
    LiteralSecret,
    /// Nodes of one group give different limits.
    GroupLimits,
    /// The graph is larger than a plan can be.
    TooLarge,
    /// There is more to say than was said.
    More,
}

impl Code {
    /// The name on the wire, for example `unknown-component`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownComponent => "unknown-component",
            Self::InvalidId => "invalid-id",
            Self::DuplicateNode => "duplicate-node",
            Self::DuplicateEdge => "duplicate-edge",
            Self::UnknownNode => "unknown-node",
            Self::UnknownPort => "unknown-port",
            Self::IncompatibleTypes => "incompatible-types",
            Self::SeveralConnections => "several-connections",
            Self::MissingInput => "missing-input",
            Self::InvalidParameter => "invalid-parameter",
            Self::InvalidValue => "invalid-value",
            Self::InvalidJoin => "invalid-join",
            Self::InvalidSetting => "invalid-setting",
            Self::UnreachableNode => "unreachable-node",
            Self::NoEntryPoint => "no-entry-point",
            Self::SeveralEntryPoints => "several-entry-points",
            Self::Cycle => "cycle",
            Self::LiteralSecret => "literal-secret",
            Self::GroupLimits => "group-limits",
            Self::TooLarge => "too-large",
            Self::More => "more",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that the compiler has to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Diagnostic {
    /// What, as a stable name.
    pub code: Code,
    /// Whether the graph can run in spite of it.
    pub severity: Severity,
    /// JSON Pointer (RFC 6901) into the graph.
    pub path: String,
    /// What is wrong, and what was expected. Text from the graph is shown escaped and shortened.
    pub message: String,
    /// What to do.
    #[serde(default)]
    pub suggestion: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(
            f,
            "{severity}[{}] {}: {}",
            self.code, self.path, self.message
        )?;
        match &self.suggestion {
            Some(suggestion) => write!(f, " ({suggestion})"),
            None => Ok(()),
        }
    }
}

/// Everything that the compiler has to say about one graph, in the order of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

/// The most that is said about one graph.
const MOST: usize = 1000;

impl Diagnostics {
    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    pub(crate) fn error(
        &mut self,
        code: Code,
        path: impl Into<String>,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        self.push(
            Severity::Error,
            code,
            path.into(),
            message.into(),
            suggestion,
        );
    }

    pub(crate) fn warning(
        &mut self,
        code: Code,
        path: impl Into<String>,
        message: impl Into<String>,
        suggestion: Option<String>,
    ) {
        self.push(
            Severity::Warning,
            code,
            path.into(),
            message.into(),
            suggestion,
        );
    }

    fn push(
        &mut self,
        severity: Severity,
        code: Code,
        path: String,
        message: String,
        suggestion: Option<String>,
    ) {
        if self.0.len() > MOST {
            return;
        }
        if self.0.len() == MOST {
            self.0.push(Diagnostic {
                code: Code::More,
                severity: Severity::Error,
                path: String::new(),
                message: format!("more than {MOST} problems; the others are not listed"),
                suggestion: Some("mend these, then compile again".to_owned()),
            });
            return;
        }
        self.0.push(Diagnostic {
            code,
            severity,
            path,
            message,
            suggestion,
        });
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Text from a graph for a message: quoted, escaped, shortened.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.chars().count() <= LONGEST {
        return format!("{text:?}");
    }
    let short: String = text.chars().take(LONGEST).collect();
    format!("{short:?}…")
}

/// A key as one token of a JSON Pointer (RFC 6901); a very long one is shortened, so that a hostile
/// graph cannot make a path of any length.
pub(crate) fn pointer_token(key: &str) -> String {
    const LONGEST: usize = 256;
    let mut token = String::with_capacity(key.len().min(LONGEST));
    for (at, c) in key.chars().enumerate() {
        match c {
            _ if at == LONGEST => {
                token.push('…');
                break;
            }
            '~' => token.push_str("~0"),
            '/' => token.push_str("~1"),
            c => token.push(c),
        }
    }
    token
}
