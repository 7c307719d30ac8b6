//! Two views, node by node.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use hashbrown::{HashMap, HashSet};
use serde_json::{Map, Value as Json, json};

use super::{Change, Class, DiffOptions, RunDiff, RunSide, values::compare};
use crate::{
    NodeId, PortId,
    event::{Outputs, ValueRef},
    run::{NodeView, RunView},
    workflow::{ActionDefinition, EdgeDefinition},
};

/// Compares two runs.
pub fn diff(a: &RunView, b: &RunView, options: &DiffOptions) -> RunDiff {
    let (left, right) = (Side::new(a), Side::new(b));
    let mut told = Told {
        options,
        changes: Vec::new(),
        counts: BTreeMap::new(),
        omitted: 0,
        following: 0,
        changed: HashSet::new(),
        component: None,
    };
    told.run(a, b);
    for (id, node) in b.nodes() {
        match a.node(id.as_str()) {
            None => told.one_side(Class::Added, id, None, Some(summary(node))),
            Some(before) => {
                told.component = node
                    .component
                    .as_ref()
                    .map(|component| component.component_id.to_string());
                told.node(id, before, node, (&left, &right));
            }
        }
    }
    told.component = None;
    for (id, node) in a.nodes().filter(|(id, _)| b.node(id.as_str()).is_none()) {
        told.one_side(Class::Removed, id, Some(summary(node)), None);
    }
    told.edges(&left, &right);
    told.changes.sort_by_key(|change| change.class);
    let same = |id: &NodeId| a.node(id.as_str()).is_some() && !told.changed.contains(id);
    let unchanged = b.nodes().filter(|(id, _)| same(id)).count();
    RunDiff {
        a: RunSide::from(a),
        b: RunSide::from(b),
        counts: told.counts,
        following: told.following,
        changes: told.changes,
        omitted: told.omitted,
        unchanged_nodes: unchanged,
    }
}

/// Outputs that artifact storage keeps and that differ between two runs: give their values with
/// [`DiffOptions::with_value`] to have them compared in depth.
pub fn references(a: &RunView, b: &RunView) -> Vec<ValueRef> {
    let mut wanted = Vec::new();
    for (id, after) in b.nodes() {
        let before = a.node(id.as_str()).and_then(|node| node.outputs.as_deref());
        let (Some(before), Some(after)) = (before, after.outputs.as_deref()) else {
            continue;
        };
        let refs = |outputs: &Outputs| {
            outputs
                .notes
                .as_ref()
                .map(|notes| notes.refs.clone())
                .unwrap_or_default()
        };
        let (before, after) = (refs(before), refs(after));
        for port in before.keys().chain(after.keys()) {
            let (before, after) = (before.get(port), after.get(port));
            let same = |a: &ValueRef, b: &ValueRef| a.sha256 == b.sha256;
            if before
                .zip(after)
                .is_none_or(|(before, after)| !same(before, after))
            {
                wanted.extend(before.into_iter().chain(after).cloned());
            }
        }
    }
    wanted.sort_by(|a, b| a.sha256.cmp(&b.sha256));
    wanted.dedup_by(|a, b| a.sha256 == b.sha256);
    wanted
}

/// What of a run is looked up by node.
struct Side<'a> {
    view: &'a RunView,
    actions: HashMap<&'a NodeId, &'a ActionDefinition>,
    entering: HashMap<&'a NodeId, Vec<&'a EdgeDefinition>>,
    /// By node and name, the contents: digest and size.
    artifacts: HashMap<&'a NodeId, Artifacts<'a>>,
}

type Artifacts<'a> = BTreeMap<&'a str, BTreeMap<&'a str, u64>>;

impl<'a> Side<'a> {
    fn new(view: &'a RunView) -> Self {
        let mut side = Self {
            view,
            actions: HashMap::new(),
            entering: HashMap::new(),
            artifacts: HashMap::new(),
        };
        for artifact in view.artifacts() {
            let of = &artifact.artifact;
            let own = side.artifacts.entry(&artifact.node_id).or_default();
            own.entry(&of.name).or_default().insert(&of.sha256, of.size);
        }
        if let Some(definition) = view.definition() {
            let actions = definition.actions.iter();
            side.actions = actions.map(|action| (&action.node, action)).collect();
            for edge in &definition.edges {
                side.entering
                    .entry(&edge.target_ref)
                    .or_default()
                    .push(edge);
            }
        }
        side
    }

    /// What the connections of a node brought, by input port.
    fn inputs(&self, node: &NodeId) -> BTreeMap<&'a PortId, Vec<Brought<'a>>> {
        let mut inputs: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for edge in self.entering.get(node).into_iter().flatten() {
            if let Some(port) = &edge.target_handle {
                let source = self.view.node(edge.source_ref.as_str());
                inputs.entry(port).or_default().push(Brought {
                    source: &edge.source_ref,
                    outputs: source.and_then(|source| source.outputs.as_deref()),
                    port: edge.source_handle.as_ref(),
                });
            }
        }
        inputs
    }
}

/// What one connection brought.
struct Brought<'a> {
    source: &'a NodeId,
    outputs: Option<&'a Outputs>,
    port: Option<&'a PortId>,
}

impl Brought<'_> {
    /// Where it came from.
    fn name(&self) -> String {
        match self.port {
            Some(port) => format!("{}.{port}", self.source),
            None => self.source.to_string(),
        }
    }
}

impl PartialEq for Brought<'_> {
    /// Whether the same came, from wherever.
    fn eq(&self, other: &Self) -> bool {
        match (self.outputs, other.outputs) {
            (None, None) => true,
            (Some(a), Some(b)) => match (self.port, other.port) {
                (Some(port), Some(other)) => same_port(a, port, b, other),
                (None, None) => a == b,
                _ => false,
            },
            _ => false,
        }
    }
}

fn same_port(a: &Outputs, port: &PortId, b: &Outputs, other: &PortId) -> bool {
    let reference = |outputs: &Outputs, port: &PortId| {
        let notes = outputs.notes.as_deref()?;
        notes.refs.get(port).map(|stored| stored.sha256.clone())
    };
    a.get(port.as_str()) == b.get(other.as_str()) && reference(a, port) == reference(b, other)
}

fn summary(node: &NodeView) -> Json {
    json!({ "state": node.state, "component": component(node) })
}

fn component(node: &NodeView) -> Option<String> {
    let component = node.component.as_ref()?;
    Some(format!(
        "{}@{}",
        component.component_id, component.component_version
    ))
}

/// What has been told so far.
struct Told<'a> {
    options: &'a DiffOptions,
    changes: Vec<Change>,
    counts: BTreeMap<Class, u64>,
    omitted: u64,
    following: u64,
    changed: HashSet<NodeId>,
    /// Of the node that is compared now.
    component: Option<String>,
}

impl Told<'_> {
    fn tell(
        &mut self,
        class: Class,
        node: Option<&NodeId>,
        path: &[String],
        before: Option<Json>,
        after: Option<Json>,
    ) {
        self.take(Change {
            class,
            node_id: node.cloned(),
            path: path.to_vec(),
            before,
            after,
            from: Vec::new(),
        });
    }

    fn take(&mut self, change: Change) {
        if self.options.ignores(&change, self.component.as_deref()) {
            return;
        }
        *self.counts.entry(change.class).or_default() += 1;
        self.following += u64::from(!change.from.is_empty());
        if let Some(node) = &change.node_id {
            self.changed.insert(node.clone());
        }
        if self.changes.len() < self.options.most {
            self.changes.push(change);
        } else {
            self.omitted += 1;
        }
    }

    fn one_side(&mut self, class: Class, node: &NodeId, before: Option<Json>, after: Option<Json>) {
        self.tell(class, Some(node), &[], before, after);
    }

    /// Compares in depth.
    fn deep(
        &mut self,
        class: Class,
        node: Option<&NodeId>,
        path: &mut Vec<String>,
        a: &Json,
        b: &Json,
    ) {
        compare(a, b, path, &mut |path, before, after| {
            self.tell(class, node, path, before.cloned(), after.cloned());
        });
    }

    fn run(&mut self, a: &RunView, b: &RunView) {
        if a.status != b.status {
            let of = |view: &RunView| {
                let reason = view.failure.as_ref().map(|failure| failure.reason.clone());
                Some(match reason {
                    Some(reason) => json!({ "status": view.status, "reason": reason }),
                    None => json!({ "status": view.status }),
                })
            };
            self.tell(Class::Status, None, &[], of(a), of(b));
        }
        let empty = Map::new();
        let inputs =
            |view: &RunView| Json::Object(view.inputs.as_deref().unwrap_or(&empty).clone());
        self.deep(Class::Input, None, &mut Vec::new(), &inputs(a), &inputs(b));
    }

    fn node(&mut self, id: &NodeId, a: &NodeView, b: &NodeView, sides: (&Side<'_>, &Side<'_>)) {
        if a.state != b.state {
            let of = |node: &NodeView| {
                let mut told = json!({ "state": node.state });
                if let Some(error) = &node.error {
                    told["error"] = json!({ "kind": error.kind, "message": error.message });
                }
                Some(told)
            };
            self.tell(Class::Status, Some(id), &[], of(a), of(b));
        }
        let (before, after) = (component(a), component(b));
        if before != after {
            let (before, after) = (before.map(Json::from), after.map(Json::from));
            self.tell(Class::ComponentVersion, Some(id), &[], before, after);
        }
        self.settings(id, sides);
        let (before, after) = (sides.0.inputs(id), sides.1.inputs(id));
        let ports: Vec<_> = before.keys().chain(after.keys()).copied().collect();
        let mut seen = HashSet::new();
        for port in ports {
            if seen.insert(port) && before.get(port) != after.get(port) {
                let brought = [&before, &after]
                    .into_iter()
                    .filter_map(|side| side.get(port));
                let from: BTreeSet<String> = brought.flatten().map(Brought::name).collect();
                self.take(Change {
                    class: Class::Input,
                    node_id: Some(id.clone()),
                    path: vec![port.to_string()],
                    before: None,
                    after: None,
                    from: from.into_iter().collect(),
                });
            }
        }
        self.outputs(id, a.outputs.as_deref(), b.outputs.as_deref());
        self.artifacts(id, sides);
        let levels = |node: &NodeView| {
            let counts = node.log_counts;
            [
                ("error", counts.error),
                ("warn", counts.warn),
                ("info", counts.info),
                ("debug", counts.debug),
            ]
        };
        for ((level, before), (_, after)) in levels(a).into_iter().zip(levels(b)) {
            if before != after {
                let path = [level.to_owned()];
                self.tell(
                    Class::Logs,
                    Some(id),
                    &path,
                    Some(before.into()),
                    Some(after.into()),
                );
            }
        }
        if let (Some(beyond), Some(before), Some(after)) =
            (self.options.duration, a.duration_ms, b.duration_ms)
            && a.state == b.state
            && (after - before).abs() > before * beyond
        {
            self.tell(
                Class::Duration,
                Some(id),
                &[],
                Some(before.into()),
                Some(after.into()),
            );
        }
    }

    /// What the graph says of a node.
    fn settings(&mut self, id: &NodeId, (left, right): (&Side<'_>, &Side<'_>)) {
        let (Some(a), Some(b)) = (left.actions.get(id), right.actions.get(id)) else {
            return;
        };
        if a.params != b.params {
            let (a, b) = (
                Json::Object(a.params.clone()),
                Json::Object(b.params.clone()),
            );
            self.deep(Class::Parameter, Some(id), &mut Vec::new(), &a, &b);
        }
        let ports = a.input_overrides.keys().chain(b.input_overrides.keys());
        for port in ports.collect::<BTreeSet<_>>() {
            let (before, after) = (a.input_overrides.get(port), b.input_overrides.get(port));
            let mut path = vec![port.to_string()];
            match (before, after) {
                (Some(before), Some(after)) => {
                    self.deep(Class::Input, Some(id), &mut path, before, after);
                }
                _ => self.tell(
                    Class::Input,
                    Some(id),
                    &path,
                    before.cloned(),
                    after.cloned(),
                ),
            }
        }
    }

    fn outputs(&mut self, id: &NodeId, a: Option<&Outputs>, b: Option<&Outputs>) {
        let (Some(a), Some(b)) = (a, b) else {
            // That a node has ended otherwise is told by its state.
            return;
        };
        let ports = |outputs: &Outputs| -> Vec<PortId> {
            let refs = outputs
                .notes
                .as_ref()
                .into_iter()
                .flat_map(|notes| notes.refs.keys());
            outputs
                .iter()
                .map(|(port, _)| port)
                .chain(refs)
                .cloned()
                .collect()
        };
        let mut all = ports(a);
        all.extend(ports(b));
        all.sort();
        all.dedup();
        for port in all {
            if same_port(a, &port, b, &port) {
                continue;
            }
            let mut path = vec![port.to_string()];
            match (self.value(a, &port), self.value(b, &port)) {
                (Some(before), Some(after)) => {
                    let (before, after) = (before.into_owned(), after.into_owned());
                    self.deep(Class::Output, Some(id), &mut path, &before, &after);
                }
                (before, after) => {
                    let (before, after) = (before.map(Cow::into_owned), after.map(Cow::into_owned));
                    self.tell(Class::Output, Some(id), &path, before, after);
                }
            }
        }
    }

    /// The value of a port; of one that is kept elsewhere and was not given, its digest and size.
    fn value<'b>(&'b self, outputs: &'b Outputs, port: &PortId) -> Option<Cow<'b, Json>> {
        if let Some(value) = outputs.get(port.as_str()) {
            return value.json().ok().map(Cow::Borrowed);
        }
        let stored = outputs.notes.as_ref()?.refs.get(port)?;
        Some(match self.options.values.get(&stored.sha256) {
            Some(value) => Cow::Borrowed(value),
            None => Cow::Owned(json!({ "sha256": stored.sha256, "size": stored.size })),
        })
    }

    fn artifacts(&mut self, id: &NodeId, (left, right): (&Side<'_>, &Side<'_>)) {
        let (before, after) = (left.artifacts.get(id), right.artifacts.get(id));
        let names = |side: Option<&Artifacts<'_>>| -> Vec<String> {
            let names = side.into_iter().flat_map(|side| side.keys());
            names.map(|name| (*name).to_owned()).collect()
        };
        let all: BTreeSet<String> = names(before).into_iter().chain(names(after)).collect();
        for name in all {
            let of = |side: Option<&Artifacts<'_>>| {
                let contents = side?.get(&*name)?.iter();
                let told = contents.map(|(sha256, size)| json!({ "sha256": sha256, "size": size }));
                Some(Json::Array(told.collect()))
            };
            let (before, after) = (of(before), of(after));
            if before != after {
                self.tell(Class::Artifact, Some(id), &[name], before, after);
            }
        }
    }

    /// Edges between nodes that both runs have.
    fn edges(&mut self, left: &Side<'_>, right: &Side<'_>) {
        let of = |side: &Side<'_>, other: &Side<'_>| -> HashMap<Vec<String>, NodeId> {
            let edges = side.entering.values().flatten();
            let both = |node: &NodeId| other.actions.contains_key(node);
            edges
                .filter(|edge| both(&edge.source_ref) && both(&edge.target_ref))
                .map(|edge| (shown(edge), edge.target_ref.clone()))
                .collect()
        };
        let (before, after) = (of(left, right), of(right, left));
        let only = |a: &HashMap<Vec<String>, NodeId>, b: &HashMap<Vec<String>, NodeId>| {
            let only = a.iter().filter(|(edge, _)| !b.contains_key(*edge));
            let mut only: Vec<_> = only
                .map(|(edge, node)| (edge.clone(), node.clone()))
                .collect();
            only.sort();
            only
        };
        for (edge, node) in only(&before, &after) {
            let told = Some(Json::from(edge.join(" ")));
            self.tell(Class::Rewired, Some(&node), &edge, told, None);
        }
        for (edge, node) in only(&after, &before) {
            let told = Some(Json::from(edge.join(" ")));
            self.tell(Class::Rewired, Some(&node), &edge, None, told);
        }
    }
}

/// What an edge is, whatever its id.
fn shown(edge: &EdgeDefinition) -> Vec<String> {
    let end = |node: &NodeId, port: &Option<PortId>| match port {
        Some(port) => format!("{node}.{port}"),
        None => node.to_string(),
    };
    let kind = serde_json::to_value(edge.kind).ok();
    let kind = kind.and_then(|kind| kind.as_str().map(str::to_owned));
    vec![
        end(&edge.source_ref, &edge.source_handle),
        format!("-{}→", kind.unwrap_or_default()),
        end(&edge.target_ref, &edge.target_handle),
    ]
}
