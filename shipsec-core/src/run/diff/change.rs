//! What a diff says.

use std::{collections::BTreeMap, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    NodeId, RunId, WorkflowId,
    event::{Timestamp, WorkflowStatus},
    run::RunView,
};

/// What kind of thing has changed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Class {
    /// How the run, or a node, ended.
    Status,
    /// A node that only the second run has.
    Added,
    /// A node that only the first run has.
    Removed,
    /// An edge between nodes that both runs have.
    Rewired,
    /// Another component, or another version of it.
    ComponentVersion,
    /// A parameter of a node.
    Parameter,
    /// What the run was given, or a node got.
    Input,
    /// What a node gave.
    Output,
    /// An artifact, by its content.
    Artifact,
    /// How many lines of a level a node logged.
    Logs,
    /// How long a node took, in milliseconds, beyond the threshold that was given.
    Duration,
}

impl Class {
    /// Every class, in the order in which changes are told.
    pub const ALL: [Self; 11] = [
        Self::Status,
        Self::Added,
        Self::Removed,
        Self::Rewired,
        Self::ComponentVersion,
        Self::Parameter,
        Self::Input,
        Self::Output,
        Self::Artifact,
        Self::Logs,
        Self::Duration,
    ];

    /// The name on the wire, for example `component-version`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Rewired => "rewired",
            Self::ComponentVersion => "component-version",
            Self::Parameter => "parameter",
            Self::Input => "input",
            Self::Output => "output",
            Self::Artifact => "artifact",
            Self::Logs => "logs",
            Self::Duration => "duration",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that names no class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no class of changes {0:?}: expected one of {names}", names = names())]
pub struct UnknownClass(String);

fn names() -> String {
    Class::ALL.map(Class::as_str).join(", ")
}

impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let class = Self::ALL.into_iter().find(|class| class.as_str() == text);
        class.ok_or_else(|| UnknownClass(text.chars().take(80).collect()))
    }
}

/// One thing that is different.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Change {
    /// What kind of thing.
    pub class: Class,
    /// The node; none for the run as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<NodeId>,
    /// Where: the port, parameter, edge, artifact or level, and then the way into its value, token by
    /// token as in a JSON Pointer. An item of a list that has an identity stands as
    /// `fingerprint=abc`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// What was there in the first run; none where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Json>,
    /// What is there in the second run; none where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Json>,
    /// Of an input that a connection brought: the outputs that it came from, as `node.port`. What is
    /// different is told there, and neither `before` nor `after` is set here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
}

/// One of the runs that are compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunSide {
    /// The run.
    pub run_id: RunId,
    /// The workflow.
    pub workflow_id: Option<WorkflowId>,
    /// Hash of its definition.
    pub workflow_version: Option<String>,
    /// Its status.
    pub status: WorkflowStatus,
    /// Time of the first event.
    pub started_at: Option<Timestamp>,
}

impl From<&RunView> for RunSide {
    fn from(view: &RunView) -> Self {
        let hash = view.definition_hash.as_ref();
        Self {
            run_id: view.run_id.clone(),
            workflow_id: view.workflow_id.clone(),
            workflow_version: hash.map(|hash| hash.as_str().to_owned()),
            status: view.status,
            started_at: view.started_at,
        }
    }
}

/// What is different between two runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunDiff {
    /// The first run.
    pub a: RunSide,
    /// The second.
    pub b: RunSide,
    /// How many changes there are of each class, those included that are not listed.
    pub counts: BTreeMap<Class, u64>,
    /// How many of the inputs are different only because an output that a connection brought is.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub following: u64,
    /// The changes: by class, then in the order of the second run's nodes.
    pub changes: Vec<Change>,
    /// How many more there are than are listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u64,
    /// Nodes of which nothing has changed.
    pub unchanged_nodes: usize,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl RunDiff {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Whether anything of these classes is different.
    pub fn has(&self, classes: &[Class]) -> bool {
        classes.iter().any(|class| self.counts.contains_key(class))
    }
}
