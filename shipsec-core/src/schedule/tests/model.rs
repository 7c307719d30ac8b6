//! The rules once more, written down naively: everything is looked up again by the definitions,
//! over all nodes and all edges, until nothing changes. Slow and plain on purpose.

use std::sync::Arc;

use crate::schedule::{
    Edge, EdgeIx, EdgeKind, EdgeState, FailurePolicy, Join, NodeIx, NodeState, PortIx, Topology,
};

/// An outcome that owns its ports.
#[derive(Clone, Debug)]
pub(super) enum End {
    Succeeded(Option<Vec<PortIx>>),
    Failed,
    Cancelled,
}

pub(super) struct Model {
    topology: Arc<Topology>,
    policy: FailurePolicy,
    pub(super) states: Vec<NodeState>,
    pub(super) started: Vec<bool>,
    pub(super) asked: Vec<bool>,
    pub(super) cleanup: Vec<bool>,
    ports: Vec<Option<Vec<PortIx>>>,
    begun: bool,
    stopped: bool,
}

impl Model {
    pub(super) fn new(topology: Arc<Topology>, policy: FailurePolicy) -> Self {
        let nodes = topology.node_count();
        Self {
            topology,
            policy,
            states: vec![NodeState::Pending; nodes],
            started: vec![false; nodes],
            asked: vec![false; nodes],
            cleanup: vec![false; nodes],
            ports: vec![None; nodes],
            begun: false,
            stopped: false,
        }
    }

    pub(super) fn start(&mut self) {
        self.begun = true;
        self.follow();
    }

    pub(super) fn complete(&mut self, node: NodeIx, end: &End) {
        let at = node.0 as usize;
        assert_eq!(self.states[at], NodeState::Running);
        self.states[at] = match end {
            End::Succeeded(ports) => {
                self.ports[at].clone_from(ports);
                NodeState::Succeeded
            }
            End::Failed => NodeState::Failed,
            End::Cancelled => NodeState::Cancelled,
        };
        let handled = self
            .edges()
            .any(|edge| edge.source == node && edge.kind == EdgeKind::Error);
        let unhandled = matches!(end, End::Failed) && !handled && !self.asked[at];
        if unhandled && self.policy == FailurePolicy::FailFast {
            self.stop();
        }
        self.follow();
    }

    /// Judges one race; the winner has started.
    pub(super) fn race(&mut self, winner: NodeIx) {
        assert_eq!(self.states[winner.0 as usize], NodeState::Running);
        let mut lost = vec![false; self.states.len()];
        while let Some(loser) =
            (0..lost.len()).find(|&node| !lost[node] && self.loses(node, winner, &lost))
        {
            lost[loser] = true;
        }
        for node in (0..lost.len()).filter(|&node| lost[node]) {
            match self.states[node] {
                NodeState::Running => self.asked[node] = true,
                _ => self.states[node] = NodeState::Skipped,
            }
        }
        self.follow();
    }

    fn loses(&self, node: usize, winner: NodeIx, lost: &[bool]) -> bool {
        let this = NodeIx(node as u32);
        let settles =
            self.states[node] == NodeState::Pending && self.topology.join(this) == Join::Settled;
        let leaving: Vec<Edge> = self.edges().filter(|edge| edge.source == this).collect();
        let leads_there = leaving
            .iter()
            .any(|edge| edge.target == winner || lost[edge.target.0 as usize]);
        let success: Vec<&Edge> = leaving
            .iter()
            .filter(|edge| edge.kind == EdgeKind::Success)
            .collect();
        let serves = success.iter().any(|edge| {
            let target = edge.target.0 as usize;
            match self.states[target] {
                NodeState::Pending => !lost[target],
                NodeState::Skipped | NodeState::Cancelled => false,
                _ => {
                    self.topology.join(edge.target) != Join::First
                        && !self.asked[target]
                        && !lost[target]
                }
            }
        });
        !self.states[node].is_final()
            && !self.asked[node]
            && !self.cleanup[node]
            && !settles
            && leads_there
            && !success.is_empty()
            && !serves
    }

    pub(super) fn cancel(&mut self) {
        if self.states.iter().all(|state| state.is_final()) {
            return;
        }
        self.begun = true;
        self.stop();
        self.follow();
    }

    pub(super) fn terminate(&mut self) {
        self.begun = true;
        for state in self.states.iter_mut().filter(|state| !state.is_final()) {
            *state = NodeState::Cancelled;
        }
    }

    fn stop(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        while let Some(target) = self.next_cleanup() {
            self.cleanup[target] = true;
        }
        for node in 0..self.states.len() {
            match self.states[node] {
                _ if self.cleanup[node] => {}
                NodeState::Pending => self.states[node] = NodeState::Cancelled,
                NodeState::Running => self.asked[node] = true,
                _ => {}
            }
        }
    }

    fn next_cleanup(&self) -> Option<usize> {
        self.edges()
            .filter(|edge| edge.kind == EdgeKind::Finally)
            .find_map(|edge| {
                let (source, target) = (edge.source.0 as usize, edge.target.0 as usize);
                let behind = self.started[source] || self.cleanup[source];
                let fresh =
                    !self.states[target].is_final() && !self.asked[target] && !self.cleanup[target];
                (behind && fresh).then_some(target)
            })
    }

    /// Applies the two tables until nothing changes.
    fn follow(&mut self) {
        while let Some((node, state)) = (0..self.states.len()).find_map(|node| {
            let decided = self.decide(node)?;
            Some((node, decided))
        }) {
            self.states[node] = state;
            self.started[node] |= state == NodeState::Running;
        }
    }

    fn decide(&self, node: usize) -> Option<NodeState> {
        if self.states[node] != NodeState::Pending || !self.begun {
            return None;
        }
        let this = NodeIx(node as u32);
        let count = |state| {
            let incoming = self.edges().filter(|edge| edge.target == this);
            incoming
                .filter(|edge| self.edge_state(edge) == state)
                .count()
        };
        let (fired, dead, open) = (
            count(EdgeState::Fired),
            count(EdgeState::Dead),
            count(EdgeState::Open),
        );
        if fired + dead + open == 0 {
            return Some(NodeState::Running);
        }
        let (starts, skips) = match self.topology.join(this) {
            Join::All => (dead + open == 0, dead > 0),
            Join::Any | Join::First => (fired > 0, fired + open == 0),
            Join::Quorum(quorum) => (fired >= quorum as usize, fired + open < quorum as usize),
            Join::Settled => (open == 0, false),
        };
        if starts || (skips && self.cleanup[node] && open == 0) {
            Some(NodeState::Running)
        } else if skips && !self.cleanup[node] {
            Some(NodeState::Skipped)
        } else {
            None
        }
    }

    fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        (0..self.topology.edge_count() as u32).map(|edge| self.topology.edge(EdgeIx(edge)))
    }

    pub(super) fn edge_state(&self, edge: &Edge) -> EdgeState {
        let source = edge.source.0 as usize;
        let state = self.states[source];
        if !state.is_final() {
            return EdgeState::Open;
        }
        let active = match (edge.port, &self.ports[source]) {
            (Some(port), Some(active)) => active.contains(&port),
            _ => true,
        };
        let fires = match edge.kind {
            EdgeKind::Success => state == NodeState::Succeeded && active,
            EdgeKind::Error => state == NodeState::Failed,
            EdgeKind::Finally => true,
        };
        if fires {
            EdgeState::Fired
        } else {
            EdgeState::Dead
        }
    }
}
