//! What the compiler has to say about a graph.

use std::{borrow::Cow, fmt};

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
    /// The node cannot run once for each item.
    InvalidForEach,
    /// Nothing reads a field of a node, of its config, or of an edge. A warning.
    UnknownSetting,
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
    /// A stored definition contradicts itself, or is of a format that is not read.
    InvalidDefinition,
    /// The graph is larger than a plan can be.
    TooLarge,
    /// There is more to say than was said.
    More,
}

impl Code {
    /// Every code, in the order of declaration.
    pub const ALL: [Self; 24] = [
        Self::UnknownComponent,
        Self::InvalidId,
        Self::DuplicateNode,
        Self::DuplicateEdge,
        Self::UnknownNode,
        Self::UnknownPort,
        Self::IncompatibleTypes,
        Self::SeveralConnections,
        Self::MissingInput,
        Self::InvalidParameter,
        Self::InvalidValue,
        Self::InvalidJoin,
        Self::InvalidSetting,
        Self::InvalidForEach,
        Self::UnknownSetting,
        Self::UnreachableNode,
        Self::NoEntryPoint,
        Self::SeveralEntryPoints,
        Self::Cycle,
        Self::LiteralSecret,
        Self::GroupLimits,
        Self::InvalidDefinition,
        Self::TooLarge,
        Self::More,
    ];

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
            Self::InvalidForEach => "invalid-for-each",
            Self::UnknownSetting => "unknown-setting",
            Self::UnreachableNode => "unreachable-node",
            Self::NoEntryPoint => "no-entry-point",
            Self::SeveralEntryPoints => "several-entry-points",
            Self::Cycle => "cycle",
            Self::LiteralSecret => "literal-secret",
            Self::GroupLimits => "group-limits",
            Self::InvalidDefinition => "invalid-definition",
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
        let path = shown(&self.path, LONGEST_PATH);
        write!(f, "{severity}[{}] {path}: {}", self.code, self.message)?;
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
/// The most characters of a message or a suggestion.
const LONGEST: usize = 1000;
/// The most characters of a path; a longer one is cut, and leads no further than to its last whole
/// token.
const LONGEST_PATH: usize = 2000;

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

    /// Whether what is said from now on is not listed: nothing is worth a long search any more.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= MOST
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
            path: whole_tokens(path),
            message: shown(&message, LONGEST).into_owned(),
            suggestion: suggestion.map(|text| shown(&text, LONGEST).into_owned()),
        });
    }

    /// The same, with the paths changed.
    pub(crate) fn with_paths(mut self, change: impl Fn(&str) -> String) -> Self {
        for diagnostic in &mut self.0 {
            diagnostic.path = change(&diagnostic.path);
        }
        self
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

/// Text without control characters and of a bounded length.
pub(crate) fn shown(text: &str, longest: usize) -> Cow<'_, str> {
    if text.len() <= longest && !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        match c {
            _ if at == longest => {
                shown.push('…');
                break;
            }
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// A path of bounded length that still points at something.
pub(crate) fn whole_tokens(mut path: String) -> String {
    if path.len() > LONGEST_PATH {
        let end = path.as_bytes()[..LONGEST_PATH]
            .iter()
            .rposition(|byte| *byte == b'/')
            .unwrap_or(0);
        path.truncate(end);
    }
    path
}

/// Names for a message, the first of them where there are many.
pub(crate) fn listed<T: fmt::Display>(names: impl ExactSizeIterator<Item = T>) -> String {
    const MOST: usize = 20;
    let more = names.len().saturating_sub(MOST);
    let mut text = String::new();
    for (at, name) in names.take(MOST).enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        text.push_str(&shown(&name.to_string(), 80));
    }
    match more {
        0 if text.is_empty() => "none".to_owned(),
        0 => text,
        more => format!("{text} and {more} more"),
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
