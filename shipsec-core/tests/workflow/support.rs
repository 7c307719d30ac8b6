//! Components and graphs that the cases share.

use std::sync::Arc;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{
    ComponentError, Context, NoParams, Ports, Registry, Value, component,
    workflow::{Compiled, EdgeKind, EntryPoint, Graph, GraphEdge, GraphNode, NodeData, compile},
};

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
pub(crate) struct Anything {
    /// Whatever comes.
    value: Option<Value>,
}

/// Passes on what comes.
#[component(id = "test.pass", version = "1.0.0", category = "test")]
async fn pass(input: Anything, _: NoParams, _: &Context) -> Result<Anything, ComponentError> {
    Ok(input)
}

pub(crate) fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.register_dyn(Arc::new(EntryPoint::new())).unwrap();
    registry.register(Pass).unwrap();
    registry
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
