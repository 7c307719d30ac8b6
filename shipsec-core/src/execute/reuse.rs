//! What a run takes over from an earlier one instead of doing it again. Written once, for every
//! executor.
//!
//! A node is the same in both runs when its digest is: that of its component and version, its
//! parameters, the values set by hand, and what its connections brought, as the logs hold it. So a
//! node that had to run again and gave the same does not make the nodes after it run again.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use super::executor::Rerun;
use crate::{
    NodeId, PortId, RunId,
    event::{ErrorPayload, Event, EventKind, Outputs},
    run::{NodeState, RunView},
    trace::{StoreError, TraceStore},
    workflow::{ActionDefinition, Definition, EdgeDefinition, EdgeKind, Plan, canonical},
};

/// Events that are read at once.
const PAGE: usize = 4096;

type Key = [u8; 32];

/// What a node left behind, as the log holds it.
#[derive(Debug, Clone)]
pub(crate) enum Left {
    Outputs(Arc<Outputs>),
    Failed(Arc<ErrorPayload>),
}

/// What a node of the earlier run gave.
#[derive(Debug)]
pub(crate) struct Done {
    key: Key,
    /// Its outputs, as recorded.
    pub(crate) outputs: Arc<Outputs>,
    /// Its active ports, where it branches.
    pub(crate) active: Option<Arc<[PortId]>>,
}

/// The outputs of an earlier run, and what the new one has left behind so far.
#[derive(Debug)]
pub(crate) struct Reuse {
    /// The earlier run.
    pub(crate) parent: RunId,
    definition: Arc<Definition>,
    entering: Entering,
    inputs: Arc<Map<String, Json>>,
    /// By index of the new plan's nodes.
    done: Vec<Option<Arc<Done>>>,
    left: HashMap<NodeId, Left>,
}

/// A run that another is to take outputs from.
#[derive(Debug)]
pub(crate) enum ReuseError {
    /// There is no such run.
    UnknownRun,
    /// The plan has no such node.
    UnknownNode(NodeId),
    Store(StoreError),
}

impl From<StoreError> for ReuseError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Reuse {
    /// Reads what an earlier run gave; `None` where nothing is to be taken over.
    pub(crate) async fn read(
        store: &Arc<dyn TraceStore>,
        rerun: &Rerun,
        plan: &Arc<Plan>,
        inputs: &Arc<Map<String, Json>>,
    ) -> Result<Option<Self>, ReuseError> {
        let mut page = store.read(&rerun.run_id, 0, PAGE).await?;
        if page.is_empty() {
            return Err(ReuseError::UnknownRun);
        }
        let definition = plan.definition().clone();
        let wanted = wanted(plan, rerun)?;
        if wanted.is_empty() {
            return Ok(None);
        }
        let mut earlier = Earlier::new(rerun.run_id.clone());
        while !page.is_empty() {
            for event in &page {
                earlier.take(event, &wanted);
            }
            page = store
                .read(&rerun.run_id, earlier.view.sequence, PAGE)
                .await?;
        }
        let mut done = earlier.done;
        Ok(Some(Self {
            parent: rerun.run_id.clone(),
            entering: Entering::of(&definition),
            inputs: inputs.clone(),
            done: plan
                .nodes
                .iter()
                .map(|node| done.remove(&node.node.id))
                .collect(),
            left: HashMap::new(),
            definition,
        }))
    }

    /// What the node at this index of the plan gave in the earlier run, where it would now do the
    /// same.
    pub(crate) fn of(&self, node: u32) -> Option<Arc<Done>> {
        let done = self.done.get(node as usize)?.as_ref()?;
        let action = self.definition.actions.get(node as usize)?;
        let edges = self.entering.edges(&self.definition, &action.node);
        let entry = self.definition.entrypoint.node == action.node;
        let inputs = entry.then_some(&*self.inputs);
        let key = key(action, edges, |node| self.left.get(node), inputs)?;
        (key == done.key).then(|| done.clone())
    }

    /// Lets a node run after all.
    pub(crate) fn forget(&mut self, node: u32) {
        if let Some(done) = self.done.get_mut(node as usize) {
            *done = None;
        }
    }

    /// Notes what a node of the new run left behind.
    pub(crate) fn note(&mut self, node: &NodeId, left: Left) {
        self.left.insert(node.clone(), left);
    }
}

/// The nodes whose outputs may be taken over, whether or not they are the same.
fn wanted(plan: &Plan, rerun: &Rerun) -> Result<HashSet<NodeId>, ReuseError> {
    let definition = plan.definition();
    let steady = || {
        let nodes = plan.nodes.iter().filter(|node| !node.definition.volatile);
        nodes.map(|node| node.node.id.clone())
    };
    let Some(from) = &rerun.from else {
        return Ok(if rerun.cached {
            steady().collect()
        } else {
            HashSet::new()
        });
    };
    if !definition.nodes.contains_key(from) {
        return Err(ReuseError::UnknownNode(from.clone()));
    }
    let reach = |next: fn(&EdgeDefinition) -> (&NodeId, &NodeId)| {
        let mut edges: HashMap<&NodeId, Vec<&NodeId>> = HashMap::new();
        for edge in &definition.edges {
            let (at, to) = next(edge);
            edges.entry(at).or_default().push(to);
        }
        let (mut reached, mut stack) = (HashSet::new(), vec![from]);
        while let Some(node) = stack.pop() {
            for next in edges.get(node).into_iter().flatten() {
                if reached.insert((*next).clone()) {
                    stack.push(next);
                }
            }
        }
        reached
    };
    let before = reach(|edge| (&edge.target_ref, &edge.source_ref));
    if !rerun.cached {
        return Ok(before);
    }
    let after = reach(|edge| (&edge.source_ref, &edge.target_ref));
    let beside = steady().filter(|node| node != from && !after.contains(node));
    Ok(beside.chain(before.iter().cloned()).collect())
}

/// The edges that enter each node, in the order of the definition.
#[derive(Debug, Default)]
struct Entering(HashMap<NodeId, Vec<u32>>);

impl Entering {
    fn of(definition: &Definition) -> Self {
        let mut entering: HashMap<NodeId, Vec<u32>> = HashMap::new();
        for (at, edge) in (0..).zip(&definition.edges) {
            entering
                .entry(edge.target_ref.clone())
                .or_default()
                .push(at);
        }
        Self(entering)
    }

    fn edges<'a>(
        &'a self,
        definition: &'a Definition,
        node: &NodeId,
    ) -> impl Iterator<Item = &'a EdgeDefinition> {
        let edges = self.0.get(node).into_iter().flatten();
        edges.filter_map(|at| definition.edges.get(*at as usize))
    }
}

/// The fold of the earlier run's log.
struct Earlier {
    view: RunView,
    definition: Option<(Arc<Definition>, Entering)>,
    actions: HashMap<NodeId, usize>,
    inputs: Arc<Map<String, Json>>,
    /// The keys of attempts that go on.
    begun: HashMap<NodeId, Option<Key>>,
    done: HashMap<NodeId, Arc<Done>>,
    left: HashMap<NodeId, Left>,
}

impl Earlier {
    fn new(run: RunId) -> Self {
        Self {
            view: RunView::new(run),
            definition: None,
            actions: HashMap::new(),
            inputs: Arc::default(),
            begun: HashMap::new(),
            done: HashMap::new(),
            left: HashMap::new(),
        }
    }

    fn take(&mut self, event: &Event, wanted: &HashSet<NodeId>) {
        let state = |view: &RunView| {
            let node = view.node(event.node_id()?.as_str());
            node.map(|node| node.state)
        };
        let before = state(&self.view);
        self.view.apply(event);
        if let EventKind::WorkflowStatus(payload) = &event.kind {
            if let (None, Some(definition)) = (&self.definition, &payload.definition) {
                let definition = definition.get().clone();
                let actions = definition.actions.iter().enumerate();
                self.actions = actions
                    .map(|(at, action)| (action.node.clone(), at))
                    .collect();
                self.definition = Some((definition.clone(), Entering::of(&definition)));
                self.inputs = payload.inputs.clone().unwrap_or_default();
            }
            return;
        }
        let Some(node) = event.node_id() else { return };
        if let EventKind::NodeStarted(_) = event.kind {
            if wanted.contains(node) {
                let key = self.key(node);
                self.begun.insert(node.clone(), key);
            }
            return;
        }
        let after = state(&self.view);
        if before.is_some_and(NodeState::is_final) || !after.is_some_and(NodeState::is_final) {
            return;
        }
        let Some(view) = self.view.node(node.as_str()) else {
            return;
        };
        if let (NodeState::Completed, Some(outputs)) = (view.state, &view.outputs) {
            self.left
                .insert(node.clone(), Left::Outputs(outputs.clone()));
            if let Some(Some(key)) = self.begun.remove(node) {
                let done = Done {
                    key,
                    outputs: outputs.clone(),
                    active: view.active_ports.clone(),
                };
                self.done.insert(node.clone(), Arc::new(done));
            }
        } else if let (NodeState::Failed, Some(error)) = (view.state, &view.error) {
            self.left.insert(node.clone(), Left::Failed(error.clone()));
        }
    }

    fn key(&self, node: &NodeId) -> Option<Key> {
        let (definition, entering) = self.definition.as_ref()?;
        let action = definition.actions.get(*self.actions.get(node)?)?;
        let edges = entering.edges(definition, node);
        let entry = definition.entrypoint.node == *node;
        let inputs = entry.then_some(&*self.inputs);
        key(action, edges, |node| self.left.get(node), inputs)
    }
}

/// The digest of what decides what a node gives; `None` where something has no digest, such as a
/// secret without a name.
fn key<'a>(
    action: &ActionDefinition,
    edges: impl Iterator<Item = &'a EdgeDefinition>,
    left: impl Fn(&NodeId) -> Option<&'a Left>,
    inputs: Option<&Map<String, Json>>,
) -> Option<Key> {
    let mut digest = Keyed(Sha256::new());
    digest.text(action.component_id.as_str());
    digest.text(&action.component_version);
    digest.json(&action.params)?;
    digest.json(&action.input_overrides)?;
    digest.json(&action.for_each)?;
    digest.json(&inputs)?;
    let mut edges: Vec<_> = edges
        .filter_map(|edge| Some((edge.target_handle.as_ref()?, edge)))
        .collect();
    // Stable: several edges into one port stay in their order, which is that of the list.
    edges.sort_by_key(|(port, _)| *port);
    for (port, edge) in edges {
        digest.text(port.as_str());
        match (left(&edge.source_ref), edge.kind, &edge.source_handle) {
            (Some(Left::Outputs(outputs)), EdgeKind::Success | EdgeKind::Finally, handle) => {
                digest.outputs(outputs, handle.as_ref())?;
            }
            (Some(Left::Failed(error)), EdgeKind::Error | EdgeKind::Finally, None) => {
                digest.json(error)?;
            }
            _ => digest.text("nothing"),
        }
    }
    Some(digest.0.finalize().into())
}

struct Keyed(Sha256);

impl Keyed {
    /// Each text with its length, so that two of them are not taken for one.
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn json(&mut self, value: &impl Serialize) -> Option<()> {
        self.tree(&serde_json::to_value(value).ok()?);
        Some(())
    }

    fn tree(&mut self, tree: &Json) {
        let mut text = Vec::new();
        canonical(tree, &mut text);
        self.bytes(&text);
    }

    /// The name of a port, where it is one of several.
    fn name(&mut self, id: &PortId, only: Option<&PortId>) {
        if only.is_none() {
            self.text(id.as_str());
        }
    }

    /// The value of a port, whatever its name, or of all of them by name.
    fn outputs(&mut self, outputs: &Outputs, port: Option<&PortId>) -> Option<()> {
        let wanted = |id: &PortId| port.is_none_or(|port| port == id);
        if let Some(notes) = outputs.notes.as_deref() {
            for (id, stored) in notes.refs.iter().filter(|(id, _)| wanted(id)) {
                self.name(id, port);
                self.text(&stored.sha256);
            }
            for (id, secret) in notes.secrets.iter().filter(|(id, _)| wanted(id)) {
                self.name(id, port);
                self.text(secret.as_ref()?.as_str());
            }
            for note in notes.masked.iter().filter(|note| wanted(&note.port)) {
                self.name(&note.port, port);
                self.text(note.secret.as_ref()?.as_str());
                self.json(&(&note.pointer, note.offset, &note.encoding))?;
            }
        }
        let mut values: Vec<_> = outputs.iter().filter(|(id, _)| wanted(id)).collect();
        values.sort_by_key(|(id, _)| *id);
        for (id, value) in values {
            self.name(id, port);
            let mut text = Vec::new();
            value.write_json(&mut text).ok()?;
            self.tree(&serde_json::from_slice(&text).ok()?);
        }
        Some(())
    }
}
