//! What a layout is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{draw::draw, ranks::narrow};
use crate::{
    NodeId,
    schedule::NodeIx,
    workflow::{Definition, Plan},
};

/// Which way a workflow flows over the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Direction {
    /// From left to right: a layer is a column.
    #[default]
    Right,
    /// From top to bottom: a layer is a row.
    Down,
}

/// Sizes of what is laid out, in whole units of the view (pixels, or cells of a terminal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct LayoutOptions {
    /// Which way it flows. Default: right.
    pub direction: Direction,
    /// Width of every node. Default 240.
    pub node_width: u32,
    /// Height of every node. Default 80.
    pub node_height: u32,
    /// Room between two layers. Default 120.
    pub layer_gap: u32,
    /// Room between two nodes of one layer. Default 40.
    pub node_gap: u32,
}

impl Default for LayoutOptions {
    fn default() -> Self {
        Self {
            direction: Direction::Right,
            node_width: 240,
            node_height: 80,
            layer_gap: 120,
            node_gap: 40,
        }
    }
}

/// A place in the picture; the picture begins at 0, 0, to the left and at the top.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[non_exhaustive]
pub struct Point {
    /// To the right.
    pub x: u64,
    /// Downwards.
    pub y: u64,
}

impl Point {
    /// A place.
    pub fn new(x: u64, y: u64) -> Self {
        Self { x, y }
    }
}

/// Where a node stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NodePlace {
    /// The node.
    pub node: NodeId,
    /// Its layer, from 0.
    pub layer: u32,
    /// Its place among the nodes of its layer, from 0.
    pub order: u32,
    /// Left edge of its box.
    pub x: u64,
    /// Upper edge of its box.
    pub y: u64,
}

/// The way of an edge that passes layers between its ends: between which nodes of these it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Bends {
    /// The node it leaves.
    pub source: NodeId,
    /// The node it enters.
    pub target: NodeId,
    /// Where it turns, from source to target.
    pub points: Vec<Point>,
}

/// Where everything stands.
///
/// A layout depends on the ids of the nodes, on the edges and on the options, and on nothing else:
/// neither on the order in which nodes and edges were written nor on where people put them on the
/// canvas. Those places are authored, stay in the graph and in the definition, and are for a view
/// to prefer if it likes.
///
/// ```
/// use shipsec_core::{Registry, workflow::{EntryPoint, Graph, Layout, LayoutOptions, compile}};
///
/// let graph = Graph::from_json(
///     r#"{"name": "One", "nodes": [{"id": "start", "type": "core.workflow.entrypoint"}]}"#,
/// )?;
/// let mut registry = Registry::new();
/// registry.register_dyn(std::sync::Arc::new(EntryPoint::new()))?;
/// let plan = compile(&graph, &registry)?.plan;
/// let layout = Layout::of_plan(&plan, &LayoutOptions::default());
/// assert_eq!(layout.nodes[0].node, "start");
/// assert_eq!((layout.width, layout.height), (240, 80));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Layout {
    /// Every node, by layer and then by its order.
    pub nodes: Vec<NodePlace>,
    /// Edges that turn on their way, by source and target; all others go straight. Empty where
    /// edges pass so many layers that drawing each of them would blur the picture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bends: Vec<Bends>,
    /// How many layers there are.
    pub layers: u32,
    /// From the left edge of the picture to the right.
    pub width: u64,
    /// From its upper edge to the lower.
    pub height: u64,
}

impl Layout {
    /// Lays out a plan.
    pub fn of_plan(plan: &Plan, options: &LayoutOptions) -> Self {
        let ids: Vec<&NodeId> = plan.nodes().iter().map(|node| &node.node.id).collect();
        let topology = plan.topology();
        let mut edges = Vec::with_capacity(topology.edge_count());
        for node in 0..plan.nodes().len() {
            let leaving = topology.out_edges(NodeIx(narrow(node)));
            edges.extend(leaving.map(|edge| (edge.source.0, edge.target.0)));
        }
        draw(&ids, edges, options)
    }

    /// Lays out a definition, as a reader of a log has it. Edges that name no node of it are left
    /// out, and so are those that close a circle, which no compiled definition has.
    pub fn of_definition(definition: &Definition, options: &LayoutOptions) -> Self {
        let ids: Vec<&NodeId> = definition.nodes.keys().collect();
        let index = |id: &NodeId| ids.binary_search(&id).ok().map(narrow);
        let edges = definition.edges.iter();
        let edges = edges
            .filter_map(|edge| Some((index(&edge.source_ref)?, index(&edge.target_ref)?)))
            .collect();
        draw(&ids, edges, options)
    }
}
