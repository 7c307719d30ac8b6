//! The pass over a graph, part by part.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::{
    super::{Code, Diagnostics, ENTRYPOINT, Graph, GraphEdge, GraphNode, Plan, diagnostic::quoted},
    bind::{self, Bound},
    connect::{self, Connected},
    order, settings,
};
use crate::component::Registry;

/// A graph that compiled.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Compiled {
    /// The plan, ready to run.
    pub plan: Arc<Plan>,
    /// What somebody should look at.
    pub warnings: Diagnostics,
}

/// Compiles a graph against the components of a registry.
///
/// Nodes that only the canvas knows (types `core.ui.…` and `ui.…`) and the edges that touch them
/// are dropped first.
///
/// # Errors
///
/// Every problem at once, each with its code, its place in the graph, and what to do.
pub fn compile(graph: &Graph, registry: &Registry) -> Result<Compiled, Diagnostics> {
    let mut found = Diagnostics::default();
    let nodes: Vec<(usize, &GraphNode)> = graph
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| !is_ui(node))
        .collect();
    let ui: HashSet<&str> = graph
        .nodes
        .iter()
        .filter(|node| is_ui(node))
        .map(|node| node.id.as_str())
        .collect();
    let edges: Vec<(usize, &GraphEdge)> = graph
        .edges
        .iter()
        .enumerate()
        .filter(|(_, edge)| {
            !ui.contains(edge.source.as_str()) && !ui.contains(edge.target.as_str())
        })
        .collect();
    if u32::try_from(nodes.len()).is_err() || u32::try_from(edges.len()).is_err() {
        let message = "a plan has at most 4,294,967,295 nodes and edges";
        let suggestion = Some("split the workflow".to_owned());
        found.error(Code::TooLarge, "", message, suggestion);
        return Err(found);
    }

    let mut index: HashMap<&str, usize> = HashMap::with_capacity(nodes.len());
    for (at, (place, node)) in nodes.iter().enumerate() {
        check_id(
            &mut found,
            &format_args!("/nodes/{place}/id"),
            node.id.as_str(),
        );
        if let Some(first) = index.get(node.id.as_str()) {
            let message = format!(
                "node id {} is taken by /nodes/{}",
                quoted(node.id.as_str()),
                nodes[*first].0
            );
            let suggestion = Some("give each node an id of its own".to_owned());
            found.error(
                Code::DuplicateNode,
                format!("/nodes/{place}/id"),
                message,
                suggestion,
            );
        } else {
            index.insert(node.id.as_str(), at);
        }
    }
    let bound: Vec<Option<Bound>> = bind::bind(&nodes, registry, &mut found);
    let connected: Connected = connect::connect(&nodes, &edges, &index, &bound, &mut found);
    let entrypoint = entrypoint(&nodes, &bound, &mut found);
    // What is a second beginning, or a second node of one name, is not said to be unreachable too.
    let reached =
        |at: usize| is_entry(&nodes, &bound, at) || index.get(nodes[at].1.id.as_str()) != Some(&at);
    let roots = entrypoint.map(|_| (0..nodes.len()).filter(|at| reached(*at)).collect());
    let order = order::order(&nodes, &connected, roots, &mut found);
    bind::check_config(&graph.config, &mut found);
    settings::check(graph, &nodes, &edges, &mut found);
    let (Some(order), Some(entrypoint), false) = (order, entrypoint, found.has_errors()) else {
        return Err(found);
    };
    let plan = order::plan(
        graph, &nodes, &edges, bound, &connected, &order, entrypoint, &mut found,
    );
    match plan {
        Some(plan) => Ok(Compiled {
            plan: Arc::new(plan),
            warnings: found,
        }),
        None => Err(found),
    }
}

/// Whether only the canvas knows the node.
fn is_ui(node: &GraphNode) -> bool {
    let component = node.component.as_str();
    component.starts_with("core.ui.") || component.starts_with("ui.")
}

pub(super) fn check_id(found: &mut Diagnostics, path: &dyn std::fmt::Display, id: &str) {
    if let Some(problem) = id_problem(id) {
        let message = format!("id {} {problem}", quoted(id));
        let suggestion = Some("use letters, digits, '-', '_' and '.'".to_owned());
        found.error(Code::InvalidId, path.to_string(), message, suggestion);
    }
}

/// Why a text is no id.
pub(in super::super) fn id_problem(id: &str) -> Option<&'static str> {
    const LONGEST: usize = 256;
    if id.is_empty() {
        Some("is empty")
    } else if id.len() > LONGEST {
        Some("is longer than 256 bytes")
    } else if !id.bytes().all(|byte| byte.is_ascii_graphic()) && id.chars().any(char::is_control) {
        Some("has control characters")
    } else {
        None
    }
}

fn is_entry(nodes: &[(usize, &GraphNode)], bound: &[Option<Bound>], at: usize) -> bool {
    match &bound[at] {
        Some(bound) => bound.component.definition().entrypoint,
        None => nodes[at].1.component == ENTRYPOINT,
    }
}

fn entrypoint(
    nodes: &[(usize, &GraphNode)],
    bound: &[Option<Bound>],
    found: &mut Diagnostics,
) -> Option<usize> {
    let entries: Vec<usize> = (0..nodes.len())
        .filter(|at| is_entry(nodes, bound, *at))
        .collect();
    match entries.as_slice() {
        [] => {
            let suggestion = Some(format!("add a node of type {}", ENTRYPOINT));
            found.error(
                Code::NoEntryPoint,
                "/nodes",
                "the graph has no entry point",
                suggestion,
            );
            None
        }
        [one] => Some(*one),
        [first, others @ ..] => {
            for at in others {
                let message = format!(
                    "node {} is a second entry point, after {}",
                    quoted(nodes[*at].1.id.as_str()),
                    quoted(nodes[*first].1.id.as_str())
                );
                let suggestion =
                    Some("keep one, and connect what the other feeds to it".to_owned());
                let path = format!("/nodes/{}", nodes[*at].0);
                found.error(Code::SeveralEntryPoints, path, message, suggestion);
            }
            Some(*first)
        }
    }
}
