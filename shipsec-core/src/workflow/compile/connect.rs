//! Edges one by one: nodes, ports, types, and what each input is fed from.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap, HashSet, HashTable, hash_table::Entry};

use super::{
    super::{
        Code, Diagnostics, EdgeKind, GraphEdge, GraphNode,
        diagnostic::{quoted, shown},
    },
    bind::{Bound, LONGEST_NAME, Ports, narrow, near_port, unknown_port},
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
    /// By node, ascending by input; those of one node are `mapped[node]..mapped[node + 1]`.
    pub(super) mappings: Vec<Mapping>,
    pub(super) mapped: Vec<u32>,
    pub(super) incoming: Vec<u32>,
    /// Nodes that an edge from no known node enters.
    pub(super) dangling: Vec<usize>,
}

impl Connected {
    pub(super) fn mappings_of(&self, node: usize) -> &[Mapping] {
        &self.mappings[self.mapped[node] as usize..self.mapped[node + 1] as usize]
    }
}

#[derive(Clone, Copy)]
pub(super) struct Link {
    pub(super) source: u32,
    pub(super) target: u32,
    pub(super) kind: EdgeKind,
    pub(super) port: Option<PortIx>,
    pub(super) input: Option<u16>,
    /// Whether output and input have the same Rust type.
    pub(super) identical: bool,
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
        mappings: Vec::new(),
        mapped: vec![0; nodes.len() + 1],
        incoming: vec![0; nodes.len()],
        dangling: Vec::new(),
    };
    let mut dangling: HashSet<(usize, usize)> = HashSet::new();
    let mut ids = Ids::new(edges);
    let mut ends = Ends {
        index,
        source: None,
        target: None,
    };
    for (at, (place, edge)) in edges.iter().enumerate() {
        check_id(found, &format_args!("/edges/{place}/id"), edge.id.as_str());
        if !ids.insert(at) {
            let message = format!("edge id {} is taken", quoted(edge.id.as_str()));
            let suggestion = Some("give each edge an id of its own".to_owned());
            found.error(
                Code::DuplicateEdge,
                format!("/edges/{place}/id"),
                message,
                suggestion,
            );
        }
        let mut known = |field: &str, id: &str, node: Option<usize>| {
            if node.is_none() {
                let message = format!("there is no node {}", quoted(id));
                let suggestion = near_node(id, nodes, found)
                    .unwrap_or_else(|| "add the node, or remove the edge".to_owned());
                found.error(
                    Code::UnknownNode,
                    format!("/edges/{place}/{field}"),
                    message,
                    Some(suggestion),
                );
            }
            node
        };
        let (source, target) = ends.of(edge);
        let source = known("source", edge.source.as_str(), source);
        let target = known("target", edge.target.as_str(), target);
        match (source, target) {
            (Some(source), Some(target)) => link(
                *place,
                edge,
                source,
                target,
                nodes,
                bound,
                &mut connected,
                found,
            ),
            // That its source is missing is reported; what follows from that need not be.
            (None, Some(target)) => {
                connected.dangling.push(target);
                let input = |bound: &Bound| bound.inputs.find(edge.target_handle.as_ref()?);
                if let Some(input) = bound[target].as_ref().and_then(input) {
                    dangling.insert((target, input));
                }
            }
            (_, None) => {}
        }
    }
    connected.gather(nodes.len());
    for (at, node) in nodes.iter().enumerate() {
        if let Some(bound) = &bound[at] {
            let (mappings, incoming) = (connected.mappings_of(at), connected.incoming[at]);
            let dangling = |input: usize| dangling.contains(&(at, input));
            check_inputs(*node, bound, mappings, incoming, dangling, found);
        }
    }
    connected
}

impl Connected {
    /// Brings what edges pass together by target.
    fn gather(&mut self, nodes: usize) {
        let passing = |link: &Link| Some((link.target as usize, link.input?));
        for (target, _) in self.edges.iter().filter_map(passing) {
            self.mapped[target + 1] += 1;
        }
        for node in 0..nodes {
            self.mapped[node + 1] += self.mapped[node];
        }
        let mut next = self.mapped.clone();
        let nothing = Mapping::new(0, NodeIx(0), None, false, EdgeKind::Success);
        self.mappings = vec![nothing; self.mapped[nodes] as usize];
        for link in &self.edges {
            if let Some((target, input)) = passing(link) {
                let port = link.port.map(|port| port.0);
                self.mappings[next[target] as usize] =
                    Mapping::new(input, NodeIx(link.source), port, link.identical, link.kind);
                next[target] += 1;
            }
        }
        for node in 0..nodes {
            let range = self.mapped[node] as usize..self.mapped[node + 1] as usize;
            self.mappings[range].sort_by_key(|mapping| mapping.input);
        }
    }
}

/// The ids of edges, each by its place: small, so that many fit into the processor's memory.
struct Ids<'a> {
    edges: &'a [(usize, &'a GraphEdge)],
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl<'a> Ids<'a> {
    fn new(edges: &'a [(usize, &'a GraphEdge)]) -> Self {
        Self {
            edges,
            places: HashTable::with_capacity(edges.len()),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// Adds the id of an edge, unless it is taken.
    fn insert(&mut self, at: usize) -> bool {
        let (edges, hasher) = (self.edges, &self.hasher);
        let id = |at: u32| edges[at as usize].1.id.as_str();
        let place = u32::try_from(at).unwrap_or(u32::MAX);
        let hash = |place: &u32| hasher.hash_one(id(*place));
        let same = |other: &u32| id(*other) == id(place);
        match self.places.entry(hash(&place), same, hash) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(place);
                true
            }
        }
    }
}

/// Finds the nodes of edges. Edges often follow each other along a path, or stand by source or by
/// target; then there is nothing to look up.
struct Ends<'a> {
    index: &'a HashMap<&'a str, usize>,
    source: Option<(&'a str, usize)>,
    target: Option<(&'a str, usize)>,
}

impl<'a> Ends<'a> {
    fn of(&mut self, edge: &'a GraphEdge) -> (Option<usize>, Option<usize>) {
        let last = [self.target, self.source];
        let find = |id: &'a str, last: [Option<(&'a str, usize)>; 2]| {
            let known = last.into_iter().flatten().find(|(known, _)| *known == id);
            known.or_else(|| Some((id, *self.index.get(id)?)))
        };
        self.source = find(edge.source.as_str(), last);
        self.target = find(edge.target.as_str(), last);
        let at = |end: Option<(&str, usize)>| end.map(|(_, at)| at);
        (at(self.source), at(self.target))
    }
}

fn near_node(id: &str, nodes: &[(usize, &GraphNode)], found: &Diagnostics) -> Option<String> {
    // On a large graph a suggestion is not worth a look at every node for every edge.
    const MANY: usize = 2000;
    if nodes.len() > MANY || id.len() > LONGEST_NAME || found.is_full() {
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
    let find =
        |way: &str, id: &crate::PortId, node: usize, ports: &Ports, found: &mut Diagnostics| {
            let index = ports.find(id);
            if index.is_none() {
                let field = if way == "output" {
                    "sourceHandle"
                } else {
                    "targetHandle"
                };
                let message = unknown_port(way, id, nodes[node].1, ports);
                let path = format!("/edges/{place}/{field}");
                let suggestion = near_port(id, ports, found);
                found.error(Code::UnknownPort, path, message, suggestion);
            }
            index
        };
    let output = match (&edge.source_handle, &bound[source]) {
        (Some(id), Some(bound)) => find("output", id, source, &bound.outputs, found),
        _ => None,
    };
    let input = match (&edge.target_handle, &bound[target]) {
        (Some(id), Some(bound)) => find("input", id, target, &bound.inputs, found),
        _ => None,
    };
    connected.incoming[target] += 1;
    let mut link = Link {
        source: u32::try_from(source).unwrap_or(u32::MAX),
        target: u32::try_from(target).unwrap_or(u32::MAX),
        kind: edge.kind,
        port: output.map(|port| PortIx(narrow(port))),
        input: input.map(narrow),
        identical: false,
        place,
    };
    let known = edge.source_handle.is_none() || output.is_some();
    if let (Some(input), Some(from), Some(to), true) =
        (input, &bound[source], &bound[target], known)
    {
        let to = &to.inputs[input];
        let output = output.map(|port| &from.outputs[port]);
        let fits = match output {
            Some(from) => from.port_type.connects_to(&to.port_type, to.lift),
            // The whole output object; of an error edge, the error.
            None => to.port_type != PortType::Secret,
        };
        if fits {
            let rust_type = output.and_then(|port| port.rust_type);
            let same = rust_type.is_some() && rust_type == to.rust_type;
            link.identical = to.port_type == PortType::Any || same;
        } else {
            let from = output.map_or(&PortType::Json, |port| &port.port_type);
            let (source, target) = (nodes[source].1, nodes[target].1);
            incompatible(place, edge, (source, from), (target, to), found);
        }
    }
    connected.edges.push(link);
}

fn incompatible(
    place: usize,
    edge: &GraphEdge,
    (source, from): (&GraphNode, &PortType),
    (target, to): (&GraphNode, &PortSpec),
    found: &mut Diagnostics,
) {
    let message = format!(
        "an output of type {from} ({}.{}) does not fit an input of type {} ({}.{})",
        shown(source.id.as_str(), 80),
        edge.source_handle.as_ref().map_or("*", |id| id.as_str()),
        to.port_type,
        shown(target.id.as_str(), 80),
        to.id
    );
    // What fits one by one can be run one by one.
    let items = match from {
        PortType::List(item) => {
            target.data.config.for_each.is_none() && item.connects_to(&to.port_type, false)
        }
        _ => false,
    };
    let suggestion = match items {
        true => &format!(
            "run the node once for each item, with \"forEach\": {{\"input\": \"{}\"}} in its config",
            to.id
        ),
        false => "connect ports whose types fit, or put a converting node between",
    };
    found.error(
        Code::IncompatibleTypes,
        format!("/edges/{place}"),
        message,
        Some(suggestion.to_owned()),
    );
}

fn check_inputs(
    (place, node): (usize, &GraphNode),
    bound: &Bound,
    mappings: &[Mapping],
    incoming: u32,
    dangling: impl Fn(usize) -> bool,
    found: &mut Diagnostics,
) {
    let ports = &bound.inputs;
    let mut told = None;
    for pair in mappings.windows(2) {
        let port = &ports[usize::from(pair[0].input)];
        // A node that starts on one of several edges takes the value of the one that fired.
        let one_of_several = !matches!(bound.join, Join::All);
        let is_list = matches!(port.port_type, PortType::List(_));
        let several = pair[0].input == pair[1].input && told != Some(pair[0].input);
        if several && !one_of_several && !is_list {
            told = Some(pair[0].input);
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
    for (at, port) in ports.iter().enumerate() {
        if !port.required || port.default.is_some() {
            continue;
        }
        let index = narrow(at);
        let fed = mappings
            .binary_search_by_key(&index, |mapping| mapping.input)
            .is_ok()
            || bound.overrides.iter().any(|(input, _)| *input == index)
            || dangling(at);
        if !fed {
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
            "quorum:{n} can never be reached: {incoming} {} node {}",
            if incoming == 1 {
                "edge enters"
            } else {
                "edges enter"
            },
            quoted(node.id.as_str())
        );
        let suggestion = match incoming {
            0 => "leave it out: there is nothing to wait for".to_owned(),
            1 => "give quorum:1, or leave it out".to_owned(),
            _ => format!("give quorum:1 to quorum:{incoming}"),
        };
        let suggestion = Some(suggestion);
        let path = format!("/nodes/{place}/data/config/joinStrategy");
        found.error(Code::InvalidJoin, path, message, suggestion);
    }
}
