//! Components and graphs that the cases share.

use std::sync::Arc;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{
    ComponentError, Context, NoParams, Params, Ports, Registry, Secret, Value, component,
    component::{Component, ComponentInfo},
    workflow::{Compiled, EdgeKind, EntryPoint, Graph, GraphEdge, GraphNode, NodeData, compile},
};

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
pub(crate) struct Anything {
    /// Whatever comes.
    value: Option<Value>,
}

/// The same component in a version of its own.
struct Versioned(&'static str);

impl Component for Versioned {
    type Input = Anything;
    type Output = Anything;
    type Params = NoParams;

    fn info(&self) -> ComponentInfo {
        ComponentInfo::new("test.pass", self.0)
    }

    async fn run(
        &self,
        input: Anything,
        _: &NoParams,
        _: &Context,
    ) -> Result<Anything, ComponentError> {
        Ok(input)
    }
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
pub(crate) struct Login {
    /// A host.
    host: String,
    /// A token.
    token: Option<Secret<String>>,
    /// How often.
    count: Option<u64>,
    /// One name, or many.
    #[port(lift)]
    names: Option<Vec<String>>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Depth {
    /// How deep.
    #[schemars(range(min = 1, max = 9))]
    depth: u8,
    /// A key.
    api_key: Option<Secret<String>>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
pub(crate) struct Session {
    /// The session's key.
    key: Secret<String>,
    /// What was found.
    hosts: Vec<String>,
    /// Whether anybody was there.
    there: bool,
}

/// Takes what must fit.
#[component(id = "test.login", version = "1.0.0", category = "test")]
async fn login_component(
    input: Login,
    params: Depth,
    _: &Context,
) -> Result<Session, ComponentError> {
    Ok(Session {
        key: Secret::new(format!(
            "{}{:?}{:?}",
            input.host, input.count, params.api_key
        )),
        hosts: input.names.unwrap_or_default(),
        there: params.depth > 1 && input.token.is_some(),
    })
}

/// `test.pass` in these versions, and the entry point.
pub(crate) fn versions(versions: &[&'static str]) -> Registry {
    let mut registry = Registry::new();
    registry.register_dyn(Arc::new(EntryPoint::new())).unwrap();
    for version in versions {
        registry.register(Versioned(version)).unwrap();
    }
    registry.register(LoginComponent).unwrap();
    registry
}

pub(crate) fn registry() -> Registry {
    versions(&["1.0.0", "2.0.0", "2.0.0-rc.1"])
}

/// One value to two nodes, and theirs to the first that is there.
pub(crate) fn fanned() -> Graph {
    Graph::from_json(
        r#"{"name": "Fanned out", "description": "Two ways", "nodes": [
            {"id": "start", "type": "core.workflow.entrypoint", "position": {"x": 0, "y": 0.5},
             "data": {"label": "Start", "config": {"params": {"runtimeInputs": [
                {"id": "word", "type": "text", "required": true}]}}}},
            {"id": "note", "type": "core.ui.text", "data": {"text": "for people"}},
            {"id": "join", "type": "test.pass", "data": {"config": {"joinStrategy": "any",
                "retry": {"maxAttempts": 1}, "timeoutSeconds": 1.5}}},
            {"id": "a", "type": "test.pass", "version": "1.0.0", "data": {"config": {
                "groupId": "g", "maxConcurrency": 2, "streamId": "s"}}},
            {"id": "b", "type": "test.pass", "data": {"config": {"inputOverrides": {"value": [1]}}}}],
          "edges": [
            {"id": "1", "source": "start", "target": "a", "sourceHandle": "word", "targetHandle": "value"},
            {"id": "2", "source": "a", "target": "join", "sourceHandle": "value", "targetHandle": "value"},
            {"id": "3", "source": "b", "target": "join", "targetHandle": "value", "kind": "error"},
            {"id": "4", "source": "start", "target": "b"},
            {"id": "5", "source": "note", "target": "b"},
            {"id": "6", "source": "a", "target": "join", "kind": "finally"}],
          "config": {"maxConcurrency": 4}}"#,
    )
    .unwrap()
}

pub(crate) fn node(id: &str, component: &str) -> GraphNode {
    GraphNode {
        id: id.into(),
        component: component.into(),
        version: None,
        position: None,
        data: NodeData::default(),
        extra: serde_json::Map::new(),
    }
}

/// An edge that orders and passes nothing.
pub(crate) fn edge(source: &str, target: &str) -> GraphEdge {
    GraphEdge {
        id: format!("{source}-{target}").into(),
        source: source.into(),
        target: target.into(),
        source_handle: None,
        target_handle: None,
        kind: EdgeKind::Success,
        extra: serde_json::Map::new(),
    }
}

/// A graph of an entry point `start` and nodes that pass, from its edges: `a b`.
pub(crate) fn ordered<'a>(edges: impl IntoIterator<Item = (&'a str, &'a str)>) -> Graph {
    let mut graph = Graph {
        name: "Ordered".to_owned(),
        nodes: vec![node("start", "core.workflow.entrypoint")],
        ..Graph::default()
    };
    for (source, target) in edges {
        for id in [source, target] {
            if !graph.nodes.iter().any(|node| node.id == *id) {
                graph.nodes.push(node(id, "test.pass"));
            }
        }
        graph.edges.push(edge(source, target));
    }
    graph
}

/// A graph over the nodes `n0`… of edges between their numbers; what no edge enters hangs on
/// `start`.
pub(crate) fn numbered(nodes: usize, edges: &[(usize, usize)]) -> Graph {
    let mut graph = Graph {
        name: "Numbered".to_owned(),
        nodes: vec![node("start", "core.workflow.entrypoint")],
        ..Graph::default()
    };
    let id = |n: usize| format!("n{n}");
    let mut entered = vec![false; nodes];
    for (source, target) in edges {
        entered[*target] = true;
        graph.edges.push(edge(&id(*source), &id(*target)));
    }
    for (n, entered) in entered.iter().enumerate() {
        graph.nodes.push(node(&id(n), "test.pass"));
        if !entered {
            graph.edges.push(edge("start", &id(n)));
        }
    }
    graph
}

/// Graphs without circles, of up to this many nodes.
pub(crate) fn acyclic(most: usize) -> impl Strategy<Value = Graph> {
    let pairs = |nodes: usize| prop::collection::btree_set((0..nodes, 0..nodes), 0..3 * nodes);
    (1..=most)
        .prop_flat_map(move |nodes| (Just(nodes), pairs(nodes)))
        .prop_map(|(nodes, pairs)| {
            let forward: Vec<_> = pairs.into_iter().filter(|(a, b)| a < b).collect();
            numbered(nodes, &forward)
        })
}

pub(crate) fn compiled(graph: &Graph) -> Compiled {
    compile(graph, &registry()).unwrap()
}
