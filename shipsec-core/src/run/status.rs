//! The status payload.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RunView;
use crate::{
    RunId, WorkflowId,
    event::{Failure, ParentRun, Timestamp, Trigger, WorkflowStatus},
};

/// The status of a run: what a status endpoint gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StatusReport {
    /// The run.
    pub run_id: RunId,
    /// The workflow.
    pub workflow_id: Option<WorkflowId>,
    /// SHA-256 of the compiled definition: two runs of the same version ran the same thing.
    pub workflow_version: Option<String>,
    /// Its status.
    pub status: WorkflowStatus,
    /// Time of the first event.
    pub started_at: Option<Timestamp>,
    /// Time of the last event, not of asking.
    pub updated_at: Option<Timestamp>,
    /// Time of its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// How far it is.
    pub progress: ProgressReport,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What set it off.
    pub trigger: Trigger,
    /// The run that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentRun>,
    /// Which executor runs it.
    pub executor: Option<String>,
    /// The queue it was put into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queue: Option<String>,
}

/// How far a run is. A run that has ended reads total of total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProgressReport {
    /// Nodes in any final state.
    pub completed_actions: usize,
    /// Nodes in all.
    pub total_actions: usize,
}

impl From<&RunView> for StatusReport {
    fn from(view: &RunView) -> Self {
        Self {
            run_id: view.run_id.clone(),
            workflow_id: view.workflow_id.clone(),
            workflow_version: view
                .definition_hash
                .as_ref()
                .map(|hash| hash.as_str().to_owned()),
            status: view.status,
            started_at: view.started_at,
            updated_at: view.updated_at,
            completed_at: view.completed_at,
            progress: ProgressReport {
                completed_actions: view.counts.finished(),
                total_actions: view.nodes().len(),
            },
            failure: view.failure.as_deref().cloned(),
            trigger: view.trigger.clone().unwrap_or_default(),
            parent: view.parent.clone(),
            executor: view.executor.clone(),
            task_queue: view.task_queue.clone(),
        }
    }
}
