//! A plan from a stored definition: names bound to components again.

use std::sync::Arc;

use hashbrown::HashSet;

use super::{
    ActionDefinition, Code, Definition, Diagnostics, EdgeDefinition, Graph, GraphEdge, GraphNode,
    Join, NodeConfig, NodeData, Plan, compile, diagnostic::quoted,
};
use crate::{component::Registry, pointer};

/// The version of the format of definitions that is read and written.
const FORMAT: u32 = 1;

impl Plan {
    /// Makes the plan of a stored definition, such as the first `WORKFLOW_STATUS` event of a run
    /// holds. A definition names components; the registry binds them, each in the very version
    /// that it names.
    ///
    /// The plan has the nodes in the order of the definition's actions, and its own definition and
    /// hash are those of the one given.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use shipsec_core::{Registry, workflow::{Definition, EntryPoint, Graph, Plan, compile}};
    ///
    /// let mut registry = Registry::new();
    /// registry.register_dyn(Arc::new(EntryPoint::new()))?;
    /// let graph = Graph::from_json(
    ///     r#"{"name": "One", "nodes": [{"id": "start", "type": "core.workflow.entrypoint"}]}"#,
    /// )?;
    /// let plan = compile(&graph, &registry)?.plan;
    ///
    /// let stored = serde_json::to_string(plan.definition())?;
    /// let definition: Definition = serde_json::from_str(&stored)?;
    /// let restored = Plan::from_definition(&definition, &registry)?;
    /// assert_eq!(restored.hash(), plan.hash());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Every problem at once, with paths into the definition: components or versions that the
    /// registry does not have ([`Code::UnknownComponent`], saying which it has), whatever else
    /// [`compile`](super::compile()) would say, and [`Code::InvalidDefinition`] where the parts of
    /// the definition contradict each other or its format is not one that is read.
    pub fn from_definition(
        definition: &Definition,
        registry: &Registry,
    ) -> Result<Arc<Self>, Diagnostics> {
        let mut found = Diagnostics::default();
        if definition.version != FORMAT {
            let message = format!(
                "format {} of the definition is not read by this version",
                definition.version
            );
            let suggestion = Some(format!("give a definition of format {FORMAT}"));
            found.error(Code::InvalidDefinition, "/version", message, suggestion);
            return Err(found);
        }
        missing(definition, &mut found);
        if found.has_errors() {
            return Err(found);
        }
        let compiled = compile(&graph(definition), registry)
            .map_err(|found| found.with_paths(|path| translated(path, &definition.actions)))?;
        differences(definition, compiled.plan.definition(), &mut found);
        if found.has_errors() {
            return Err(found);
        }
        Ok(compiled.plan)
    }
}

/// Reports nodes that have no action, and actions whose node has no metadata.
fn missing(definition: &Definition, found: &mut Diagnostics) {
    let suggestion = || Some("take the definition as it was stored".to_owned());
    let mut acting = HashSet::with_capacity(definition.actions.len());
    for (at, action) in definition.actions.iter().enumerate() {
        let id = quoted(action.node.as_str());
        acting.insert(&action.node);
        if !definition.nodes.contains_key(&action.node) {
            let message = format!("node {id} has an action and no metadata under /nodes");
            let path = format!("/actions/{at}/ref");
            found.error(Code::InvalidDefinition, path, message, suggestion());
        }
    }
    for id in definition.nodes.keys().filter(|id| !acting.contains(id)) {
        let message = format!("node {} has no action", quoted(id.as_str()));
        let path = format!("/nodes/{}", pointer::token(id.as_str()));
        found.error(Code::InvalidDefinition, path, message, suggestion());
    }
}

/// Reports what the definition says and its edges and components do not bear out.
fn differences(given: &Definition, made: &Definition, found: &mut Diagnostics) {
    let mut differs = |path: String, what: &str| {
        let message = format!("{what} is not what follows from the actions and edges");
        let suggestion = Some("take the definition as it was stored".to_owned());
        found.error(Code::InvalidDefinition, path, message, suggestion);
    };
    if given.entrypoint != made.entrypoint {
        differs("/entrypoint".to_owned(), "the entry point");
    }
    if given.dependency_counts != made.dependency_counts {
        differs(
            "/dependencyCounts".to_owned(),
            "the number of edges by node",
        );
    }
    for (at, (given, made)) in given.actions.iter().zip(&made.actions).enumerate() {
        if given.node != made.node {
            differs("/actions".to_owned(), "the order of the actions");
            return;
        }
        if given.depends_on != made.depends_on {
            differs(format!("/actions/{at}/dependsOn"), "the list of sources");
        }
        if given.input_mappings != made.input_mappings {
            differs(format!("/actions/{at}/inputMappings"), "the list of inputs");
        }
    }
    for (id, metadata) in &given.nodes {
        if metadata.node != *id {
            let path = format!("/nodes/{}/ref", pointer::token(id.as_str()));
            differs(path, "the name of the node");
        }
    }
}

/// The graph that the definition was made of, as far as running goes.
fn graph(definition: &Definition) -> Graph {
    Graph {
        id: Some(definition.workflow_id.clone()),
        name: definition.title.clone(),
        description: definition.description.clone(),
        nodes: definition
            .actions
            .iter()
            .map(|action| node(definition, action))
            .collect(),
        edges: definition.edges.iter().map(edge).collect(),
        config: definition.config.clone(),
        ..Graph::default()
    }
}

fn node(definition: &Definition, action: &ActionDefinition) -> GraphNode {
    let metadata = definition.nodes.get(&action.node);
    let join = metadata.map(|metadata| metadata.join_strategy);
    GraphNode {
        id: action.node.clone(),
        component: action.component_id.clone(),
        version: Some(action.component_version.to_string()),
        position: metadata.and_then(|metadata| metadata.position),
        data: NodeData {
            label: metadata.and_then(|metadata| metadata.label.clone()),
            config: NodeConfig {
                params: action.params.clone(),
                input_overrides: action.input_overrides.clone(),
                join_strategy: join
                    .filter(|join| *join != Join::All)
                    .map(|join| join.to_string()),
                max_concurrency: metadata.and_then(|metadata| metadata.max_concurrency),
                group_id: metadata.and_then(|metadata| metadata.group_id.clone()),
                stream_id: metadata.and_then(|metadata| metadata.stream_id.clone()),
                retry: action.retry.clone(),
                timeout_seconds: action.timeout_seconds,
                for_each: action.for_each.clone(),
                extra: serde_json::Map::new(),
            },
            extra: serde_json::Map::new(),
        },
        extra: serde_json::Map::new(),
    }
}

fn edge(edge: &EdgeDefinition) -> GraphEdge {
    GraphEdge {
        id: edge.id.clone(),
        source: edge.source_ref.clone(),
        target: edge.target_ref.clone(),
        source_handle: edge.source_handle.clone(),
        target_handle: edge.target_handle.clone(),
        kind: edge.kind,
        extra: serde_json::Map::new(),
    }
}

/// A path into the graph as one into the definition that it was made of.
fn translated(path: &str, actions: &[ActionDefinition]) -> String {
    let mut tokens = path.splitn(4, '/').skip(1);
    let (Some(list), Some(at)) = (tokens.next(), tokens.next()) else {
        return path.replace("/nodes", "/actions");
    };
    let rest = tokens.next();
    match (list, rest) {
        ("edges", Some(end @ ("source" | "target"))) => format!("/edges/{at}/{end}Ref"),
        ("nodes", None) => format!("/actions/{at}"),
        ("nodes", Some("id")) => format!("/actions/{at}/ref"),
        ("nodes", Some("type")) => format!("/actions/{at}/componentId"),
        ("nodes", Some("version")) => format!("/actions/{at}/componentVersion"),
        ("nodes", Some(rest)) => {
            let setting = rest.strip_prefix("data/config/").unwrap_or(rest);
            match setting {
                "joinStrategy" | "maxConcurrency" | "groupId" | "streamId" => {
                    let action = at.parse().ok().and_then(|at: usize| actions.get(at));
                    let id = action.map_or("", |action| action.node.as_str());
                    format!("/nodes/{}/{setting}", pointer::token(id))
                }
                _ => format!("/actions/{at}/{setting}"),
            }
        }
        _ => path.to_owned(),
    }
}
