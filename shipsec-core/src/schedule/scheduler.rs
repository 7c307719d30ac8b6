//! The scheduler itself: its calls, and what it can be asked.

use std::sync::Arc;

use super::command::{
    ActivePorts, CancelReason, Command, EdgeState, FailurePolicy, NodeState, Outcome, RunResult,
    ScheduleError, Stall,
};
use super::progress::{Progress, Resolution};
use super::topology::{EdgeIx, EdgeKind, NodeIx, Topology};

/// One run of a [`Topology`]: takes outcomes, gives back what is to be done next.
///
/// Every call appends its commands to the caller's buffer, in an order that depends only on the
/// calls so far. The rules are those of the [module](super).
///
/// Takes 16 bytes per node (20 where a node joins on the first) and one per edge.
///
/// ```
/// use std::sync::Arc;
/// use shipsec_core::schedule::{
///     Command, EdgeKind, FailurePolicy, Join, NodeState, Outcome, RunResult, Scheduler, Topology,
/// };
///
/// let mut builder = Topology::builder();
/// let fetch = builder.add_node(Join::All);
/// let report = builder.add_node(Join::All);
/// let alarm = builder.add_node(Join::All);
/// builder.add_edge(fetch, report, EdgeKind::Success, None);
/// builder.add_edge(fetch, alarm, EdgeKind::Error, None);
///
/// let mut run = Scheduler::new(Arc::new(builder.build()?), FailurePolicy::Finish);
/// let mut commands = Vec::new();
/// run.start(&mut commands);
/// let mut next = 0;
/// while let Some(command) = commands.get(next) {
///     next += 1;
///     if let Command::Start { node, .. } = *command {
///         run.complete(node, Outcome::succeeded(), &mut commands)?;
///     }
/// }
/// assert!(run.is_finished());
/// assert_eq!(run.result(), RunResult::Completed);
/// assert_eq!(run.state(alarm), NodeState::Skipped);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scheduler {
    topology: Arc<Topology>,
    policy: FailurePolicy,
    progress: Progress,
    begun: bool,
    failed: Option<NodeIx>,
    stopped: Option<CancelReason>,
}

impl Scheduler {
    /// A run that has not begun.
    pub fn new(topology: Arc<Topology>, policy: FailurePolicy) -> Self {
        Self {
            progress: Progress::new(&topology),
            topology,
            policy,
            begun: false,
            failed: None,
            stopped: None,
        }
    }

    /// Begins the run: starts every node without incoming edges, in index order. Does nothing
    /// when the run has begun or was stopped before.
    pub fn start(&mut self, out: &mut Vec<Command>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        for root in self.topology.roots() {
            self.progress.start(root.0, None, out);
        }
    }

    /// Takes the outcome of a running node, after its last attempt.
    ///
    /// # Errors
    /// When the node is unknown or not running, among them a second completion; nothing changes
    /// then.
    pub fn complete(
        &mut self,
        node: NodeIx,
        outcome: Outcome<'_>,
        out: &mut Vec<Command>,
    ) -> Result<(), ScheduleError> {
        let nodes = self.progress.nodes.len();
        let Some(slot) = self.progress.nodes.get_mut(node.at()) else {
            return Err(ScheduleError::UnknownNode { node, nodes });
        };
        if slot.state != NodeState::Running {
            return Err(ScheduleError::NotRunning {
                node,
                state: slot.state,
            });
        }
        let (state, resolution) = match outcome {
            Outcome::Succeeded {
                active: ActivePorts::All,
            } => (NodeState::Succeeded, Resolution::SUCCEEDED),
            Outcome::Succeeded {
                active: ActivePorts::Only(ports),
            } => (NodeState::Succeeded, Resolution::branching(ports)),
            Outcome::Failed => (NodeState::Failed, Resolution::FAILED),
            Outcome::Cancelled => (NodeState::Cancelled, Resolution::SKIPPED_OR_CANCELLED),
        };
        slot.state = state;
        let unhandled = state == NodeState::Failed
            && !slot.asked
            && !self.topology.leaves(node.0, EdgeKind::Error);
        self.progress.running -= 1;

        let from = out.len();
        if unhandled {
            self.failed.get_or_insert(node);
            if self.policy == FailurePolicy::FailFast {
                self.stop(CancelReason::FailFast, out);
            }
        }
        self.progress
            .resolve(&self.topology, node.0, resolution, out);
        self.progress.cascade(&self.topology, from, out);
        Ok(())
    }

    /// Cancels the run: running nodes are asked to stop, pending ones are cancelled, clean-up
    /// runs. Does nothing when the run is finished or already being stopped.
    pub fn cancel(&mut self, out: &mut Vec<Command>) {
        if self.is_finished() {
            return;
        }
        self.begun = true;
        let from = out.len();
        self.stop(CancelReason::RunCancelled, out);
        self.progress.cascade(&self.topology, from, out);
    }

    /// Kills the run: whatever is not final is [cancelled](Command::Cancelled) at once, running
    /// nodes and clean-up too, and nothing starts any more. Does nothing when the run is finished.
    pub fn terminate(&mut self, out: &mut Vec<Command>) {
        if self.is_finished() {
            return;
        }
        self.begun = true;
        self.stopped = Some(CancelReason::Terminated);
        let from = out.len();
        self.progress.kill(out);
        self.progress.cascade(&self.topology, from, out);
    }

    fn stop(&mut self, reason: CancelReason, out: &mut Vec<Command>) {
        if self.stopped.is_none() {
            self.stopped = Some(reason);
            self.progress.stop(&self.topology, reason, out);
        }
    }

    /// The shape that this run follows.
    pub fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }

    /// Where a node is.
    ///
    /// # Panics
    /// If the node is not of this topology.
    pub fn state(&self, node: NodeIx) -> NodeState {
        self.progress.nodes[node.at()].state
    }

    /// Where an edge is.
    ///
    /// # Panics
    /// If the edge is not of this topology.
    pub fn edge_state(&self, edge: EdgeIx) -> EdgeState {
        self.progress.edges[self.topology.slot_of(edge)]
    }

    /// How many nodes are running, those included that were asked to stop.
    pub fn running(&self) -> usize {
        self.progress.running
    }

    /// How many nodes wait for their join.
    pub fn pending(&self) -> usize {
        self.progress.pending
    }

    /// Whether every node has reached its outcome.
    pub fn is_finished(&self) -> bool {
        self.progress.pending == 0 && self.progress.running == 0
    }

    /// Why the run is being stopped, if it is: cancelled, terminated, or failing fast.
    pub fn stopping(&self) -> Option<CancelReason> {
        self.stopped
    }

    /// Whether the run is being stopped and this node runs nevertheless, or will: it is to get the
    /// deadline for clean-up.
    ///
    /// # Panics
    /// If the node is not of this topology.
    pub fn is_cleanup(&self, node: NodeIx) -> bool {
        self.progress.nodes[node.at()].cleanup
    }

    /// The node that handles this node's failure, if it has failed, or should it fail now: the
    /// target of its first error edge, preferring one that runs or may still run. None also while
    /// the run is being stopped and every handler was cancelled. A failure that is not handled
    /// fails the run, unless the node was asked to stop.
    ///
    /// Changes nothing, so that the failure can be recorded with its handler before it is
    /// [completed](Self::complete).
    ///
    /// # Panics
    /// If the node is not of this topology.
    pub fn would_handle(&self, node: NodeIx) -> Option<NodeIx> {
        if !self.topology.leaves(node.0, EdgeKind::Error) {
            return None;
        }
        let targets = || {
            let errors = self
                .topology
                .out_edges(node)
                .filter(|edge| edge.kind == EdgeKind::Error);
            errors.map(|edge| edge.target)
        };
        let ended = |state| matches!(state, NodeState::Skipped | NodeState::Cancelled);
        let awake = targets().find(|&target| !ended(self.state(target)));
        awake.or_else(|| targets().next().filter(|_| self.stopped.is_none()))
    }

    /// How the run ends as things are; final once it [is finished](Self::is_finished). What
    /// stopped a run first decides, save that termination always does: a run that fails fast has
    /// failed even if it is cancelled while it cleans up.
    pub fn result(&self) -> RunResult {
        match (self.stopped, self.failed) {
            (Some(CancelReason::Terminated), _) => RunResult::Terminated,
            (Some(CancelReason::RunCancelled), _) => RunResult::Cancelled,
            (_, Some(node)) => RunResult::Failed { node },
            (_, None) => RunResult::Completed,
        }
    }

    /// The nodes that wait although nothing runs, once the run has begun. There are none, whatever
    /// the topology and the outcomes; an executor that asks can tell a defect here from a slow
    /// component.
    pub fn stalled(&self) -> Option<Stall> {
        if !self.begun || self.progress.running > 0 || self.progress.pending == 0 {
            return None;
        }
        let all = (0..self.topology.node_count() as u32).map(NodeIx);
        let nodes: Vec<_> = all
            .filter(|&node| self.state(node) == NodeState::Pending)
            .collect();
        let edges = nodes.iter().flat_map(|&node| self.topology.in_edges(node));
        let open_edges = edges
            .map(|edge| edge.id)
            .filter(|&edge| self.edge_state(edge) == EdgeState::Open)
            .collect();
        Some(Stall { nodes, open_edges })
    }
}
