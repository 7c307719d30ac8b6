//! Stopping a run: what is cancelled, and what still runs to clean up.

use super::command::{CancelReason, Command, NodeState};
use super::progress::Progress;
use super::topology::{EdgeKind, NodeIx, Topology};

impl Progress {
    /// Cancels everything but clean-up. Edges resolve when `cascade` comes to the commands.
    pub(super) fn stop(
        &mut self,
        topology: &Topology,
        reason: CancelReason,
        out: &mut Vec<Command>,
    ) {
        self.mark_cleanup(topology);
        for (at, slot) in self.nodes.iter_mut().enumerate() {
            if slot.cleanup {
                continue;
            }
            let node = NodeIx(at as u32);
            match slot.state {
                NodeState::Pending => {
                    slot.state = NodeState::Cancelled;
                    self.pending -= 1;
                    out.push(Command::Cancelled { node, reason });
                }
                NodeState::Running if !slot.asked => {
                    slot.asked = true;
                    out.push(Command::Cancel { node, reason });
                }
                _ => {}
            }
        }
    }

    /// Clean-up is every unfinished node behind a `finally` edge of a node that has started, or of
    /// other clean-up, which will start. A node that was asked to stop stays so.
    fn mark_cleanup(&mut self, topology: &Topology) {
        let mut behind = Vec::new();
        for node in 0..self.nodes.len() as u32 {
            if self.node(node).started {
                behind.push(node);
            }
            while let Some(source) = behind.pop() {
                if !topology.leaves(source, EdgeKind::Finally) {
                    continue;
                }
                for slot in topology.out_slots(source) {
                    let edge = &topology.out()[slot];
                    let target = self.node_mut(edge.target);
                    if edge.kind == EdgeKind::Finally
                        && !target.state.is_final()
                        && !target.asked
                        && !target.cleanup
                    {
                        target.cleanup = true;
                        behind.push(edge.target);
                    }
                }
            }
        }
    }

    /// Ends everything that is not final.
    pub(super) fn kill(&mut self, out: &mut Vec<Command>) {
        for (at, slot) in self.nodes.iter_mut().enumerate() {
            if !slot.state.is_final() {
                slot.state = NodeState::Cancelled;
                let (node, reason) = (NodeIx(at as u32), CancelReason::Terminated);
                out.push(Command::Cancelled { node, reason });
            }
        }
        self.pending = 0;
        self.running = 0;
    }
}
