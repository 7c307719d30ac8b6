//! The reducer.
//!
//! Long because what an event changes is decided in one place.

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashMap;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};

use super::{
    ItemsView, LogCounts, NodeCounts, NodeState, NodeView,
    chunks::Chunks,
    items::{ItemList, item_of},
    shape::Shape,
};
use crate::{
    NodeId, RunId, WorkflowId,
    event::{
        ArtifactPayload, ComponentRef, Event, EventKind, Failure, HashSource, NodeRef, Outputs,
        ParentRun, StatusPayload, StopCause, Timestamp, Trigger, WorkflowStatus,
    },
    schedule::EdgeState,
    workflow::{Definition, EdgeDefinition, EdgeKind},
};

/// Edges whose states lie together; a state takes one byte.
const EDGES: usize = 1024;

/// What became of an event that a view was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Applied {
    /// It was the next one.
    Taken,
    /// The view has it already; nothing changed.
    Duplicate,
    /// Events before it are missing; nothing changed. Give them first, then this one again.
    Gap {
        /// The sequence number that the view waits for.
        expected: u64,
    },
    /// It belongs to another run; nothing changed.
    OtherRun,
}

/// An artifact of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ArtifactView {
    /// The node that made it.
    pub node_id: NodeId,
    /// In which attempt, from 1.
    pub attempt: u32,
    /// When.
    pub stored_at: Timestamp,
    /// Its id, name, media type, size, digest and place.
    #[serde(flatten)]
    pub artifact: ArtifactPayload,
}

/// An edge of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EdgeView<'a> {
    /// What it connects.
    #[serde(flatten)]
    pub edge: &'a EdgeDefinition,
    /// Whether it has fired. It resolves when its source ends.
    pub state: EdgeState,
}

/// A run as its log shows it, up to some event: `state(events[..n])`. [`run`](super) tells the
/// rules.
///
/// Applying an event takes constant time. A copy shares the nodes with what it was copied from,
/// in chunks, until one of them changes; it is cheap enough to keep many along a log.
///
/// ```
/// use shipsec_core::{RunId, event::Event, run::{NodeState, RunView, StatusReport}};
///
/// let events: Vec<Event> = [
///     r#"{"runId":"r","sequence":1,"type":"WORKFLOW_STATUS","timestamp":"2025-10-16T09:12:03Z",
///         "payload":{"status":"RUNNING"}}"#,
///     r#"{"runId":"r","sequence":2,"type":"NODE_STARTED","timestamp":"2025-10-16T09:12:03Z",
///         "nodeId":"scan","attempt":1,
///         "payload":{"componentId":"a.b","componentVersion":"1.0.0","joinStrategy":"all"}}"#,
/// ]
/// .iter()
/// .map(|line| serde_json::from_str(line).unwrap())
/// .collect();
/// let view = RunView::from_events(RunId::parse("r").unwrap(), &events);
/// assert_eq!(view.node("scan").unwrap().state, NodeState::Running);
/// assert_eq!(StatusReport::from(&view).progress.total_actions, 1);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunView {
    /// The run.
    pub run_id: RunId,
    /// Sequence number of the last event; 0 before the first.
    pub sequence: u64,
    /// Its status: what the last `WORKFLOW_STATUS` says, and `STALE` before the first.
    pub status: WorkflowStatus,
    /// The workflow.
    pub workflow_id: Option<WorkflowId>,
    /// Hash of the definition.
    pub definition_hash: Option<HashSource>,
    /// The run's inputs.
    pub inputs: Option<Arc<Map<String, Json>>>,
    /// What set it off.
    pub trigger: Option<Trigger>,
    /// The run that it belongs to.
    pub parent: Option<ParentRun>,
    /// Why it is being stopped, as long as it has not ended.
    pub stopping: Option<StopCause>,
    /// Which executor runs it.
    pub executor: Option<String>,
    /// The queue it was put into.
    pub task_queue: Option<String>,
    /// Time of the first event.
    pub started_at: Option<Timestamp>,
    /// Time of the last event.
    pub updated_at: Option<Timestamp>,
    /// Time of the event with a final status.
    pub completed_at: Option<Timestamp>,
    /// Why it failed.
    pub failure: Option<Arc<Failure>>,
    /// How many nodes are in which state.
    pub counts: NodeCounts,
    /// Log lines of all nodes and of the run itself.
    pub log_counts: LogCounts,
    /// How many events came too late to change anything.
    pub late_events: u64,
    /// How many events are of a type that this version does not know.
    pub unknown_events: u64,
    said_outputs: Option<Arc<BTreeMap<NodeId, Arc<Outputs>>>>,
    shape: Option<Arc<Shape>>,
    /// Shared one by one, so that a copy pays for the nodes that change and not for their
    /// neighbours.
    nodes: Chunks<Arc<NodeView>>,
    /// Items of planned nodes, by place of the node.
    items: Arc<BTreeMap<usize, ItemList>>,
    /// Places of nodes that are not planned.
    unplanned: Arc<HashMap<NodeId, u32>>,
    /// By index of the definition's edges.
    edges: Chunks<EdgeState, EDGES>,
    artifacts: Chunks<Arc<ArtifactView>>,
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
            inputs: None,
            trigger: None,
            parent: None,
            stopping: None,
            executor: None,
            task_queue: None,
            started_at: None,
            updated_at: None,
            completed_at: None,
            failure: None,
            counts: NodeCounts::default(),
            log_counts: LogCounts::default(),
            late_events: 0,
            unknown_events: 0,
            said_outputs: None,
            shape: None,
            nodes: Chunks::default(),
            items: Arc::default(),
            unplanned: Arc::default(),
            edges: Chunks::default(),
            artifacts: Chunks::default(),
        }
    }

    /// A run after these events, as far as they follow one another: what is beyond a gap is left
    /// out, and [`sequence`](Self::sequence) tells how far it came.
    pub fn from_events<'a>(run_id: RunId, events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut view = Self::new(run_id);
        for event in events {
            view.apply(event);
        }
        view
    }

    /// Takes the next event.
    pub fn apply(&mut self, event: &Event) -> Applied {
        if event.run_id != self.run_id {
            return Applied::OtherRun;
        }
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
        if matches!(event.kind, EventKind::NodeLog(_)) {
            self.log_counts.add(event.level);
        }
        let in_time = match (&event.kind, &event.node) {
            (EventKind::WorkflowStatus(payload), _) => self.apply_status(payload, event.timestamp),
            (EventKind::Unknown(_), _) => {
                self.unknown_events += 1;
                true
            }
            (_, Some(node)) => self.apply_node(node, event),
            // A line of the run's own log; nothing else can be without a node.
            (kind, None) => matches!(kind, EventKind::NodeLog(_)),
        };
        self.late_events += u64::from(!in_time);
        Applied::Taken
    }

    fn apply_node(&mut self, node: &NodeRef, event: &Event) -> bool {
        if let EventKind::NodeArtifact(payload) = &event.kind {
            self.artifacts.push(Arc::new(ArtifactView {
                node_id: node.id.clone(),
                attempt: event.attempt,
                stored_at: event.timestamp,
                artifact: (**payload).clone(),
            }));
        }
        if node.hint().is_none()
            && let Some((place, index)) = self.item(node.id.as_str())
        {
            let closed = self.status.is_final()
                || self
                    .nodes
                    .get(place)
                    .is_some_and(|node| node.state.is_final());
            let items = Arc::make_mut(&mut self.items).entry(place).or_default();
            // An item of a node that has ended is late whatever it says.
            let applied = match closed && items.get(index).is_none() {
                true => Some(false),
                false => items.apply(index, &node.id, &event.record),
            };
            if let Some(in_time) = applied {
                return in_time && !closed;
            }
        }
        let place = self.place(node, event.timestamp);
        self.change(place, |node| node.apply(&event.record))
            .unwrap_or(false)
    }

    /// The place of the node and the index, where it is an item of a planned node.
    fn item(&self, id: &str) -> Option<(usize, u32)> {
        let shape = self.shape.as_ref()?;
        let (node, index) = item_of(id).filter(|_| !shape.places.contains_key(id))?;
        let place = *shape.places.get(node)? as usize;
        let action = shape.definition.actions.get(place)?;
        action.for_each.as_ref().map(|_| (place, index))
    }

    fn apply_status(&mut self, payload: &StatusPayload, at: Timestamp) -> bool {
        use WorkflowStatus::{Queued, Stale};
        let status = payload.status;
        // A final status is final, nothing goes back into the queue, and only readers say stale.
        if self.status.is_final() || status == Stale || (status == Queued && self.status != Stale) {
            return false;
        }
        if let (None, Some(definition)) = (&self.shape, &payload.definition) {
            self.plan(definition.get().clone());
        }
        first(&mut self.workflow_id, &payload.workflow_id);
        first(&mut self.definition_hash, &payload.definition_hash);
        first(&mut self.inputs, &payload.inputs);
        first(&mut self.trigger, &payload.trigger);
        first(&mut self.parent, &payload.parent);
        self.stopping = match status.is_final() {
            true => None,
            false => payload.stopping.or(self.stopping),
        };
        // Another executor may take a run over.
        latest(&mut self.executor, &payload.executor);
        latest(&mut self.task_queue, &payload.task_queue);
        self.status = status;
        if status.is_final() {
            self.completed_at = Some(at);
            self.failure = payload.failure.clone().map(Arc::new);
            self.said_outputs = payload.outputs.as_ref().map(|outputs| {
                let outputs = outputs.iter();
                let shared = outputs.map(|(id, outputs)| (id.clone(), Arc::new(outputs.clone())));
                Arc::new(shared.collect())
            });
            for items in Arc::make_mut(&mut self.items).values_mut() {
                items.end_with_run(at);
            }
            if self.counts.finished() < self.nodes.len() {
                for place in 0..self.nodes.len() {
                    self.change(place, |node| match node.state.is_final() {
                        true => false,
                        false => {
                            node.end_with_run(at);
                            true
                        }
                    });
                }
            }
        }
        true
    }

    /// Lets `change` change a node, and draws the consequences.
    fn change(&mut self, place: usize, change: impl FnOnce(&mut NodeView) -> bool) -> Option<bool> {
        let node = Arc::make_mut(self.nodes.get_mut(place)?);
        let before = node.state;
        let result = change(node);
        let after = node.state;
        if before != after {
            *self.counts.of(before) -= 1;
            *self.counts.of(after) += 1;
            if after.is_final() {
                self.resolve(place);
            }
        }
        Some(result)
    }

    /// Resolves the edges that leave a node which has ended.
    fn resolve(&mut self, place: usize) {
        if let (Some(shape), Some(node)) = (&self.shape, self.nodes.get(place)) {
            for edge in shape.leaving(place) {
                let definition = &shape.definition.edges[*edge as usize];
                if let Some(state) = self.edges.get_mut(*edge as usize) {
                    *state = resolved(definition, node);
                }
            }
        }
    }

    /// Takes the definition: each of its nodes is there from now on, in its order.
    fn plan(&mut self, definition: Arc<Definition>) {
        let (shape, order) = Shape::new(definition.clone());
        let seen = std::mem::take(&mut self.nodes);
        let old = std::mem::take(&mut self.unplanned);
        let mut components: HashMap<(&str, &str), Arc<ComponentRef>> = HashMap::new();
        for (at, id) in order.into_iter().enumerate() {
            let before = old.get(&id).and_then(|place| seen.get(*place as usize));
            let mut node = before.cloned().unwrap_or_else(|| NodeView::new(id).into());
            let action = definition.actions.get(at);
            if let Some(action) = action.filter(|action| action.node == node.node_id) {
                let name = (action.component_id.as_str(), &*action.component_version);
                let make = || {
                    Arc::new(ComponentRef {
                        component_id: action.component_id.clone(),
                        component_version: action.component_version.clone(),
                    })
                };
                let planned = components.entry(name).or_insert_with(make);
                let node = Arc::make_mut(&mut node);
                node.component.get_or_insert_with(|| planned.clone());
            }
            self.nodes.push(node);
        }
        let unplanned = Arc::make_mut(&mut self.unplanned);
        for node in seen.iter() {
            if !shape.places.contains_key(&node.node_id) {
                unplanned.insert(node.node_id.clone(), self.nodes.len() as u32);
                self.nodes.push(node.clone());
            }
        }
        self.edges = Chunks::filled(EdgeState::Open, definition.edges.len());
        self.shape = Some(Arc::new(shape));
        self.counts = NodeCounts::default();
        for place in 0..self.nodes.len() {
            let state = self
                .nodes
                .get(place)
                .map(|node| node.state)
                .unwrap_or_default();
            *self.counts.of(state) += 1;
            if state.is_final() {
                self.resolve(place);
            }
        }
    }

    /// The place of a node, which it gets now if it has none.
    fn place(&mut self, node: &NodeRef, at: Timestamp) -> usize {
        let hinted = node.hint().filter(|hint| {
            self.nodes
                .get(*hint)
                .is_some_and(|view| view.node_id == node.id)
        });
        if let Some(place) = hinted.or_else(|| self.find(node.id.as_str())) {
            return place;
        }
        let place = self.nodes.len();
        let mut view = NodeView::new(node.id.clone());
        if self.status.is_final() {
            view.end_with_run(at);
        }
        *self.counts.of(view.state) += 1;
        self.nodes.push(view.into());
        Arc::make_mut(&mut self.unplanned).insert(node.id.clone(), place as u32);
        place
    }

    fn find(&self, id: &str) -> Option<usize> {
        let planned = self.shape.as_ref().and_then(|shape| shape.places.get(id));
        planned
            .or_else(|| self.unplanned.get(id))
            .map(|place| *place as usize)
    }

    /// About how many bytes it takes beside `before`, an earlier state that it was copied from.
    pub(super) fn bytes_beside(&self, before: &Self) -> usize {
        let mut bytes = size_of::<Self>()
            + self.nodes.spine_bytes()
            + self.edges.spine_bytes()
            + self.artifacts.spine_bytes();
        for (first, nodes) in self.nodes.unshared(&before.nodes) {
            bytes += size_of_val(nodes);
            for (at, node) in nodes.iter().enumerate() {
                let before = before.nodes.get(first + at);
                if before.is_none_or(|before| !Arc::ptr_eq(node, before)) {
                    bytes += node.bytes_beside(before.map(|before| &**before));
                }
            }
        }
        let edges = self.edges.unshared(&before.edges);
        bytes += edges.map(|(_, edges)| size_of_val(edges)).sum::<usize>();
        let artifacts = self.artifacts.unshared(&before.artifacts);
        bytes += artifacts
            .map(|(_, chunk)| size_of_val(chunk))
            .sum::<usize>();
        if !Arc::ptr_eq(&self.items, &before.items) {
            bytes += self.items.values().map(ItemList::bytes).sum::<usize>();
        }
        if !Arc::ptr_eq(&self.unplanned, &before.unplanned) {
            bytes += self.unplanned.allocation_size();
        }
        bytes
    }

    /// The place of a node, as [`node_at`](Self::node_at) takes it.
    pub(crate) fn place_of(&self, id: &NodeId) -> Option<usize> {
        self.find(id.as_str())
    }

    /// The node at a place: the planned ones in the order of the definition's actions, then others.
    pub(crate) fn node_at(&self, place: usize) -> Option<&NodeView> {
        self.nodes.get(place).map(|node| &**node)
    }

    /// A node, or an item of one.
    pub fn node(&self, id: &str) -> Option<&NodeView> {
        if let Some(place) = self.find(id) {
            return self.nodes.get(place).map(|node| &**node);
        }
        let (place, index) = self.item(id)?;
        self.items.get(&place)?.get(index)
    }

    /// The items of a node that runs once for each, as far as they have begun.
    pub fn items(&self, node: &str) -> Option<ItemsView<'_>> {
        Some(self.items.get(&self.find(node)?)?.view())
    }

    /// The items at a place.
    pub(crate) fn items_at(&self, place: usize) -> Option<ItemsView<'_>> {
        Some(self.items.get(&place)?.view())
    }

    /// The place of the node and the index, of an item.
    pub(crate) fn item_place(&self, id: &NodeId) -> Option<(usize, u32)> {
        self.item(id.as_str())
    }

    /// The nodes in the order of the definition; those that it does not have, at the end.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (&NodeId, &NodeView)> {
        self.nodes.iter().map(|node| (&node.node_id, &**node))
    }

    /// The edges in the order of the definition.
    pub fn edges(&self) -> impl Iterator<Item = EdgeView<'_>> {
        let definition = self.definition().into_iter();
        let edges = definition.flat_map(|definition| &definition.edges);
        edges.zip(self.edges.iter()).map(|(edge, state)| EdgeView {
            edge,
            state: *state,
        })
    }

    /// The artifacts, in the order in which they were stored.
    pub fn artifacts(&self) -> impl ExactSizeIterator<Item = &ArtifactView> {
        self.artifacts.iter().map(|artifact| &**artifact)
    }

    /// The definition, once the log tells it.
    pub fn definition(&self) -> Option<&Arc<Definition>> {
        self.shape.as_ref().map(|shape| &shape.definition)
    }

    /// Outputs of the nodes that have completed, by node.
    pub fn outputs(&self) -> BTreeMap<&NodeId, &Arc<Outputs>> {
        self.nodes()
            .filter_map(|(id, node)| Some((id, node.outputs.as_ref()?)))
            .collect()
    }

    /// The run's own outputs, once it has completed: those of the nodes that nothing depends on.
    /// What the last event says, else what the nodes said themselves.
    pub fn run_outputs(&self) -> BTreeMap<&NodeId, &Arc<Outputs>> {
        if let Some(outputs) = &self.said_outputs {
            return outputs.iter().collect();
        }
        let completed = self.status == WorkflowStatus::Completed;
        let shape = self.shape.as_ref().filter(|_| completed);
        shape.map_or_else(BTreeMap::new, |shape| {
            let nodes = self.nodes().take(shape.places.len()).enumerate();
            let last = nodes.filter(|(place, _)| shape.leaving(*place).is_empty());
            last.filter_map(|(_, (id, node))| Some((id, node.outputs.as_ref()?)))
                .collect()
        })
    }
}

/// What an edge resolves to once its source has ended.
fn resolved(edge: &EdgeDefinition, source: &NodeView) -> EdgeState {
    let fires = match edge.kind {
        EdgeKind::Success => {
            source.state == NodeState::Completed
                && match (&edge.source_handle, &source.active_ports) {
                    (Some(port), Some(active)) => active.contains(port),
                    _ => true,
                }
        }
        EdgeKind::Error => source.state == NodeState::Failed,
        EdgeKind::Finally => true,
    };
    match fires {
        true => EdgeState::Fired,
        false => EdgeState::Dead,
    }
}

fn first<T: Clone>(own: &mut Option<T>, said: &Option<T>) {
    if own.is_none() {
        own.clone_from(said);
    }
}

fn latest<T: Clone>(own: &mut Option<T>, said: &Option<T>) {
    if said.is_some() {
        own.clone_from(said);
    }
}

impl Serialize for RunView {
    /// The whole state save the definition, the same bytes for the same events.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Out<'a> {
            sequence: u64,
            #[serde(flatten)]
            status: super::StatusReport,
            #[serde(skip_serializing_if = "Option::is_none")]
            stopping: Option<StopCause>,
            #[serde(skip_serializing_if = "Option::is_none")]
            inputs: Option<&'a Map<String, Json>>,
            counts: NodeCounts,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            items: BTreeMap<&'a NodeId, NodeCounts>,
            log_counts: LogCounts,
            late_events: u64,
            unknown_events: u64,
            nodes: Vec<&'a NodeView>,
            edges: Vec<EdgeView<'a>>,
            artifacts: Vec<&'a ArtifactView>,
        }
        Out {
            sequence: self.sequence,
            status: self.into(),
            stopping: self.stopping,
            inputs: self.inputs.as_deref(),
            counts: self.counts,
            items: self
                .items
                .iter()
                .filter_map(|(place, items)| {
                    Some((&self.nodes.get(*place)?.node_id, items.view().counts()))
                })
                .collect(),
            log_counts: self.log_counts,
            late_events: self.late_events,
            unknown_events: self.unknown_events,
            nodes: self.nodes.iter().map(|node| &**node).collect(),
            edges: self.edges().collect(),
            artifacts: self.artifacts().collect(),
        }
        .serialize(serializer)
    }
}
