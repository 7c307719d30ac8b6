//! Edges one by one: nodes, ports, types, and what each input is fed from.

use hashbrown::{HashMap, HashSet};

use super::{
    super::{Code, Diagnostics, EdgeKind, GraphEdge, GraphNode, diagnostic::quoted},
    bind::{Bound, narrow, near_port, unknown_port},
    pass::check_id,
};
use crate::{
    component::{PortSpec, PortType},
    schedule::{Join, NodeIx, PortIx},
    workflow::Mapping,
};

/// The edges by index; nodes are numbered as in the graph.
pub(super) struct Connected {
    pub(super) edges: Vec<Link>,
    /// Per node, ascending by input.
    pub(super) mappings: Vec<Vec<Mapping>>,
    pub(super) incoming: Vec<u32>,
}

#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) source: usize,
    pub(super) target: usize,
    pub(super) kind: EdgeKind,
    pub(super) port: Option<PortIx>,
    /// Place in the graph's list of edges.
    pub(super) place: usize,
}

pub(super) fn connect(
    nodes: &[(usize, &GraphNode)],
    edges: &[(usize, &GraphEdge)],
    index: &HashMap<&str, usize>,
    bound: &[Option<Bound>],
    found: &mut Diagnostics,
) -> Connected {
    let mut connected = Connected {
        edges: Vec::with_capacity(edges.len()),
        mappings: vec![Vec::new(); nodes.len()],
        incoming: vec![0; nodes.len()],
    };
    let mut ids: HashSet<&str> = HashSet::with_capacity(edges.len());
    for (place, edge) in edges {
        check_id(found, &format_args!("/edges/{place}/id"), edge.id.as_str());
        if !ids.insert(edge.id.as_str()) {
            let message = format!("edge id {} is taken", quoted(edge.id.as_str()));
            let suggestion = Some("give each edge an id of its own".to_owned());
            found.error(
                Code::DuplicateEdge,
                format!("/edges/{place}/id"),
                message,
                suggestion,
            );
        }
        let mut end = |field: &str, id: &str| {
            let node = index.get(id).copied();
            if node.is_none() {
                let message = format!("there is no node {}", quoted(id));
                let suggestion = near_node(id, nodes);
                found.error(
                    Code::UnknownNode,
                    format!("/edges/{place}/{field}"),
                    message,
                    suggestion,
                );
            }
            node
        };
        let ends = (
            end("source", edge.source.as_str()),
            end("target", edge.target.as_str()),
        );
        if let (Some(source), Some(target)) = ends {
            link(
                *place,
                edge,
                source,
                target,
                nodes,
                bound,
                &mut connected,
                found,
            );
        }
    }
    for (at, mappings) in connected.mappings.iter_mut().enumerate() {
        mappings.sort_by_key(|mapping| mapping.input);
        if let Some(bound) = &bound[at] {
            check_inputs(nodes[at], bound, mappings, connected.incoming[at], found);
        }
    }
    connected
}

fn near_node(id: &str, nodes: &[(usize, &GraphNode)]) -> Option<String> {
    // On a large graph a suggestion is not worth a look at every node for every edge.
    const MANY: usize = 2000;
    if nodes.len() > MANY {
        return None;
    }
    let likeness = |node: &&GraphNode| strsim::jaro_winkler(node.id.as_str(), id);
    let best = nodes
        .iter()
        .map(|(_, node)| *node)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) > 0.8).then(|| format!("did you mean {}?", quoted(best.id.as_str())))
}

#[expect(
    clippy::too_many_arguments,
    reason = "one edge with all that it is checked against"
)]
fn link(
    place: usize,
    edge: &GraphEdge,
    source: usize,
    target: usize,
    nodes: &[(usize, &GraphNode)],
    bound: &[Option<Bound>],
    connected: &mut Connected,
    found: &mut Diagnostics,
) {
    let find = |way: &str,
                id: &crate::PortId,
                node: usize,
                ports: &[PortSpec],
                found: &mut Diagnostics| {
        let index = ports.iter().position(|port| port.id == *id);
        if index.is_none() {
            let field = if way == "output" {
                "sourceHandle"
            } else {
                "targetHandle"
            };
            let message = unknown_port(way, id, nodes[node].1, ports);
            let path = format!("/edges/{place}/{field}");
            found.error(Code::UnknownPort, path, message, near_port(id, ports));
        }
        index
    };
    let output = match (&edge.source_handle, &bound[source]) {
        (Some(id), Some(bound)) => find("output", id, source, bound.node.outputs(), found),
        _ => None,
    };
    let input = match (&edge.target_handle, &bound[target]) {
        (Some(id), Some(bound)) => find("input", id, target, bound.node.inputs(), found),
        _ => None,
    };
    connected.incoming[target] += 1;
    connected.edges.push(Link {
        source,
        target,
        kind: edge.kind,
        port: output.map(|port| PortIx(narrow(port))),
        place,
    });
    let (Some(input), Some(from), Some(to)) = (input, &bound[source], &bound[target]) else {
        return;
    };
    if edge.source_handle.is_some() && output.is_none() {
        return;
    }
    let to = &to.node.inputs()[input];
    let (from_type, from_rust) = match output {
        Some(port) => {
            let port = &from.node.outputs()[port];
            (port.port_type.clone(), port.rust_type)
        }
        // The whole output object; of an error edge, the error.
        None => (PortType::Json, None),
    };
    if output.is_some() && !from_type.connects_to(&to.port_type, to.lift)
        || output.is_none() && to.port_type == PortType::Secret
    {
        let message = format!(
            "an output of type {from_type} ({}.{}) does not fit an input of type {} ({}.{})",
            nodes[source].1.id,
            edge.source_handle.as_ref().map_or("*", |id| id.as_str()),
            to.port_type,
            nodes[target].1.id,
            to.id
        );
        let suggestion =
            Some("connect ports whose types fit, or put a converting node between".to_owned());
        found.error(
            Code::IncompatibleTypes,
            format!("/edges/{place}"),
            message,
            suggestion,
        );
        return;
    }
    let identical =
        to.port_type == PortType::Any || (from_rust.is_some() && from_rust == to.rust_type);
    let source = NodeIx(u32::try_from(source).unwrap_or(u32::MAX));
    let port = output.map(narrow);
    let mapping = Mapping::new(narrow(input), source, port, identical, edge.kind);
    connected.mappings[target].push(mapping);
}

fn check_inputs(
    (place, node): (usize, &GraphNode),
    bound: &Bound,
    mappings: &[Mapping],
    incoming: u32,
    found: &mut Diagnostics,
) {
    let ports = bound.node.inputs();
    for pair in mappings.windows(2) {
        let port = &ports[usize::from(pair[0].input)];
        // A node that starts on one of several edges takes the value of the one that fired.
        let one_of_several = !matches!(bound.join, Join::All);
        let is_list = matches!(port.port_type, PortType::List(_));
        if pair[0].input == pair[1].input && !one_of_several && !is_list {
            let message = format!(
                "several edges enter port {} of node {}, which takes one value",
                port.id,
                quoted(node.id.as_str())
            );
            let suggestion = Some("keep one edge, or join the values in a node before".to_owned());
            found.error(
                Code::SeveralConnections,
                format!("/nodes/{place}"),
                message,
                suggestion,
            );
        }
    }
    for (index, port) in ports.iter().enumerate() {
        let index = narrow(index);
        let fed = mappings
            .binary_search_by_key(&index, |mapping| mapping.input)
            .is_ok()
            || bound.overrides.iter().any(|(input, _)| *input == index)
            || port.default.is_some();
        if port.required && !fed {
            let message = format!(
                "input {} of node {} must have a value, and has none",
                port.id,
                quoted(node.id.as_str())
            );
            let suggestion =
                Some("connect an output to it, or set it under inputOverrides".to_owned());
            found.error(
                Code::MissingInput,
                format!("/nodes/{place}"),
                message,
                suggestion,
            );
        }
    }
    if let Join::Quorum(n) = bound.join
        && (n == 0 || n > incoming)
    {
        let message = format!(
            "quorum:{n} can never be reached: {incoming} edges enter node {}",
            quoted(node.id.as_str())
        );
        let suggestion = Some(format!("give 1 to {incoming}"));
        let path = format!("/nodes/{place}/data/config/joinStrategy");
        found.error(Code::InvalidJoin, path, message, suggestion);
    }
}
