//! What goes into the scheduler and what comes out of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::topology::{EdgeIx, NodeIx, PortIx};

/// What an unhandled failure does to the rest of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum FailurePolicy {
    /// Independent branches go on to their end.
    #[default]
    Finish,
    /// Everything running and pending is cancelled, save clean-up.
    FailFast,
}

/// The output ports that a succeeded node chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActivePorts<'a> {
    /// The node does not branch: every port is active.
    All,
    /// The node branches: exactly these ports are active, in any order. Ports that do not take
    /// part in the branching must be named too.
    Only(&'a [PortIx]),
}

/// How a node ended, after its last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// It has outputs.
    Succeeded {
        /// The ports that it chose.
        active: ActivePorts<'a>,
    },
    /// It failed and will not be tried again.
    Failed,
    /// It was stopped before it had a result. It neither fails the run nor starts what waits for
    /// its success; a component that gives up unasked has failed instead.
    Cancelled,
}

impl Outcome<'_> {
    /// A success with every port active.
    pub const fn succeeded() -> Self {
        Outcome::Succeeded {
            active: ActivePorts::All,
        }
    }
}

/// What the caller has to do, or to record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command {
    /// Run this node, then call [`complete`](super::Scheduler::complete).
    Start {
        /// The node.
        node: NodeIx,
        /// The node whose outcome satisfied the join; none for a node that starts with the run.
        triggered_by: Option<NodeIx>,
    },
    /// This node ended without having started. Final.
    Skip {
        /// The node.
        node: NodeIx,
        /// Why.
        reason: SkipReason,
        /// The source of the dead edge that decided, or the node that won the race.
        cause: NodeIx,
    },
    /// Ask this running node to stop, and call [`complete`](super::Scheduler::complete) with
    /// whatever it ends with. Do not try it again.
    Cancel {
        /// The node.
        node: NodeIx,
        /// Why.
        reason: CancelReason,
    },
    /// This node is cancelled. Final: a pending node will not start; a running one (only after
    /// [`terminate`](super::Scheduler::terminate)) is to be killed, and is not to be completed.
    Cancelled {
        /// The node.
        node: NodeIx,
        /// Why.
        reason: CancelReason,
    },
}

impl Command {
    /// The node that the command is about.
    pub const fn node(&self) -> NodeIx {
        match self {
            Command::Start { node, .. }
            | Command::Skip { node, .. }
            | Command::Cancel { node, .. }
            | Command::Cancelled { node, .. } => *node,
        }
    }
}

/// Why a node was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SkipReason {
    /// The cause succeeded, but chose other ports.
    BranchNotTaken,
    /// The cause did not happen either: it was skipped or cancelled.
    UpstreamSkipped,
    /// The cause failed.
    UpstreamFailed,
    /// An error edge, whose source did not fail.
    NoFailureToHandle,
    /// The cause joined on the first, and started without this node.
    LostRace,
}

impl SkipReason {
    /// The reason's name in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            SkipReason::BranchNotTaken => "branch-not-taken",
            SkipReason::UpstreamSkipped => "upstream-skipped",
            SkipReason::UpstreamFailed => "upstream-failed",
            SkipReason::NoFailureToHandle => "no-failure-to-handle",
            SkipReason::LostRace => "lost-race",
        }
    }
}

impl std::fmt::Display for SkipReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a node was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// The run was cancelled.
    RunCancelled,
    /// Another node failed, and the run is to fail fast.
    FailFast,
    /// A node that joins on the first started without this one.
    LostRace,
    /// The run was terminated.
    Terminated,
}

impl CancelReason {
    /// The reason's name in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            CancelReason::RunCancelled => "run-cancelled",
            CancelReason::FailFast => "fail-fast",
            CancelReason::LostRace => "lost-race",
            CancelReason::Terminated => "terminated",
        }
    }
}

impl std::fmt::Display for CancelReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a node is. The last four are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeState {
    /// Its join is not decided yet.
    Pending,
    /// It was started, and has not been completed.
    Running,
    /// It ended with outputs.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// It never started, because of what happened upstream or in a race.
    Skipped,
    /// It was stopped, or never started because the run was.
    Cancelled,
}

impl NodeState {
    /// Whether the node has reached its outcome.
    pub const fn is_final(self) -> bool {
        !matches!(self, NodeState::Pending | NodeState::Running)
    }
}

impl std::fmt::Display for NodeState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            NodeState::Pending => "pending",
            NodeState::Running => "running",
            NodeState::Succeeded => "succeeded",
            NodeState::Failed => "failed",
            NodeState::Skipped => "skipped",
            NodeState::Cancelled => "cancelled",
        })
    }
}

/// Where an edge is. It leaves `Open` once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EdgeState {
    /// Its source has not reached its outcome.
    Open,
    /// It counts for the join of its target.
    Fired,
    /// It does not, and never will.
    Dead,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RunResult {
    /// No failure was left unhandled.
    Completed,
    /// A failure was left unhandled.
    Failed {
        /// The first node whose failure nothing handled.
        node: NodeIx,
    },
    /// The run was cancelled before its end.
    Cancelled,
    /// The run was killed before its end.
    Terminated,
}

/// Why the scheduler refused a call. It is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The topology has no such node.
    #[error("node {node} is not among the {nodes} nodes of this plan")]
    UnknownNode {
        /// The node.
        node: NodeIx,
        /// How many nodes there are.
        nodes: usize,
    },
    /// Only a running node can be completed, and only once.
    #[error("node {node} is {state}, not running: complete it once, after its start")]
    NotRunning {
        /// The node.
        node: NodeIx,
        /// Where it is instead.
        state: NodeState,
    },
}

/// Nodes that wait although nothing runs that they could wait for: a defect of the scheduler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "nothing runs, but nodes {nodes:?} still wait for edges {open_edges:?}: \
     this is a defect of the scheduler, please report it with the workflow"
)]
#[non_exhaustive]
pub struct Stall {
    /// The pending nodes.
    pub nodes: Vec<NodeIx>,
    /// Their incoming edges that are not resolved.
    pub open_edges: Vec<EdgeIx>,
}
