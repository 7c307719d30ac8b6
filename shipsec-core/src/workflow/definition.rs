//! The compiled definition: what a stored plan holds. It names components; a registry binds them.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{ForEach, Position};
use crate::{
    ComponentId, EdgeId, NodeId, PortId, WorkflowId,
    component::PortType,
    execute::RetrySettings,
    schedule::{EdgeKind, FailurePolicy, Join},
};

/// Settings of a run as a whole.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorkflowConfig {
    /// Longest time of the run, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// How many nodes run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// What a failure that nothing handles does to the rest.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
    /// Fields that this version does not know. A graph keeps them; what it compiles to has none.
    #[serde(flatten)]
    pub extra: Map<String, Json>,
}

impl WorkflowConfig {
    /// Whether nothing is set.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A compiled workflow: names, not code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Definition {
    /// Version of this format: 1.
    pub version: u32,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The title.
    pub title: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it begins.
    pub entrypoint: NodeRefName,
    /// Metadata by node.
    pub nodes: BTreeMap<NodeId, NodeMetadata>,
    /// The edges.
    pub edges: Vec<EdgeDefinition>,
    /// How many edges enter each node.
    pub dependency_counts: BTreeMap<NodeId, u32>,
    /// What runs, in topological order.
    pub actions: Vec<ActionDefinition>,
    /// Settings of the run as a whole.
    pub config: WorkflowConfig,
}

/// Names a node: `{"ref": "start"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeRefName {
    /// The node's id.
    #[serde(rename = "ref")]
    pub node: NodeId,
}

/// Metadata of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NodeMetadata {
    /// The node.
    #[serde(rename = "ref")]
    pub node: NodeId,
    /// The title on the canvas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When it starts.
    #[serde(default)]
    pub join_strategy: Join,
    /// How many nodes of its group run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// Its concurrency group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// The stream that viewers show its log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_id: Option<String>,
    /// Where it was drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// A compiled edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EdgeDefinition {
    /// Names the edge.
    pub id: EdgeId,
    /// The node it leaves.
    pub source_ref: NodeId,
    /// The node it enters.
    pub target_ref: NodeId,
    /// The output port it leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_handle: Option<PortId>,
    /// The input port it enters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_handle: Option<PortId>,
    /// When it fires.
    pub kind: EdgeKind,
}

/// One node's work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ActionDefinition {
    /// The node.
    #[serde(rename = "ref")]
    pub node: NodeId,
    /// The component.
    pub component_id: ComponentId,
    /// Its version.
    pub component_version: Arc<str>,
    /// Its parameters.
    pub params: Map<String, Json>,
    /// Values of input ports set by hand.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub input_overrides: BTreeMap<PortId, Json>,
    /// Nodes whose edges enter it.
    pub depends_on: Vec<NodeId>,
    /// Where its inputs come from: where several edges enter one input, the last of them, in the
    /// order of the definition's edges, which name them all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub input_mappings: BTreeMap<PortId, InputMapping>,
    /// Retry settings of the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetrySettings>,
    /// Longest time of one attempt, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// Runs once for each item of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
}

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InputMapping {
    /// The node.
    pub source_ref: NodeId,
    /// Its output port; missing for the whole output object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_handle: Option<PortId>,
}

/// One of the inputs that a run is given: a parameter of `core.workflow.entrypoint`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RuntimeInput {
    /// The key of the input, and the id of the entry point's output port.
    pub id: PortId,
    /// A short name for people.
    #[serde(default)]
    pub label: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The type of its value.
    #[serde(rename = "type")]
    pub port_type: PortType,
    /// Whether a run must be given it.
    #[serde(default)]
    pub required: bool,
    /// The value where a run is not given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
}

impl RuntimeInput {
    /// A required input of a type.
    pub fn new(id: impl Into<PortId>, port_type: PortType) -> Self {
        let id = id.into();
        Self {
            label: id.to_string(),
            id,
            description: String::new(),
            port_type,
            required: true,
            default: None,
        }
    }
}

/// SHA-256 of a definition's canonical JSON (keys sorted by their UTF-8 bytes, no white space) in
/// lower-case hex.
pub(crate) fn hash(definition: &Definition) -> Arc<str> {
    use sha2::{Digest, Sha256};
    let mut digest = Sha256::new();
    definition.canonical(|text| digest.update(text));
    hex::encode(digest.finalize()).into()
}

impl Definition {
    /// Gives its canonical JSON piece by piece: a definition of a million nodes is never one text.
    fn canonical(&self, give: impl FnMut(&[u8])) {
        // Taken apart by name, so that a field to come is not forgotten here.
        let Self {
            version,
            workflow_id,
            title,
            description,
            entrypoint,
            nodes,
            edges,
            dependency_counts,
            actions,
            config,
        } = self;
        let mut text = Canonical {
            give,
            piece: Vec::new(),
        };
        text.list("{\"actions\":[", actions, "]");
        text.field(",\"config\":", config);
        text.map(",\"dependencyCounts\":{", dependency_counts);
        if let Some(description) = description {
            text.field(",\"description\":", description);
        }
        text.list(",\"edges\":[", edges, "]");
        text.field(",\"entrypoint\":", entrypoint);
        text.map(",\"nodes\":{", nodes);
        text.field(",\"title\":", title);
        text.field(",\"version\":", version);
        text.field(",\"workflowId\":", workflow_id);
        text.piece.push(b'}');
        (text.give)(&text.piece);
    }
}

struct Canonical<F> {
    give: F,
    piece: Vec<u8>,
}

impl<F: FnMut(&[u8])> Canonical<F> {
    fn field(&mut self, key: &str, value: &impl Serialize) {
        const PIECE: usize = 64 * 1024;
        self.piece.extend_from_slice(key.as_bytes());
        // What is serialised here are maps with text for keys: nothing that JSON does not have.
        let tree = serde_json::to_value(value).unwrap_or_default();
        canonical(&tree, &mut self.piece);
        if self.piece.len() > PIECE {
            (self.give)(&self.piece);
            self.piece.clear();
        }
    }

    fn list(&mut self, open: &str, items: &[impl Serialize], close: &str) {
        self.piece.extend_from_slice(open.as_bytes());
        for (at, item) in items.iter().enumerate() {
            self.field(if at > 0 { "," } else { "" }, item);
        }
        self.piece.extend_from_slice(close.as_bytes());
    }

    fn map(&mut self, open: &str, items: &BTreeMap<NodeId, impl Serialize>) {
        self.piece.extend_from_slice(open.as_bytes());
        for (at, (key, value)) in items.iter().enumerate() {
            if at > 0 {
                self.piece.push(b',');
            }
            quote(key.as_str(), &mut self.piece);
            self.field(":", value);
        }
        self.piece.push(b'}');
    }
}

fn quote(text: &str, to: &mut Vec<u8>) {
    // Text is always JSON, and memory takes what it is given.
    if serde_json::to_writer(&mut *to, text).is_err() {
        to.extend_from_slice(b"null");
    }
}

/// Writes JSON with sorted keys, whatever order the maps of `serde_json` have in this build.
pub(crate) fn canonical(tree: &Json, to: &mut Vec<u8>) {
    match tree {
        Json::Object(fields) => {
            let mut sorted: Vec<(&String, &Json)> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            to.push(b'{');
            for (at, (key, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    to.push(b',');
                }
                quote(key, to);
                to.push(b':');
                canonical(value, to);
            }
            to.push(b'}');
        }
        Json::Array(items) => {
            to.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    to.push(b',');
                }
                canonical(item, to);
            }
            to.push(b']');
        }
        Json::String(text) => quote(text, to),
        leaf => to.extend_from_slice(leaf.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_is_sorted_and_dense() {
        let text =
            r#" {"b": [1, {"z": null, "a\n": 1.50}], "a": {}, "ä": "x\u0001\"", "B": -0.0} "#;
        let tree: Json = serde_json::from_str(text).unwrap();
        let mut written = Vec::new();
        canonical(&tree, &mut written);
        let expected = r#"{"B":-0.0,"a":{},"b":[1,{"a\n":1.5,"z":null}],"ä":"x\u0001\""}"#;
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }

    #[test]
    fn a_definition_is_hashed_as_the_whole_tree_would_be() {
        let definition: Definition = serde_json::from_value(serde_json::json!({
            "version": 1, "workflowId": "w", "title": "T\n", "description": "d",
            "entrypoint": {"ref": "s"},
            "nodes": {"s": {"ref": "s"}, "B\"": {"ref": "B\""}, "ä": {"ref": "ä"}},
            "edges": [{"id": "1", "sourceRef": "s", "targetRef": "ä", "kind": "success"}],
            "dependencyCounts": {"s": 0, "ä": 1},
            "actions": [
                {"ref": "s", "componentId": "c", "componentVersion": "1.0.0", "dependsOn": [],
                 "params": {"z": 1.5, "a": [{"y": null, "b": "x"}]}},
                {"ref": "ä", "componentId": "c", "componentVersion": "1.0.0", "dependsOn": ["s"],
                 "params": {}}],
            "config": {"failurePolicy": "failFast"},
        }))
        .unwrap();
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        canonical(&serde_json::to_value(&definition).unwrap(), &mut whole);
        definition.canonical(|piece| pieces.extend_from_slice(piece));
        assert_eq!(String::from_utf8(pieces), String::from_utf8(whole));
    }
}
