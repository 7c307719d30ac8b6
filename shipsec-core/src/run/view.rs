//! The reducer.

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashMap;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::NodeView;
use crate::{
    NodeId, RunId, WorkflowId,
    event::{
        DefinitionSource, Event, EventKind, Failure, HashSource, Outputs, StatusPayload, Timestamp,
        Trigger, WorkflowStatus,
    },
    workflow::Definition,
};

/// What became of an event that a view was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Applied {
    /// It was the next one.
    Applied,
    /// The view has it already; nothing changed.
    Duplicate,
    /// Events before it are missing; nothing changed.
    Gap {
        /// The sequence number that the view waits for.
        expected: u64,
    },
}

/// A run as its log shows it, up to some event: `state(events[..n])`.
///
/// Live view, replay, status and resume all fold with it. Events count by their sequence alone;
/// their timestamps decide nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunView {
    /// The run.
    pub run_id: RunId,
    /// Sequence number of the last event; 0 before the first.
    pub sequence: u64,
    /// Its status; `STALE` before the first event that tells one.
    pub status: WorkflowStatus,
    /// The workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<WorkflowId>,
    /// Hash of the definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition_hash: Option<HashSource>,
    /// What runs.
    #[serde(skip)]
    pub definition: Option<DefinitionSource>,
    /// The run's inputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Arc<Map<String, Json>>>,
    /// What set it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// Which executor runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor: Option<String>,
    /// The queue it was put into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_queue: Option<String>,
    /// Time of the first event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Time of the last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// Time of the event with a final status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// How many nodes are in a final state.
    pub finished_nodes: usize,
    /// The nodes, in the order of the definition; nodes that it does not have, at the end.
    nodes: Vec<(NodeId, NodeView)>,
    #[serde(skip)]
    index: HashMap<NodeId, usize>,
}

impl RunView {
    /// A run of which nothing is known.
    pub fn new(run_id: RunId) -> Self {
        Self {
            run_id,
            sequence: 0,
            status: WorkflowStatus::Stale,
            workflow_id: None,
            definition_hash: None,
            definition: None,
            inputs: None,
            trigger: None,
            executor: None,
            task_queue: None,
            started_at: None,
            updated_at: None,
            completed_at: None,
            failure: None,
            finished_nodes: 0,
            nodes: Vec::new(),
            index: HashMap::new(),
        }
    }

    /// A run after these events.
    pub fn from_events<'a>(run_id: RunId, events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut view = Self::new(run_id);
        for event in events {
            view.apply(event);
        }
        view
    }

    /// Takes the next event.
    pub fn apply(&mut self, event: &Event) -> Applied {
        let expected = self.sequence + 1;
        if event.sequence < expected {
            return Applied::Duplicate;
        }
        if event.sequence > expected {
            return Applied::Gap { expected };
        }
        self.sequence = event.sequence;
        self.started_at.get_or_insert(event.timestamp);
        self.updated_at = Some(event.timestamp);
        if let EventKind::WorkflowStatus(payload) = &event.kind {
            self.apply_status(payload, event.timestamp);
        } else if let Some(node) = event.node_id() {
            let node = self.node_mut(node);
            let was_final = node.state.is_final();
            node.apply(&event.record);
            let ended = node.state.is_final() && !was_final;
            self.finished_nodes += usize::from(ended);
        }
        Applied::Applied
    }

    fn apply_status(&mut self, payload: &StatusPayload, at: Timestamp) {
        if let Some(definition) = &payload.definition
            && self.definition.is_none()
        {
            for action in &definition.get().actions {
                self.node_mut(&action.node);
            }
            self.definition = Some(definition.clone());
        }
        let first = |own: &mut Option<_>, other: &Option<_>| {
            if own.is_none() {
                own.clone_from(other);
            }
        };
        first(&mut self.executor, &payload.executor);
        first(&mut self.task_queue, &payload.task_queue);
        if self.workflow_id.is_none() {
            self.workflow_id.clone_from(&payload.workflow_id);
        }
        if self.definition_hash.is_none() {
            self.definition_hash.clone_from(&payload.definition_hash);
        }
        if self.inputs.is_none() {
            self.inputs.clone_from(&payload.inputs);
        }
        if self.trigger.is_none() {
            self.trigger.clone_from(&payload.trigger);
        }
        // A final status is final.
        if self.status.is_final() {
            return;
        }
        self.status = payload.status;
        if payload.failure.is_some() {
            self.failure.clone_from(&payload.failure);
        }
        if payload.status.is_final() {
            self.completed_at = Some(at);
        }
    }

    fn node_mut(&mut self, id: &NodeId) -> &mut NodeView {
        let at = match self.index.get(id) {
            Some(at) => *at,
            None => {
                self.nodes.push((id.clone(), NodeView::default()));
                self.index.insert(id.clone(), self.nodes.len() - 1);
                self.nodes.len() - 1
            }
        };
        &mut self.nodes[at].1
    }

    /// A node.
    pub fn node(&self, id: &str) -> Option<&NodeView> {
        self.index.get(id).map(|at| &self.nodes[*at].1)
    }

    /// The nodes, in the order of the definition.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (&NodeId, &NodeView)> {
        self.nodes.iter().map(|(id, node)| (id, node))
    }

    /// The definition, once the log tells it.
    pub fn definition(&self) -> Option<&Arc<Definition>> {
        self.definition.as_ref().map(DefinitionSource::get)
    }

    /// Outputs of the nodes that have completed, by node.
    pub fn outputs(&self) -> BTreeMap<&NodeId, &Arc<Outputs>> {
        self.nodes()
            .filter_map(|(id, node)| Some((id, node.outputs.as_ref()?)))
            .collect()
    }
}
