//! The authoring format: what a canvas draws and a person edits. Fields that this version does
//! not know are kept, so that a graph survives being read and written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{WorkflowConfig, read};
use crate::{ComponentId, EdgeId, NodeId, PortId, execute::RetrySettings, schedule::EdgeKind};

/// A workflow as people write it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "a workflow graph, an object")]
pub struct Graph {
    /// A stable name; made from `name` where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<crate::WorkflowId>,
    /// The title.
    #[serde(default, deserialize_with = "read::null_as_default")]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The nodes.
    #[serde(default)]
    pub nodes: Vec<GraphNode>,
    /// The edges.
    #[serde(default)]
    pub edges: Vec<GraphEdge>,
    /// Settings of the run as a whole.
    #[serde(
        default,
        deserialize_with = "read::null_as_default",
        skip_serializing_if = "WorkflowConfig::is_default"
    )]
    pub config: WorkflowConfig,
    /// What part of the canvas is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewport: Option<Viewport>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Json>,
}

/// What part of the canvas is seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(expecting = "a viewport, an object")]
pub struct Viewport {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Scale; 1 is natural size.
    pub zoom: f64,
}

/// A place on the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(expecting = "a position, an object")]
pub struct Position {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
}

/// A node of the graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "a node, an object")]
pub struct GraphNode {
    /// Names the node.
    pub id: NodeId,
    /// The component, or a UI-only type such as `core.ui.text`.
    #[serde(rename = "type")]
    pub component: ComponentId,
    /// The component's version; the highest release where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where it stands on the canvas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Label and settings.
    #[serde(default, deserialize_with = "read::null_as_default")]
    pub data: NodeData,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Json>,
}

/// Label and settings of a node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "the data of a node, an object")]
pub struct NodeData {
    /// The title on the canvas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The settings.
    #[serde(default, deserialize_with = "read::null_as_default")]
    pub config: NodeConfig,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Json>,
}

/// Settings of a node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    expecting = "the settings of a node, an object"
)]
pub struct NodeConfig {
    /// Parameters by id.
    #[serde(
        default,
        deserialize_with = "read::unique_keys",
        skip_serializing_if = "Map::is_empty"
    )]
    pub params: Map<String, Json>,
    /// Values of input ports set by hand.
    #[serde(
        default,
        deserialize_with = "read::unique_keys",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub input_overrides: BTreeMap<PortId, Json>,
    /// `all` (default), `any`, `first`, `quorum:n` or `settled`. Text, so that the compiler can
    /// report a bad one with its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_strategy: Option<String>,
    /// How many nodes of the same group run at once; of this node's group where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// The concurrency group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// The stream that viewers show its log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_id: Option<String>,
    /// Retry settings.
    #[serde(
        default,
        deserialize_with = "read::known_fields",
        skip_serializing_if = "Option::is_none"
    )]
    pub retry: Option<RetrySettings>,
    /// Longest time of one attempt, in seconds; of a node with `forEach`, of one attempt of an item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// Runs once for each item of a list.
    #[serde(
        default,
        deserialize_with = "read::known_fields",
        skip_serializing_if = "Option::is_none"
    )]
    pub for_each: Option<ForEach>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Json>,
}

/// A node that runs once for each item of a list: that input takes a list, each output gives one,
/// in the order of the items. Each item is tried, limited and logged by itself, as `node[3]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "forEach, an object")]
#[non_exhaustive]
pub struct ForEach {
    /// The input port that gets one item at a time.
    pub input: PortId,
    /// How many items run at once. Default: 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// What the failure of an item does.
    #[serde(default, skip_serializing_if = "ItemFailure::is_default")]
    pub on_failure: ItemFailure,
}

impl ForEach {
    /// One run for each item of this input.
    pub fn over(input: impl Into<PortId>) -> Self {
        Self {
            input: input.into(),
            concurrency: None,
            on_failure: ItemFailure::Fail,
        }
    }

    /// Sets how many items run at once, at least 1.
    #[must_use]
    pub fn at_once(mut self, items: u32) -> Self {
        self.concurrency = Some(items);
        self
    }

    /// Lets the others go on where an item fails.
    #[must_use]
    pub fn collecting_failures(mut self) -> Self {
        self.on_failure = ItemFailure::Collect;
        self
    }
}

/// What the failure of an item does, after its last attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ItemFailure {
    /// The node fails, and its other items are stopped.
    #[default]
    Fail,
    /// The others go on, and the output `failures` tells which failed: `[{index, error}]`. They have
    /// no place in the other outputs.
    Collect,
}

impl ItemFailure {
    fn is_default(&self) -> bool {
        *self == Self::Fail
    }
}

/// An edge of the graph. With both handles the value of that output port goes to that input port;
/// with only a target handle the whole output object goes there; with only a source handle, or
/// none, the edge orders and passes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", expecting = "an edge, an object")]
pub struct GraphEdge {
    /// Names the edge.
    pub id: EdgeId,
    /// The node it leaves.
    pub source: NodeId,
    /// The node it enters.
    pub target: NodeId,
    /// The output port it leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_handle: Option<PortId>,
    /// The input port it enters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_handle: Option<PortId>,
    /// When it fires.
    #[serde(
        default,
        deserialize_with = "read::null_as_default",
        skip_serializing_if = "EdgeKind::is_success"
    )]
    pub kind: EdgeKind,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Json>,
}
