//! The contract of a store of workflows.

use std::fmt;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{WorkflowId, event::Timestamp, workflow::Graph};

/// Keeps workflows, each in versions.
///
/// # Behavior
///
/// - **Versions**: `put` adds a version, from 1 without a gap, also when many tasks and processes put
///   at once. A graph that is the newest version already adds none.
/// - **Expected**: `put` changes nothing where the newest version is not the expected one.
/// - **Durable**: what `put` returned is given by `get` from then on, by every process; of a `put`
///   that failed or was dropped there is all or nothing.
/// - **Listed**: `list` gives workflows by id, ascending, each with its newest version. One that
///   cannot be read is left out.
/// - **Delete**: leaves no version.
#[async_trait]
pub trait WorkflowStore: fmt::Debug + Send + Sync + 'static {
    /// Workflows whose id is greater than `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`WorkflowStoreError::Unusable`].
    async fn list(
        &self,
        after: Option<&WorkflowId>,
        limit: usize,
    ) -> Result<Vec<WorkflowEntry>, WorkflowStoreError>;

    /// Every version of a workflow, ascending; none where there is no such workflow.
    ///
    /// # Errors
    ///
    /// [`WorkflowStoreError::Unusable`].
    async fn versions(&self, id: &WorkflowId) -> Result<Vec<WorkflowVersion>, WorkflowStoreError>;

    /// A version of a workflow, the newest where none is named.
    ///
    /// # Errors
    ///
    /// [`WorkflowStoreError::Unusable`].
    async fn get(
        &self,
        id: &WorkflowId,
        version: Option<u32>,
    ) -> Result<Option<StoredWorkflow>, WorkflowStoreError>;

    /// Keeps a graph as the newest version of a workflow. `hash` is that of its compiled definition.
    ///
    /// # Errors
    ///
    /// [`WorkflowStoreError`], of kind [`Conflict`](WorkflowStoreError::Conflict) where the newest
    /// version is not the expected one.
    async fn put(
        &self,
        id: &WorkflowId,
        graph: Graph,
        hash: &str,
        expected: Expected,
    ) -> Result<WorkflowVersion, WorkflowStoreError>;

    /// Removes a workflow with all its versions. Whether there was one.
    ///
    /// # Errors
    ///
    /// [`WorkflowStoreError`], of kind [`Conflict`](WorkflowStoreError::Conflict) where the newest
    /// version is not the expected one.
    async fn delete(&self, id: &WorkflowId, expected: Expected)
    -> Result<bool, WorkflowStoreError>;
}

/// Which newest version whoever changes a workflow has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// Any, or none.
    Anything,
    /// There is no such workflow.
    Nothing,
    /// There is one.
    Something,
    /// This one, of this hash.
    Version(u32, String),
}

impl Expected {
    /// Whether the newest version is the expected one.
    pub fn fits(&self, newest: Option<&WorkflowVersion>) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => newest.is_none(),
            Self::Something => newest.is_some(),
            Self::Version(version, hash) => {
                newest.is_some_and(|newest| newest.version == *version && newest.hash == *hash)
            }
        }
    }

    /// Refuses any other newest version.
    ///
    /// # Errors
    ///
    /// [`WorkflowStoreError::Conflict`].
    pub fn check(
        &self,
        id: &WorkflowId,
        newest: Option<&WorkflowVersion>,
    ) -> Result<(), WorkflowStoreError> {
        match self.fits(newest) {
            true => Ok(()),
            false => Err(WorkflowStoreError::Conflict {
                id: id.clone(),
                newest: newest.cloned(),
            }),
        }
    }
}

/// A line of a list of workflows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorkflowEntry {
    /// The workflow.
    pub id: WorkflowId,
    /// Its title.
    pub name: String,
    /// Its newest version.
    #[serde(flatten)]
    pub newest: WorkflowVersion,
}

impl WorkflowEntry {
    /// A line of a list.
    pub fn new(id: WorkflowId, name: impl Into<String>, newest: WorkflowVersion) -> Self {
        let name = name.into();
        Self { id, name, newest }
    }
}

/// A version of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorkflowVersion {
    /// Its number, from 1.
    pub version: u32,
    /// SHA-256 of the compiled definition: what a run's `workflowVersion` says.
    pub hash: String,
    /// When it was kept.
    pub updated_at: Timestamp,
}

impl WorkflowVersion {
    /// A version.
    pub fn new(version: u32, hash: impl Into<String>, updated_at: Timestamp) -> Self {
        Self {
            version,
            hash: hash.into(),
            updated_at,
        }
    }
}

/// A workflow as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoredWorkflow {
    /// Which version.
    #[serde(flatten)]
    pub version: WorkflowVersion,
    /// What people wrote.
    pub graph: Graph,
}

impl StoredWorkflow {
    /// A workflow.
    pub fn new(version: WorkflowVersion, graph: Graph) -> Self {
        Self { version, graph }
    }
}

/// Trouble with a store of workflows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkflowStoreError {
    /// Somebody else changed it.
    #[error("workflow {id} is not as expected: {}", found(.newest))]
    Conflict {
        /// The workflow.
        id: WorkflowId,
        /// Its newest version.
        newest: Option<WorkflowVersion>,
    },
    /// The id cannot name a workflow.
    #[error(transparent)]
    Id(#[from] InvalidWorkflowId),
    /// The store cannot be read or written, or holds something that is no workflow.
    #[error("workflows in {place} cannot be {doing}: {source}")]
    Unusable {
        /// Which store, or which part of it.
        place: String,
        /// `read` or `written`.
        doing: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

fn found(newest: &Option<WorkflowVersion>) -> String {
    match newest {
        Some(newest) => format!("its newest version is {}, {}", newest.version, newest.hash),
        None => "there is none".to_owned(),
    }
}

/// A text that cannot name a workflow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid workflow id {0:?}: expected 1 to 128 ASCII letters, digits, '.', '_' or '-', not starting \
     with '.', and not `runs` or `validate`"
)]
pub struct InvalidWorkflowId(String);

/// Paths below `workflows/` that mean something else.
const RESERVED: [&str; 2] = ["runs", "validate"];

/// Whether an id can name a workflow in paths and URLs: the alphabet is that of
/// [`RunId`](shipsec_core::RunId).
///
/// # Errors
///
/// [`InvalidWorkflowId`] where it cannot.
pub fn check_id(id: &str) -> Result<(), InvalidWorkflowId> {
    match shipsec_core::RunId::parse(id) {
        Ok(_) if !RESERVED.contains(&id) => Ok(()),
        _ => Err(InvalidWorkflowId(id.chars().take(160).collect())),
    }
}
