//! The types of event and their payloads.

use std::{collections::BTreeMap, fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{DefinitionSource, HashSource, Outputs, Timestamp};
use crate::{
    ArtifactId, ComponentError, ComponentId, ErrorKind, NodeId, PortId,
    schedule::{Join, SkipReason},
};

/// Type and payload of an event. The wire names are those of semantics: `NODE_STARTED` and so on.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// `WORKFLOW_STATUS`: the run went to another status.
    WorkflowStatus(Box<StatusPayload>),
    /// `NODE_STARTED`: an attempt began.
    NodeStarted(StartedPayload),
    /// `NODE_LOG`: a line of the node's log; its text is the event's message.
    NodeLog(Box<LogPayload>),
    /// `NODE_PROGRESS`: how far it is.
    NodeProgress(Box<ProgressPayload>),
    /// `NODE_ARTIFACT`: an artifact is stored.
    NodeArtifact(Box<ArtifactPayload>),
    /// `NODE_AWAITING_INPUT`: the node waits for a person.
    NodeAwaitingInput(Box<AwaitingInputPayload>),
    /// `NODE_INPUT_RECEIVED`: a person answered what the node waits for.
    NodeInputReceived(Box<InputReceivedPayload>),
    /// `NODE_CHILD_STARTED`: the node called another workflow, as a run of its own.
    NodeChildStarted(Box<ChildStartedPayload>),
    /// `NODE_COMPLETED`: the node succeeded.
    NodeCompleted(CompletedPayload),
    /// `NODE_FAILED`: an attempt failed.
    NodeFailed(Box<FailedPayload>),
    /// `NODE_SKIPPED`: the node will not start.
    NodeSkipped(SkippedPayload),
    /// `NODE_CANCELLED`: the node was stopped, or will not start because the run was cancelled.
    NodeCancelled(Box<CancelledPayload>),
    /// A type that this version does not know.
    Unknown(Box<UnknownPayload>),
}

/// Status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum WorkflowStatus {
    /// Accepted, not started.
    Queued,
    /// Working.
    Running,
    /// Nothing runs, somebody has to answer.
    AwaitingInput,
    /// Ended well. Final.
    Completed,
    /// A failure that nothing handled. Final.
    Failed,
    /// Stopped on request, with clean-up. Final.
    Cancelled,
    /// The run-wide timeout passed. Final.
    TimedOut,
    /// Killed. Final.
    Terminated,
    /// Reported by a reader for a run that no executor knows and whose log has no start.
    Stale,
}

impl WorkflowStatus {
    /// Whether nothing comes after it.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::TimedOut | Self::Terminated
        )
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::AwaitingInput => "AWAITING_INPUT",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::TimedOut => "TIMED_OUT",
            Self::Terminated => "TERMINATED",
            Self::Stale => "STALE",
        }
    }
}

impl fmt::Display for WorkflowStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a run that has not ended is being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StopCause {
    /// Somebody asked for it; clean-up runs.
    Cancelled,
    /// The run's own timeout passed; clean-up runs.
    TimedOut,
    /// Clean-up took too long, and was cut.
    CleanUpTooLong,
    /// Somebody killed it.
    Terminated,
    /// The executor found a defect of its own.
    Defect,
}

/// What set a run off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// For example `manual`, `cli`, `api`, `schedule`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A person, a schedule, a host: free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl Default for Trigger {
    fn default() -> Self {
        Self {
            kind: "manual".into(),
            label: None,
        }
    }
}

/// The run that another belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ParentRun {
    /// The run.
    pub run_id: crate::RunId,
    /// How they belong together.
    pub relation: Relation,
    /// Of a rerun, the node from which on everything was to run again; of a call, the node that
    /// called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<NodeId>,
    /// Of a call, the workflows above it, the outermost first and the parent's last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<Caller>,
    /// Of a rerun, whether everything that has not changed was to be taken over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
}

impl ParentRun {
    /// A run and how another belongs to it.
    pub fn new(run_id: crate::RunId, relation: Relation, node_id: Option<NodeId>) -> Self {
        Self {
            run_id,
            relation,
            node_id,
            callers: Vec::new(),
            cached: false,
        }
    }
}

/// A workflow in a chain of calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Caller {
    /// The workflow.
    pub workflow_id: crate::WorkflowId,
    /// SHA-256 of its definition, in lower-case hex.
    pub definition_hash: String,
}

/// How a run belongs to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Relation {
    /// It runs the parent's workflow again, or a newer version of it.
    Rerun,
    /// A node of the parent called it.
    Call,
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// A sentence for people.
    pub reason: String,
    /// The node whose failure nothing handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<NodeId>,
    /// Its error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorPayload>,
}

/// Payload of `WORKFLOW_STATUS`. The first one of a log carries the definition, the inputs and
/// the trigger; the last one the failure or the outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusPayload {
    /// The status from now on.
    pub status: WorkflowStatus,
    /// The workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<crate::WorkflowId>,
    /// The compiled definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<DefinitionSource>,
    /// SHA-256 of the definition's canonical JSON in lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_hash: Option<HashSource>,
    /// The run's inputs; secrets as references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Arc<serde_json::Map<String, Json>>>,
    /// What set it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// The run that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentRun>,
    /// Which executor runs it, for example `local`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<String>,
    /// The queue it was put into, where the executor has queues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_queue: Option<String>,
    /// Why the run, which has not ended, is being stopped from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<StopCause>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Outputs of the nodes that nothing depends on, by node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<BTreeMap<NodeId, Outputs>>,
}

impl StatusPayload {
    /// A status and nothing else.
    pub fn new(status: WorkflowStatus) -> Self {
        Self {
            status,
            workflow_id: None,
            definition: None,
            definition_hash: None,
            inputs: None,
            trigger: None,
            parent: None,
            executor: None,
            task_queue: None,
            stopping: None,
            failure: None,
            outputs: None,
        }
    }
}

/// A component by name, shared by the events of all nodes that run it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentRef {
    /// Its id.
    pub component_id: ComponentId,
    /// Its version.
    pub component_version: Arc<str>,
}

/// Payload of `NODE_STARTED`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartedPayload {
    /// What runs.
    #[serde(flatten)]
    pub component: Arc<ComponentRef>,
    /// The node whose outcome satisfied the join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triggered_by: Option<NodeId>,
    /// The node's join strategy.
    pub join_strategy: Join,
}

/// Where a log line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Stream {
    /// The component itself.
    #[default]
    Log,
    /// A tool's standard output.
    Stdout,
    /// A tool's standard error.
    Stderr,
}

/// Payload of `NODE_LOG`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogPayload {
    /// Where the line came from.
    #[serde(default)]
    pub stream: Stream,
    /// Structured fields.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub fields: serde_json::Map<String, Json>,
}

/// Who counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ProgressSource {
    /// The component.
    #[default]
    Component,
    /// The tool that it runs.
    Tool,
    /// The executor, from other facts.
    Derived,
}

/// Payload of `NODE_PROGRESS`: counted (`done` of `total`), percent (`total` 100, `unit` `%`), or
/// indeterminate (neither).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressPayload {
    /// How much is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<u64>,
    /// How much there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What is counted, for example `hosts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Arc<str>>,
    /// Who counted.
    #[serde(default)]
    pub source: ProgressSource,
}

/// Payload of `NODE_ARTIFACT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactPayload {
    /// Its id within the run.
    pub artifact_id: ArtifactId,
    /// Its file name.
    pub name: String,
    /// IANA media type.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
    /// Path inside artifact storage.
    pub location: String,
}

/// Payload of `NODE_AWAITING_INPUT`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwaitingInputPayload {
    /// Names the question.
    pub request_id: String,
    /// For example `approval`, `form`.
    pub kind: String,
    /// The question.
    pub title: String,
    /// JSON Schema of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Json>,
    /// When waiting ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_at: Option<Timestamp>,
}

/// Payload of `NODE_INPUT_RECEIVED`. It is about the node as a whole (attempt 0), and comes from
/// whoever answered, not from the executor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InputReceivedPayload {
    /// Names the question.
    pub request_id: String,
    /// The answer, as it was given.
    pub answer: Json,
    /// Who gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Payload of `NODE_CHILD_STARTED`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChildStartedPayload {
    /// The child run; its first event names this one.
    pub run_id: crate::RunId,
    /// What it runs.
    pub workflow_id: crate::WorkflowId,
}

/// Payload of `NODE_COMPLETED`.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletedPayload {
    /// The outputs; on the wire `outputs` holds inline values, `outputRefs` references into
    /// artifact storage, `secretOutputs` names of secrets, `masked` places where secrets stood.
    pub outputs: Arc<Outputs>,
    /// Active ports of a node that branches.
    pub active_ports: Option<Box<[PortId]>>,
    /// The earlier run that the outputs were taken over from: the node did not run.
    pub reused_from: Option<crate::RunId>,
    /// Milliseconds from the start of the attempt to its end, with fractions.
    pub duration_ms: f64,
}

/// An error as the log holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorPayload {
    /// Its kind.
    pub kind: ErrorKind,
    /// Its message, with those of its causes.
    pub message: String,
    /// Whether another attempt may succeed.
    pub retryable: bool,
    /// Messages by field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub field_errors: BTreeMap<String, Vec<String>>,
    /// Further facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Json>,
}

impl From<&ComponentError> for ErrorPayload {
    fn from(error: &ComponentError) -> Self {
        Self {
            kind: error.kind(),
            message: error.chain(),
            retryable: error.is_retryable(),
            field_errors: error.fields().clone(),
            details: error.details().cloned(),
        }
    }
}

/// Payload of `NODE_FAILED`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedPayload {
    /// What went wrong.
    pub error: ErrorPayload,
    /// Whether another attempt follows.
    pub will_retry: bool,
    /// The attempt did not fail by itself: the process that ran it ended. It is not counted against
    /// the attempts that the node has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// When it follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// The node behind the error edge that handles the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handled_by: Option<NodeId>,
    /// Milliseconds from the start of the attempt to its end, with fractions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
}

/// Payload of `NODE_SKIPPED`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkippedPayload {
    /// Why.
    pub reason: SkipReason,
    /// The node that decided it.
    pub cause: NodeId,
}

/// Payload of `NODE_CANCELLED`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CancelledPayload {
    /// Why.
    pub reason: String,
}

/// An event of a type that this version does not know.
#[derive(Debug, Clone, PartialEq)]
pub struct UnknownPayload {
    /// The `type` on the wire.
    pub event_type: String,
    /// The payload as it came.
    pub payload: Json,
}
