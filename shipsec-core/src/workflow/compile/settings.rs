//! Fields that nothing reads: a setting that somebody misspelt must not pass for one that is set.

use serde_json::{Map, Value as Json};

use super::{
    super::{Code, Diagnostics, Graph, GraphEdge, GraphNode, diagnostic::quoted},
    bind::near_name,
};
use crate::pointer::token;

/// The settings in `data.config` of a node.
pub(super) const CONFIG: [&str; 9] = [
    "params",
    "inputOverrides",
    "joinStrategy",
    "maxConcurrency",
    "groupId",
    "streamId",
    "retry",
    "timeoutSeconds",
    "forEach",
];

/// The settings in `config` of a graph.
const CONFIG_OF_GRAPH: [&str; 3] = ["timeoutSeconds", "maxConcurrency", "failurePolicy"];

/// What ShipSec Studio keeps there for itself.
const CONFIG_OF_STUDIO: [&str; 2] = ["mode", "toolConfig"];

/// The fields of a node.
pub(super) const NODE: [&str; 5] = ["id", "type", "version", "position", "data"];

/// What canvases (React Flow, which ShipSec Studio draws with) keep at a node for themselves.
const NODE_OF_CANVAS: [&str; 39] = [
    "ariaLabel",
    "ariaRole",
    "className",
    "computed",
    "connectable",
    "deletable",
    "domAttributes",
    "dragHandle",
    "draggable",
    "dragging",
    "expandParent",
    "extent",
    "focusable",
    "handleBounds",
    "handles",
    "height",
    "hidden",
    "initialHeight",
    "initialWidth",
    "internals",
    "isParent",
    "label",
    "measured",
    "origin",
    "parentId",
    "parentNode",
    "positionAbsolute",
    "resizing",
    "selectable",
    "selected",
    "sourcePosition",
    "style",
    "targetPosition",
    "width",
    "xPos",
    "yPos",
    "zIndex",
    "description",
    "notes",
];

/// The fields of an edge.
pub(super) const EDGE: [&str; 6] = [
    "id",
    "source",
    "target",
    "sourceHandle",
    "targetHandle",
    "kind",
];

/// What canvases keep at an edge for themselves.
const EDGE_OF_CANVAS: [&str; 36] = [
    "animated",
    "ariaLabel",
    "ariaRole",
    "className",
    "data",
    "deletable",
    "description",
    "domAttributes",
    "focusable",
    "hidden",
    "interactionWidth",
    "label",
    "labelBgBorderRadius",
    "labelBgPadding",
    "labelBgStyle",
    "labelShowBg",
    "labelStyle",
    "markerEnd",
    "markerStart",
    "notes",
    "pathOptions",
    "reconnectable",
    "selectable",
    "selected",
    "sourceNode",
    "sourcePosition",
    "sourceX",
    "sourceY",
    "style",
    "targetNode",
    "targetPosition",
    "targetX",
    "targetY",
    "type",
    "updatable",
    "zIndex",
];

/// Warnings beyond these are counted: a graph from elsewhere may have a field of its own at each node,
/// and compiles all the same.
const MOST: usize = 100;

/// Warns of fields that neither this version nor a canvas knows. What stands in `data` beside `config`
/// is for whoever wrote it.
pub(super) fn check(
    graph: &Graph,
    nodes: &[(usize, &GraphNode)],
    edges: &[(usize, &GraphEdge)],
    found: &mut Diagnostics,
) {
    let mut unknown = Unknown { found, said: 0 };
    for key in fields(&graph.config.extra, &[]) {
        let path = || format!("/config/{}", token(key));
        let of = || "the config of the graph".to_owned();
        unknown.say(key, path, of, |found| near(key, &CONFIG_OF_GRAPH, found));
    }
    // What else stands there is for whoever wrote it.
    for key in fields(&graph.extra, &[]).filter(|key| CONFIG_OF_GRAPH.contains(key)) {
        let path = || format!("/{}", token(key));
        let instead = |_: &Diagnostics| format!("move it to config.{key}");
        unknown.say(key, path, || "the graph".to_owned(), instead);
    }
    for (place, node) in nodes {
        let id = || format!("node {}", quoted(node.id.as_str()));
        for key in fields(&node.extra, &NODE_OF_CANVAS) {
            let path = || format!("/nodes/{place}/{}", token(key));
            unknown.say(key, path, id, |found| in_node(key, found));
        }
        for key in fields(&node.data.config.extra, &CONFIG_OF_STUDIO) {
            let path = || format!("/nodes/{place}/data/config/{}", token(key));
            let of = || format!("the config of {}", id());
            unknown.say(key, path, of, |found| near(key, &CONFIG, found));
        }
    }
    for (place, edge) in edges {
        let id = || format!("edge {}", quoted(edge.id.as_str()));
        for key in fields(&edge.extra, &EDGE_OF_CANVAS) {
            let path = || format!("/edges/{place}/{}", token(key));
            unknown.say(key, path, id, |found| near(key, &EDGE, found));
        }
        // How a canvas draws the edge, unless it is a kind.
        if let Some(Json::String(kind)) = edge.extra.get("type")
            && matches!(kind.as_str(), "error" | "finally")
        {
            let path = || format!("/edges/{place}/type");
            let instead = |_: &Diagnostics| format!("did you mean \"kind\": \"{kind}\"?");
            unknown.say("type", path, id, instead);
        }
    }
    if unknown.said > MOST {
        let message = format!(
            "{} more settings are not known; they are not listed",
            unknown.said - MOST
        );
        let suggestion = Some("mend these, then compile again".to_owned());
        found.warning(Code::UnknownSetting, "", message, suggestion);
    }
}

/// The fields that say something and that nobody knows. A name that begins with `$`, `_` or `x-` is its
/// author's.
fn fields<'a>(extra: &'a Map<String, Json>, known: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let all = extra.iter().filter(|(_, value)| !value.is_null());
    let keys = all.map(|(key, _)| key.as_str());
    keys.filter(|key| !known.contains(key) && !key.starts_with(['$', '_']))
        .filter(|key| !key.starts_with("x-"))
}

struct Unknown<'a> {
    found: &'a mut Diagnostics,
    said: usize,
}

impl Unknown<'_> {
    fn say(
        &mut self,
        key: &str,
        path: impl Fn() -> String,
        of: impl Fn() -> String,
        instead: impl Fn(&Diagnostics) -> String,
    ) {
        self.said += 1;
        if self.said > MOST || self.found.is_full() {
            return;
        }
        let message = format!("{} has no setting {}: nothing reads it", of(), quoted(key));
        let suggestion = instead(self.found);
        let path = path();
        self.found
            .warning(Code::UnknownSetting, path, message, Some(suggestion));
    }
}

fn in_node(key: &str, found: &Diagnostics) -> String {
    if CONFIG.contains(&key) {
        return format!("move it to data.config.{key}");
    }
    let known: Vec<&str> = NODE.into_iter().chain(CONFIG).collect();
    match near_name(key, &known, found) {
        Some(name) if CONFIG.contains(&name) => format!("did you mean data.config.{name}?"),
        Some(name) => format!("did you mean {name}?"),
        None => "settings stand in data.config; what is for people may stand in data".to_owned(),
    }
}

fn near(key: &str, known: &[&str], found: &Diagnostics) -> String {
    match near_name(key, known, found) {
        Some(name) => format!("did you mean {name}?"),
        None => format!("known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::workflow::{NodeConfig, WorkflowConfig};

    /// The names are those that reading knows.
    #[test]
    fn the_names_are_those_that_are_read() {
        let properties = |schema: schemars::Schema| -> BTreeSet<String> {
            let fields = schema.get("properties").and_then(Json::as_object);
            fields.unwrap().keys().cloned().collect()
        };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let config: BTreeSet<String> = names(&CONFIG);
        assert_eq!(properties(schemars::schema_for!(NodeConfig)), config);
        let of_graph: BTreeSet<String> = names(&CONFIG_OF_GRAPH);
        assert_eq!(properties(schemars::schema_for!(WorkflowConfig)), of_graph);
        let node: BTreeSet<String> = names(&NODE);
        assert_eq!(properties(schemars::schema_for!(GraphNode)), node);
        let edge: BTreeSet<String> = names(&EDGE);
        assert_eq!(properties(schemars::schema_for!(GraphEdge)), edge);
    }
}
