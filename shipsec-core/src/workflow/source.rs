//! Where the workflows come from that other workflows call.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use async_trait::async_trait;

use super::Graph;
use crate::WorkflowId;

/// Finds workflows by their id, for those that call them.
///
/// # Behavior
///
/// - `graph` gives the workflow as it is now; it may differ from call to call. A run that was
///   started keeps what it was started with.
#[async_trait]
pub trait WorkflowSource: fmt::Debug + Send + Sync + 'static {
    /// The graph of a workflow.
    ///
    /// # Errors
    ///
    /// [`WorkflowSourceError`] when there is none, or it cannot be read.
    async fn graph(&self, id: &WorkflowId) -> Result<Graph, WorkflowSourceError>;
}

/// A workflow that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkflowSourceError {
    /// There is no such workflow.
    #[error("there is no workflow {id}: {hint}")]
    Unknown {
        /// Its id.
        id: WorkflowId,
        /// Where it was looked for.
        hint: String,
    },
    /// It cannot be read.
    #[error("workflow {id} cannot be read: {reason}")]
    Unreadable {
        /// Its id.
        id: WorkflowId,
        /// Why.
        reason: String,
    },
}

/// Workflows that the host has in memory.
#[derive(Debug, Clone, Default)]
pub struct StaticWorkflows(BTreeMap<WorkflowId, Graph>);

impl StaticWorkflows {
    /// No workflows yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a workflow.
    #[must_use]
    pub fn with(mut self, id: impl Into<WorkflowId>, graph: Graph) -> Self {
        self.0.insert(id.into(), graph);
        self
    }
}

#[async_trait]
impl WorkflowSource for StaticWorkflows {
    async fn graph(&self, id: &WorkflowId) -> Result<Graph, WorkflowSourceError> {
        self.0.get(id).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.0.keys().map(WorkflowId::as_str).take(20).collect();
            WorkflowSourceError::Unknown {
                id: id.clone(),
                hint: match known.as_slice() {
                    [] => "the host has none".to_owned(),
                    known => format!("the host has {}", known.join(", ")),
                },
            }
        })
    }
}

/// Workflows that lie in one folder, each as `<id>.json`.
#[derive(Debug, Clone)]
pub struct FolderWorkflows(PathBuf);

impl FolderWorkflows {
    /// Reads from this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }
}

#[async_trait]
impl WorkflowSource for FolderWorkflows {
    async fn graph(&self, id: &WorkflowId) -> Result<Graph, WorkflowSourceError> {
        let unreadable = |reason: String| WorkflowSourceError::Unreadable {
            id: id.clone(),
            reason,
        };
        let plain = |c: char| c.is_alphanumeric() || "._- ".contains(c);
        if id.as_str().is_empty() || id.as_str().starts_with('.') || !id.as_str().chars().all(plain)
        {
            let reason =
                "an id is the name of a file without a path: letters, digits, '.', '_', '-'";
            return Err(unreadable(reason.to_owned()));
        }
        let path = self.0.join(format!("{id}.json"));
        let file = path.clone();
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(file)).await;
        let text = match read {
            Ok(Ok(text)) => text,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                let hint = format!("{} is not there", path.display());
                let id = id.clone();
                return Err(WorkflowSourceError::Unknown { id, hint });
            }
            Ok(Err(error)) => return Err(unreadable(format!("{}: {error}", path.display()))),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        Graph::from_json(&text).map_err(|error| unreadable(format!("{}: {error}", path.display())))
    }
}
