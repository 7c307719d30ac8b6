//! At which events each node changed.

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::{
    NodeId,
    event::{Event, EventKind},
    run::{NodeCounts, NodeState, RunView},
};

/// Sequence numbers by node, ascending. Most nodes start and end, and do nothing else.
#[derive(Debug, Default)]
pub(super) struct Changes(HashMap<NodeId, SmallVec<[u64; 2]>>);

/// Where a node is: what counts as a change of it.
type Stage = (NodeState, u32);

/// What is known before an event that it may change.
#[derive(Debug)]
pub(super) struct Before {
    counts: NodeCounts,
    /// Of the event's own node.
    stage: Option<Stage>,
    /// Of all, where the event may end any node.
    all: Option<HashMap<NodeId, Stage>>,
}

impl Before {
    pub(super) fn of(view: &RunView, event: &Event) -> Self {
        let ends = matches!(&event.kind, EventKind::WorkflowStatus(payload)
            if payload.status.is_final() && !view.status.is_final());
        let stages = || {
            let nodes = view.nodes();
            nodes.map(|(id, node)| (id.clone(), (node.state, node.attempt)))
        };
        let moving = event.node_id().filter(|_| moves(&event.kind));
        Self {
            counts: view.counts,
            stage: moving.map(|id| stage(view, id)),
            all: ends.then(|| stages().collect()),
        }
    }
}

/// Whether it may change an attempt, or a state without the counts of states.
fn moves(kind: &EventKind) -> bool {
    !matches!(
        kind,
        EventKind::NodeLog(_) | EventKind::NodeProgress(_) | EventKind::NodeArtifact(_)
    )
}

/// A node that the view does not have yet is one to which nothing has happened.
fn stage(view: &RunView, id: &NodeId) -> Stage {
    let node = view.node(id.as_str());
    node.map_or_else(Stage::default, |node| (node.state, node.attempt))
}

impl Changes {
    /// Notes what an event changed; the view has it now.
    pub(super) fn note(&mut self, before: Before, view: &RunView, event: &Event) {
        if let Some(id) = event.node_id() {
            let changed = match before.stage {
                Some(stage_before) => stage(view, id) != stage_before,
                // A node that appears as pending changes the counts, and has not changed.
                None => {
                    before.counts != view.counts && {
                        let mut appeared = before.counts;
                        appeared.pending += 1;
                        appeared != view.counts
                    }
                }
            };
            if changed {
                self.add(id, event.sequence);
            }
        }
        let Some(all) = &before.all else { return };
        for (id, node) in view.nodes() {
            let before = all.get(id).copied().unwrap_or_default();
            if before != (node.state, node.attempt) {
                self.add(id, event.sequence);
            }
        }
    }

    fn add(&mut self, id: &NodeId, sequence: u64) {
        match self.0.get_mut(id) {
            Some(changes) if changes.last() == Some(&sequence) => {}
            Some(changes) => changes.push(sequence),
            None => drop(self.0.insert(id.clone(), SmallVec::from_slice(&[sequence]))),
        }
    }

    /// Where the node changed.
    pub(super) fn of(&self, node: &str) -> &[u64] {
        self.0.get(node).map_or(&[], |changes| changes.as_slice())
    }

    pub(super) fn bytes(&self) -> usize {
        // Those that do not fit in place are few, and not looked for.
        self.0.allocation_size()
    }
}
