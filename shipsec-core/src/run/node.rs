//! One node as the log shows it.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::Serialize;

use super::{PortOutput, outputs};
use crate::{
    NodeId, PortId, RunId,
    event::{
        AwaitingInputPayload, ComponentRef, ErrorPayload, EventKind, Level, Outputs,
        ProgressSource, Record, SkipReason, Timestamp,
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

impl std::fmt::Display for NodeState {
    /// As a word for people, for example `awaiting input`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::AwaitingInput => "awaiting input",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        })
    }
}

/// How many nodes are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NodeCounts {
    /// [`NodeState::Pending`].
    pub pending: usize,
    /// [`NodeState::Running`].
    pub running: usize,
    /// [`NodeState::Retrying`].
    pub retrying: usize,
    /// [`NodeState::AwaitingInput`].
    pub awaiting_input: usize,
    /// [`NodeState::Completed`].
    pub completed: usize,
    /// [`NodeState::Failed`].
    pub failed: usize,
    /// [`NodeState::Skipped`].
    pub skipped: usize,
    /// [`NodeState::Cancelled`].
    pub cancelled: usize,
}

impl NodeCounts {
    /// Nodes in any final state.
    pub fn finished(&self) -> usize {
        self.completed + self.failed + self.skipped + self.cancelled
    }

    pub(super) fn of(&mut self, state: NodeState) -> &mut usize {
        match state {
            NodeState::Pending => &mut self.pending,
            NodeState::Running => &mut self.running,
            NodeState::Retrying => &mut self.retrying,
            NodeState::AwaitingInput => &mut self.awaiting_input,
            NodeState::Completed => &mut self.completed,
            NodeState::Failed => &mut self.failed,
            NodeState::Skipped => &mut self.skipped,
            NodeState::Cancelled => &mut self.cancelled,
        }
    }
}

/// Log lines by level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LogCounts {
    /// At level `debug`.
    pub debug: u64,
    /// At level `info`.
    pub info: u64,
    /// At level `warn`.
    pub warn: u64,
    /// At level `error`.
    pub error: u64,
}

impl LogCounts {
    /// Lines at any level.
    pub fn total(&self) -> u64 {
        self.debug + self.info + self.warn + self.error
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    pub(super) fn add(&mut self, level: Level) {
        *match level {
            Level::Debug => &mut self.debug,
            Level::Info => &mut self.info,
            Level::Warn => &mut self.warn,
            Level::Error => &mut self.error,
        } += 1;
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
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NodeView {
    /// The node.
    pub node_id: NodeId,
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
    /// Milliseconds of the newest attempt, in whole microseconds, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// The node whose outcome satisfied its join.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggered_by: Option<NodeId>,
    /// How far the newest attempt is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Arc<ProgressView>>,
    /// Log lines by level, of all attempts.
    #[serde(skip_serializing_if = "LogCounts::is_empty")]
    #[schemars(default)]
    pub log_counts: LogCounts,
    /// How many artifacts it has stored, in all attempts; which ones,
    /// [`RunView::artifacts`](super::RunView::artifacts) tells.
    pub artifacts: u32,
    /// Its outputs; in the JSON each port tells what kind of thing it holds.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "outputs::serialize"
    )]
    #[schemars(with = "Option<BTreeMap<PortId, PortOutput>>")]
    pub outputs: Option<Arc<Outputs>>,
    /// Active ports of a node that branches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_ports: Option<Arc<[PortId]>>,
    /// The earlier run that its outputs were taken over from: it did not run itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reused_from: Option<RunId>,
    /// Why its last attempt that failed did so; none once it has completed.
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
    pub cancel_reason: Option<Arc<str>>,
    /// The runs that it called, the newest last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child_runs: Option<Arc<[RunId]>>,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awaiting: Option<Arc<AwaitingInputPayload>>,
}

impl NodeView {
    /// A node to which nothing has happened.
    pub(super) fn new(node_id: NodeId) -> Self {
        Self {
            node_id,
            state: NodeState::Pending,
            attempt: 0,
            component: None,
            started_at: None,
            ended_at: None,
            duration_ms: None,
            triggered_by: None,
            progress: None,
            log_counts: LogCounts::default(),
            artifacts: 0,
            outputs: None,
            active_ports: None,
            reused_from: None,
            error: None,
            retry_at: None,
            handled_by: None,
            skip_reason: None,
            skip_cause: None,
            cancel_reason: None,
            child_runs: None,
            awaiting: None,
        }
    }

    /// About how many bytes it takes in an `Arc` beside the same node at an earlier time.
    pub(super) fn bytes_beside(&self, before: Option<&Self>) -> usize {
        /// Two counts stand before what is shared.
        const COUNTS: usize = 2 * size_of::<usize>();
        let own = size_of::<Self>() + COUNTS;
        let Some(progress) = &self.progress else {
            return own;
        };
        let shared = before.and_then(|before| before.progress.as_ref());
        if shared.is_some_and(|shared| Arc::ptr_eq(shared, progress)) {
            return own;
        }
        let texts = [progress.message.as_deref(), progress.unit.as_deref()];
        let texts = texts.into_iter().flatten().map(|text| text.len() + COUNTS);
        own + size_of::<ProgressView>() + COUNTS + texts.sum::<usize>()
    }

    /// Takes an event about this node, and tells whether it came in time. The state moves as the
    /// rules of [`run`](super) say.
    pub(super) fn apply(&mut self, record: &Record) -> bool {
        // Attempt 0 is the node as a whole.
        let attempt = match record.attempt {
            0 => self.attempt,
            attempt => attempt,
        };
        let in_time = !self.state.is_final() && attempt >= self.attempt;
        let runs = matches!(self.state, NodeState::Running | NodeState::AwaitingInput)
            && attempt == self.attempt;
        match &record.kind {
            EventKind::NodeLog(_) => self.log_counts.add(record.level),
            EventKind::NodeArtifact(_) => self.artifacts = self.artifacts.saturating_add(1),
            // A warning about the node's inputs, not about how far it is.
            EventKind::NodeProgress(payload)
                if record.level >= Level::Warn
                    && payload.done.is_none()
                    && payload.total.is_none() =>
            {
                self.log_counts.add(record.level);
            }
            _ if !in_time => {}
            EventKind::NodeStarted(payload) => {
                let attempt = attempt.max(1);
                if attempt == self.attempt {
                    return false;
                }
                self.attempt = attempt;
                self.state = NodeState::Running;
                self.component = Some(payload.component.clone());
                if payload.triggered_by.is_some() {
                    self.triggered_by.clone_from(&payload.triggered_by);
                }
                self.started_at = Some(record.timestamp);
                self.duration_ms = None;
                self.progress = None;
                self.retry_at = None;
                self.awaiting = None;
            }
            EventKind::NodeProgress(_) | EventKind::NodeAwaitingInput(_) if !runs => return false,
            EventKind::NodeProgress(payload) => {
                // Who goes on working waits no longer.
                self.state = NodeState::Running;
                self.awaiting = None;
                self.progress = Some(Arc::new(ProgressView {
                    done: payload.done,
                    total: payload.total,
                    unit: payload.unit.clone(),
                    source: payload.source,
                    message: record.message.clone(),
                }));
            }
            EventKind::NodeAwaitingInput(payload) => {
                self.state = NodeState::AwaitingInput;
                self.awaiting = Some(Arc::new((**payload).clone()));
            }
            EventKind::NodeChildStarted(payload) => {
                let known = self.child_runs.iter().flat_map(|runs| runs.iter());
                // A later attempt may go on with the same run.
                let others = known.filter(|run| **run != payload.run_id).cloned();
                self.child_runs = Some(others.chain([payload.run_id.clone()]).collect());
            }
            EventKind::NodeInputReceived(payload) => {
                let asked = self.awaiting.as_ref().map(|asked| &asked.request_id);
                if self.state != NodeState::AwaitingInput || asked != Some(&payload.request_id) {
                    return false;
                }
                self.state = NodeState::Running;
                self.awaiting = None;
            }
            // The attempt has ended; only another one goes on.
            EventKind::NodeCompleted(_) | EventKind::NodeFailed(_)
                if self.state == NodeState::Retrying && attempt == self.attempt =>
            {
                return false;
            }
            EventKind::NodeCompleted(payload) => {
                self.ends(NodeState::Completed, attempt, record.timestamp);
                self.takes(Some(payload.duration_ms), record.timestamp);
                self.outputs = Some(payload.outputs.clone());
                self.active_ports = payload.active_ports.as_deref().map(Arc::from);
                self.reused_from.clone_from(&payload.reused_from);
                self.error = None;
            }
            EventKind::NodeFailed(payload) => {
                if payload.will_retry {
                    self.state = NodeState::Retrying;
                    self.attempt = attempt;
                    self.retry_at = payload.retry_at;
                    self.awaiting = None;
                } else {
                    self.ends(NodeState::Failed, attempt, record.timestamp);
                    self.handled_by.clone_from(&payload.handled_by);
                }
                self.takes(payload.duration_ms, record.timestamp);
                self.error = Some(Arc::new(payload.error.clone()));
            }
            EventKind::NodeSkipped(_) if self.state != NodeState::Pending => return false,
            EventKind::NodeSkipped(payload) => {
                self.ends(NodeState::Skipped, attempt, record.timestamp);
                self.skip_reason = Some(payload.reason);
                self.skip_cause = Some(payload.cause.clone());
            }
            EventKind::NodeCancelled(payload) => {
                self.cancel(attempt, payload.reason.as_str().into(), record.timestamp);
            }
            // Of a type that says nothing about a node, or that this version does not know.
            EventKind::WorkflowStatus(_) | EventKind::Unknown(_) => {}
        }
        in_time
    }

    /// The run has ended, and the log does not tell how this node did.
    pub(super) fn end_with_run(&mut self, at: Timestamp) {
        self.cancel(self.attempt, "run-ended".into(), at);
    }

    fn cancel(&mut self, attempt: u32, reason: Arc<str>, at: Timestamp) {
        // Between two attempts the failed one has told already.
        if self.state != NodeState::Retrying {
            self.takes(None, at);
        }
        self.ends(NodeState::Cancelled, attempt, at);
        self.cancel_reason = Some(reason);
    }

    fn ends(&mut self, state: NodeState, attempt: u32, at: Timestamp) {
        self.state = state;
        self.attempt = attempt;
        self.ended_at = Some(at);
        self.retry_at = None;
        self.awaiting = None;
    }

    /// Sets how long the attempt took: what its event says, else the time between its events.
    /// Rounding makes the number the same before and after it was written as text.
    fn takes(&mut self, said: Option<f64>, at: Timestamp) {
        let between = || Some(at.since(self.started_at?).as_secs_f64() * 1e3);
        let millis = said.or_else(between).filter(|millis| millis.is_finite());
        self.duration_ms = millis.map(|millis| (millis * 1e3).round() / 1e3);
    }
}
