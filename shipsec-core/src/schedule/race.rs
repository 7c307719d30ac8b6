//! Who loses when a node that joins on the first starts.

use super::command::{CancelReason, Command, NodeState, SkipReason};
use super::progress::Progress;
use super::{
    join::Join,
    topology::{EdgeKind, NodeIx, Topology},
};

impl Progress {
    /// Ends what served only `winner`, which has just started: losers that run are asked to stop,
    /// losers that wait are skipped. A loser no longer needs its own sources, so they are judged
    /// in turn; the commands of this race are the queue.
    pub(super) fn judge(&mut self, topology: &Topology, winner: NodeIx, out: &mut Vec<Command>) {
        if self.node(winner.0).open == 0 {
            return;
        }
        let mut next = out.len();
        self.judge_sources(topology, winner.0, winner, out);
        while next < out.len() {
            let loser = out[next].node();
            self.judge_sources(topology, loser.0, winner, out);
            next += 1;
        }
    }

    fn judge_sources(
        &mut self,
        topology: &Topology,
        target: u32,
        winner: NodeIx,
        out: &mut Vec<Command>,
    ) {
        for &slot in topology.in_slots(target) {
            let source = topology.source_at(slot as usize);
            let node = self.node(source);
            let running = node.state == NodeState::Running;
            let spared = node.state.is_final() || node.asked || node.cleanup;
            let starts_anyway = !running && topology.joins()[source as usize] == Join::Settled;
            if spared || starts_anyway || self.serves(topology, source) {
                continue;
            }
            if running {
                self.node_mut(source).asked = true;
                let (node, reason) = (NodeIx(source), CancelReason::LostRace);
                out.push(Command::Cancel { node, reason });
            } else {
                self.skip(source, SkipReason::LostRace, winner, out);
            }
        }
    }

    /// Whether an unfinished node serves something. An edge that serves nothing never will again,
    /// so that the search goes on where the last one ended, and all searches of a run together
    /// look at each edge once.
    fn serves(&mut self, topology: &Topology, node: u32) -> bool {
        if !topology.leaves(node, EdgeKind::Success) {
            return true;
        }
        let end = topology.out_slots(node).end;
        let mut slot = self.serving[node as usize] as usize;
        while slot < end && !self.edge_serves(topology, slot) {
            slot += 1;
        }
        self.serving[node as usize] = slot as u32;
        slot < end
    }

    /// Whether an open edge leads to a node that still wants its source's outputs, or whose join
    /// lets the rest go on.
    fn edge_serves(&self, topology: &Topology, slot: usize) -> bool {
        let edge = &topology.out()[slot];
        let target = self.node(edge.target);
        edge.kind == EdgeKind::Success
            && match target.state {
                NodeState::Pending => true,
                NodeState::Running | NodeState::Succeeded | NodeState::Failed => {
                    !target.races && !target.asked
                }
                NodeState::Skipped | NodeState::Cancelled => false,
            }
    }
}
