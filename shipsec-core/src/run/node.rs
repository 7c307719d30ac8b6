//! One node as the log shows it.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    NodeId, PortId,
    event::{
        ArtifactPayload, AwaitingInputPayload, ComponentRef, ErrorPayload, EventKind, Level,
        Outputs, ProgressSource, Record, SkipReason, Timestamp,
    },
};

/// Where a node is. The last four are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum NodeState {
    /// Planned; nothing has happened to it.
    #[default]
    Pending,
    /// An attempt goes on.
    Running,
    /// An attempt failed, and another follows.
    Retrying,
    /// It waits for a person.
    AwaitingInput,
    /// It succeeded.
    Completed,
    /// It failed after its last attempt.
    Failed,
    /// It will not start.
    Skipped,
    /// It was stopped, or will not start because the run was cancelled.
    Cancelled,
}

impl NodeState {
    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Skipped | Self::Cancelled
        )
    }
}

/// How far a node is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProgressView {
    /// How much is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<u64>,
    /// How much there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Arc<str>>,
    /// Who counted.
    pub source: ProgressSource,
    /// A sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Arc<str>>,
}

/// One node as the log shows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NodeView {
    /// Where it is.
    pub state: NodeState,
    /// The newest attempt, from 1; 0 where none began.
    pub attempt: u32,
    /// What runs.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub component: Option<Arc<ComponentRef>>,
    /// When the newest attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it came to a final state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Milliseconds of the newest attempt, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// The node whose outcome satisfied its join.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggered_by: Option<NodeId>,
    /// How far the newest attempt is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressView>,
    /// Log lines by level.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub log_counts: BTreeMap<Level, u64>,
    /// Artifacts, in the order in which they were stored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Arc<ArtifactPayload>>,
    /// Its outputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Arc<Outputs>>,
    /// Active ports of a node that branches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_ports: Option<Box<[PortId]>>,
    /// Why its newest attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Arc<ErrorPayload>>,
    /// When the next attempt begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// The node that handles its failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handled_by: Option<NodeId>,
    /// Why it will not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<SkipReason>,
    /// The node that decided so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_cause: Option<NodeId>,
    /// Why it was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_reason: Option<String>,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awaiting: Option<Arc<AwaitingInputPayload>>,
}

impl NodeView {
    /// Takes an event about this node. What comes after its end changes no state: log lines and
    /// artifacts are counted, nothing else.
    pub(super) fn apply(&mut self, record: &Record) {
        match &record.kind {
            EventKind::NodeLog(_) => {
                *self.log_counts.entry(record.level).or_default() += 1;
                return;
            }
            EventKind::NodeArtifact(payload) => {
                self.artifacts.push(Arc::new((**payload).clone()));
                return;
            }
            _ => {}
        }
        // An older attempt has no say any more; attempt 0 is the node as a whole.
        if self.state.is_final() || (record.attempt > 0 && record.attempt < self.attempt) {
            return;
        }
        self.attempt = self.attempt.max(record.attempt);
        match &record.kind {
            EventKind::NodeStarted(payload) => {
                self.state = NodeState::Running;
                self.component = Some(payload.component.clone());
                self.triggered_by = payload
                    .triggered_by
                    .clone()
                    .or_else(|| self.triggered_by.take());
                self.started_at = Some(record.timestamp);
                self.duration_ms = None;
                self.progress = None;
                self.retry_at = None;
            }
            EventKind::NodeProgress(payload) => {
                let measured = payload.done.is_some() || payload.total.is_some();
                if record.level >= Level::Warn && !measured {
                    // A warning about the node's inputs, not about how far it is.
                    *self.log_counts.entry(record.level).or_default() += 1;
                    return;
                }
                self.progress = Some(ProgressView {
                    done: payload.done,
                    total: payload.total,
                    unit: payload.unit.clone(),
                    source: payload.source,
                    message: record.message.clone(),
                });
            }
            EventKind::NodeAwaitingInput(payload) => {
                self.state = NodeState::AwaitingInput;
                self.awaiting = Some(Arc::new((**payload).clone()));
            }
            EventKind::NodeCompleted(payload) => {
                self.end(NodeState::Completed, record);
                self.outputs = Some(payload.outputs.clone());
                self.active_ports.clone_from(&payload.active_ports);
                self.duration_ms = Some(payload.duration_ms);
                self.error = None;
            }
            EventKind::NodeFailed(payload) => {
                self.error = Some(Arc::new(payload.error.clone()));
                self.duration_ms = payload.duration_ms;
                if payload.will_retry {
                    self.state = NodeState::Retrying;
                    self.retry_at = payload.retry_at;
                } else {
                    self.end(NodeState::Failed, record);
                    self.handled_by.clone_from(&payload.handled_by);
                }
            }
            EventKind::NodeSkipped(payload) => {
                self.end(NodeState::Skipped, record);
                self.skip_reason = Some(payload.reason);
                self.skip_cause = Some(payload.cause.clone());
            }
            EventKind::NodeCancelled(payload) => {
                self.end(NodeState::Cancelled, record);
                self.cancel_reason = Some(payload.reason.clone());
            }
            EventKind::WorkflowStatus(_)
            | EventKind::NodeLog(_)
            | EventKind::NodeArtifact(_)
            | EventKind::Unknown(_) => {}
        }
    }

    fn end(&mut self, state: NodeState, record: &Record) {
        self.state = state;
        self.ended_at = Some(record.timestamp);
        self.retry_at = None;
        self.awaiting = None;
    }
}
