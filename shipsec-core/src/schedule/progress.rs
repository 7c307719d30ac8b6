//! The two tables: how an outcome resolves edges, and how resolved edges decide joins.

use super::command::{Command, EdgeState, NodeState, SkipReason};
use super::{
    join::Join,
    topology::{EdgeKind, NodeIx, PortIx, Topology},
};

/// What changes about a node. Kept together, for an edge that resolves touches all of it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Incoming edges that are not resolved.
    pub(super) open: u32,
    /// Incoming edges that must still count before the node starts.
    pub(super) missing: u32,
    pub(super) state: NodeState,
    /// Dead edges count like fired ones.
    pub(super) counts_dead: bool,
    /// It joins on the first.
    pub(super) races: bool,
    /// It has been running at some time.
    pub(super) started: bool,
    /// It was asked to stop while it was running.
    pub(super) asked: bool,
    /// The run is being stopped, and this node still runs.
    pub(super) cleanup: bool,
}

/// How the edges of a source resolve.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolution<'a> {
    /// The kinds that fire, as a set of bits.
    fires: u8,
    /// Where a success does not fire from every port.
    ports: Option<&'a [PortIx]>,
}

impl<'a> Resolution<'a> {
    pub(super) const SUCCEEDED: Self = Self::of(EdgeKind::Success.bit());
    pub(super) const FAILED: Self = Self::of(EdgeKind::Error.bit());
    pub(super) const SKIPPED_OR_CANCELLED: Self = Self::of(0);

    const fn of(kinds: u8) -> Self {
        Self {
            fires: kinds | EdgeKind::Finally.bit(),
            ports: None,
        }
    }

    pub(super) fn branching(ports: &'a [PortIx]) -> Self {
        Self {
            ports: Some(ports),
            ..Self::SUCCEEDED
        }
    }
}

/// Everything about a run that changes. The topology comes with each call, so that both can be
/// borrowed at once.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) nodes: Vec<Node>,
    /// By slot of the topology.
    pub(super) edges: Vec<EdgeState>,
    /// Per node, the first outgoing slot that may still serve something; see `race`. Empty where
    /// no node joins on the first.
    pub(super) serving: Vec<u32>,
    pub(super) pending: usize,
    pub(super) running: usize,
}

impl Progress {
    pub(super) fn new(topology: &Topology) -> Self {
        let nodes = topology.joins().iter().enumerate().map(|(at, join)| {
            let incoming = topology.in_degree(at);
            Node {
                open: incoming,
                missing: match *join {
                    Join::All | Join::Settled => incoming,
                    Join::Any | Join::First => 1,
                    Join::Quorum(quorum) => quorum,
                },
                state: NodeState::Pending,
                counts_dead: *join == Join::Settled,
                races: *join == Join::First,
                started: false,
                asked: false,
                cleanup: false,
            }
        });
        let nodes: Vec<Node> = nodes.collect();
        let serving = if topology.races() {
            let first = |node| topology.out_slots(node).start as u32;
            (0..nodes.len() as u32).map(first).collect()
        } else {
            Vec::new()
        };
        Self {
            pending: nodes.len(),
            running: 0,
            nodes,
            edges: vec![EdgeState::Open; topology.edge_count()],
            serving,
        }
    }

    pub(super) fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    pub(super) fn node_mut(&mut self, node: u32) -> &mut Node {
        &mut self.nodes[node as usize]
    }

    pub(super) fn start(
        &mut self,
        node: u32,
        triggered_by: Option<NodeIx>,
        out: &mut Vec<Command>,
    ) {
        let slot = self.node_mut(node);
        slot.state = NodeState::Running;
        slot.started = true;
        self.pending -= 1;
        self.running += 1;
        out.push(Command::Start {
            node: NodeIx(node),
            triggered_by,
        });
    }

    /// Ends a pending node. Its edges resolve when `cascade` comes to the command.
    pub(super) fn skip(
        &mut self,
        node: u32,
        reason: SkipReason,
        cause: NodeIx,
        out: &mut Vec<Command>,
    ) {
        self.node_mut(node).state = NodeState::Skipped;
        self.pending -= 1;
        out.push(Command::Skip {
            node: NodeIx(node),
            reason,
            cause,
        });
    }

    /// Resolves the outgoing edges of a node that has just reached its outcome, and decides the
    /// joins that follow.
    pub(super) fn resolve(
        &mut self,
        topology: &Topology,
        source: u32,
        resolution: Resolution<'_>,
        out: &mut Vec<Command>,
    ) {
        for slot in topology.out_slots(source) {
            let edge = &topology.out()[slot];
            let mut fires = resolution.fires & edge.kind.bit() != 0;
            if let Some(ports) = resolution.ports
                && edge.kind == EdgeKind::Success
                && let Some(port) = edge.port()
            {
                fires = ports.contains(&port);
            }
            self.edges[slot] = if fires {
                EdgeState::Fired
            } else {
                EdgeState::Dead
            };

            let target = self.node_mut(edge.target);
            target.open -= 1;
            if target.state != NodeState::Pending {
                continue;
            }
            if fires || target.counts_dead {
                target.missing -= 1;
            }
            if target.missing > target.open && target.cleanup {
                // What would skip it makes clean-up wait for whatever is still to come instead.
                target.counts_dead = true;
                target.missing = target.open;
            }
            if target.missing == 0 {
                self.start(edge.target, Some(NodeIx(source)), out);
            } else if target.missing > target.open {
                let reason = self.reason(source, edge.kind);
                self.skip(edge.target, reason, NodeIx(source), out);
            }
        }
    }

    /// Why a dead edge of this kind skips its target.
    fn reason(&self, source: u32, kind: EdgeKind) -> SkipReason {
        match (kind, self.node(source).state) {
            (EdgeKind::Error, _) => SkipReason::NoFailureToHandle,
            (_, NodeState::Succeeded) => SkipReason::BranchNotTaken,
            (_, NodeState::Failed) => SkipReason::UpstreamFailed,
            _ => SkipReason::UpstreamSkipped,
        }
    }

    /// Follows every consequence of the commands from `from` on: first what the two tables say,
    /// then, one after the other, the races that it decided. The commands themselves are the
    /// queue, so that a chain of a million skipped nodes needs neither stack nor memory.
    pub(super) fn cascade(&mut self, topology: &Topology, from: usize, out: &mut Vec<Command>) {
        let (mut resolved, mut judged) = (from, from);
        loop {
            while let Some(command) = out.get(resolved) {
                resolved += 1;
                if let Command::Skip { node, .. } | Command::Cancelled { node, .. } = *command {
                    self.resolve(topology, node.0, Resolution::SKIPPED_OR_CANCELLED, out);
                }
            }
            if !topology.races() {
                return;
            }
            while judged < out.len() && resolved == out.len() {
                if let Command::Start { node, .. } = out[judged]
                    && self.node(node.0).races
                {
                    self.judge(topology, node, out);
                }
                judged += 1;
            }
            if resolved == out.len() {
                return;
            }
        }
    }
}
