//! The immutable shape of a plan: nodes with their joins, edges with their kinds, in CSR arrays.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::join::Join;

/// A node of a [`Topology`], by the order in which it was added, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIx(pub u32);

/// An edge of a [`Topology`], by the order in which it was added, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeIx(pub u32);

/// An output port, by its position among the output ports of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortIx(pub u16);

impl NodeIx {
    pub(super) fn at(self) -> usize {
        self.0 as usize
    }
}

impl std::fmt::Display for NodeIx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::fmt::Display for EdgeIx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::fmt::Display for PortIx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Which outcome of its source makes an edge fire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[repr(u8)]
pub enum EdgeKind {
    /// Fires when the source succeeded and the edge's port is active.
    #[default]
    Success,
    /// Fires when the source failed after its last attempt.
    Error,
    /// Fires when the source reached any outcome.
    Finally,
}

impl EdgeKind {
    /// Whether it is the default.
    pub fn is_success(&self) -> bool {
        *self == Self::Success
    }

    /// This kind as one bit of a set of kinds.
    pub(super) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// One edge of a [`Topology`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edge {
    /// The edge itself.
    pub id: EdgeIx,
    /// The node whose outcome resolves it.
    pub source: NodeIx,
    /// The node whose join it counts for.
    pub target: NodeIx,
    /// When it fires.
    pub kind: EdgeKind,
    /// The output port that it leaves from; without one it only orders.
    pub port: Option<PortIx>,
}

/// Why a [`TopologyBuilder`] could not build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopologyError {
    /// An edge names a node that was not added.
    #[error("edge {edge} names node {node}, but there are only {nodes} nodes: add the node first")]
    UnknownNode {
        /// The edge.
        edge: EdgeIx,
        /// The node that it names.
        node: NodeIx,
        /// How many nodes there are.
        nodes: usize,
    },
    /// Nodes wait for each other in a circle.
    #[error("cycle {}: remove one of its edges", arrows(.nodes))]
    Cycle {
        /// The nodes of the cycle in edge order, lowest first; the last leads to the first.
        nodes: Vec<NodeIx>,
    },
    /// A quorum of none, or of more edges than the node has.
    #[error(
        "node {node} joins on a quorum of {quorum} with {incoming} incoming edges: \
         use a quorum between 1 and the number of edges"
    )]
    QuorumOutOfRange {
        /// The node.
        node: NodeIx,
        /// What it asks for.
        quorum: u32,
        /// How many incoming edges it has.
        incoming: u32,
    },
    /// More nodes or edges than an index can count.
    #[error("{count} {what} are more than the {limit} that one plan can hold: split the workflow")]
    TooMany {
        /// `nodes` or `edges`.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
}

fn arrows(nodes: &[NodeIx]) -> String {
    let mut text = String::new();
    for node in nodes.iter().chain(nodes.first()) {
        if !text.is_empty() {
            text.push_str(" -> ");
        }
        text.push_str(&node.to_string());
    }
    text
}

/// An edge as the scheduler reads it, stored by source.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutEdge {
    pub(super) target: u32,
    port: u16,
    ported: bool,
    pub(super) kind: EdgeKind,
}

impl OutEdge {
    pub(super) fn port(&self) -> Option<PortIx> {
        self.ported.then_some(PortIx(self.port))
    }
}

/// The immutable shape of a plan. One topology can serve any number of runs at once.
///
/// Takes 17 bytes per node and 24 per edge.
///
/// ```
/// use shipsec_core::schedule::{EdgeKind, Join, Topology};
///
/// let mut builder = Topology::builder();
/// let fetch = builder.add_node(Join::All);
/// let report = builder.add_node(Join::Settled);
/// builder.add_edge(fetch, report, EdgeKind::Success, None);
/// let topology = builder.build()?;
/// assert_eq!(topology.node_count(), 2);
/// # Ok::<(), shipsec_core::schedule::TopologyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Topology {
    joins: Vec<Join>,
    /// The kinds of each node's outgoing edges, as a set of bits.
    kinds: Vec<u8>,
    roots: Vec<u32>,
    /// Edges sorted by source, then by id; `slot` means a position in this order.
    out: Vec<OutEdge>,
    out_start: Vec<u32>,
    sources: Vec<u32>,
    ids: Vec<u32>,
    slots: Vec<u32>,
    /// Slots sorted by target, then by id.
    incoming: Vec<u32>,
    in_start: Vec<u32>,
    races: bool,
}

impl Topology {
    /// Starts an empty topology.
    pub fn builder() -> TopologyBuilder {
        TopologyBuilder::default()
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.joins.len()
    }

    /// How many edges there are.
    pub fn edge_count(&self) -> usize {
        self.out.len()
    }

    /// The join of a node.
    ///
    /// # Panics
    /// If the node is not of this topology.
    pub fn join(&self, node: NodeIx) -> Join {
        self.joins[node.at()]
    }

    /// One edge.
    ///
    /// # Panics
    /// If the edge is not of this topology.
    pub fn edge(&self, edge: EdgeIx) -> Edge {
        self.edge_at(self.slot_of(edge))
    }

    /// The edges that leave a node, in the order in which they were added.
    ///
    /// # Panics
    /// If the node is not of this topology.
    pub fn out_edges(&self, node: NodeIx) -> impl Iterator<Item = Edge> + '_ {
        self.out_slots(node.0).map(|slot| self.edge_at(slot))
    }

    /// Whether no edge leaves a node.
    pub(crate) fn is_sink(&self, node: NodeIx) -> bool {
        self.out_slots(node.0).is_empty()
    }

    /// The edges that enter a node, in the order in which they were added.
    ///
    /// # Panics
    /// If the node is not of this topology.
    pub fn in_edges(&self, node: NodeIx) -> impl Iterator<Item = Edge> + '_ {
        self.in_slots(node.0)
            .iter()
            .map(|&slot| self.edge_at(slot as usize))
    }

    /// The nodes without incoming edges, in index order.
    pub fn roots(&self) -> impl Iterator<Item = NodeIx> + '_ {
        self.roots.iter().map(|&node| NodeIx(node))
    }

    pub(super) fn joins(&self) -> &[Join] {
        &self.joins
    }

    pub(super) fn in_degree(&self, node: usize) -> u32 {
        self.in_start[node + 1] - self.in_start[node]
    }

    pub(super) fn out_slots(&self, node: u32) -> Range<usize> {
        let node = node as usize;
        self.out_start[node] as usize..self.out_start[node + 1] as usize
    }

    pub(super) fn in_slots(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.incoming[self.in_start[node] as usize..self.in_start[node + 1] as usize]
    }

    pub(super) fn out(&self) -> &[OutEdge] {
        &self.out
    }

    pub(super) fn source_at(&self, slot: usize) -> u32 {
        self.sources[slot]
    }

    pub(super) fn slot_of(&self, edge: EdgeIx) -> usize {
        self.slots[edge.0 as usize] as usize
    }

    /// Whether an edge of this kind leaves the node.
    pub(super) fn leaves(&self, node: u32, kind: EdgeKind) -> bool {
        self.kinds[node as usize] & kind.bit() != 0
    }

    /// Whether any node joins on the first.
    pub(super) fn races(&self) -> bool {
        self.races
    }

    fn edge_at(&self, slot: usize) -> Edge {
        let edge = &self.out[slot];
        Edge {
            id: EdgeIx(self.ids[slot]),
            source: NodeIx(self.sources[slot]),
            target: NodeIx(edge.target),
            kind: edge.kind,
            port: edge.port(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct NewEdge {
    source: u32,
    out: OutEdge,
}

/// Gathers nodes and edges in any order, and checks them together in [`build`](Self::build).
#[derive(Clone, Debug, Default)]
pub struct TopologyBuilder {
    joins: Vec<Join>,
    edges: Vec<NewEdge>,
}

impl TopologyBuilder {
    /// Adds a node.
    pub fn add_node(&mut self, join: Join) -> NodeIx {
        let node = NodeIx(index(self.joins.len()));
        self.joins.push(join);
        node
    }

    /// Adds an edge; several may lead from one node to the same other.
    ///
    /// `port` is the output port that the edge leaves from. It decides only when the source
    /// succeeds with some ports active, and only for [`EdgeKind::Success`].
    pub fn add_edge(
        &mut self,
        source: NodeIx,
        target: NodeIx,
        kind: EdgeKind,
        port: Option<PortIx>,
    ) -> EdgeIx {
        let edge = EdgeIx(index(self.edges.len()));
        let (port, ported) = port.map_or((0, false), |port| (port.0, true));
        let out = OutEdge {
            target: target.0,
            port,
            ported,
            kind,
        };
        self.edges.push(NewEdge {
            source: source.0,
            out,
        });
        edge
    }

    /// Checks what was added and lays it out.
    ///
    /// # Errors
    /// The first problem found: too many nodes or edges, an edge to an unknown node, a quorum
    /// that can never be reached (or is always), a cycle.
    pub fn build(self) -> Result<Topology, TopologyError> {
        let Self { joins, edges } = self;
        let nodes = joins.len();
        limit("nodes", nodes)?;
        limit("edges", edges.len())?;

        let mut out_start = vec![0u32; nodes + 1];
        let mut in_start = vec![0u32; nodes + 1];
        let mut kinds = vec![0u8; nodes];
        let mut forward = true;
        for (id, edge) in edges.iter().enumerate() {
            for node in [edge.source, edge.out.target] {
                if node as usize >= nodes {
                    let (edge, node) = (EdgeIx(index(id)), NodeIx(node));
                    return Err(TopologyError::UnknownNode { edge, node, nodes });
                }
            }
            out_start[edge.source as usize + 1] += 1;
            in_start[edge.out.target as usize + 1] += 1;
            kinds[edge.source as usize] |= edge.out.kind.bit();
            forward &= edge.source < edge.out.target;
        }
        for node in 0..nodes {
            if let Join::Quorum(quorum) = joins[node]
                && !(1..=in_start[node + 1]).contains(&quorum)
            {
                let (node, incoming) = (NodeIx(index(node)), in_start[node + 1]);
                return Err(TopologyError::QuorumOutOfRange {
                    node,
                    quorum,
                    incoming,
                });
            }
        }
        let roots = (0..nodes)
            .filter(|&node| in_start[node + 1] == 0)
            .map(index)
            .collect();
        for node in 0..nodes {
            out_start[node + 1] += out_start[node];
            in_start[node + 1] += in_start[node];
        }

        let nowhere = OutEdge {
            target: 0,
            port: 0,
            ported: false,
            kind: EdgeKind::Success,
        };
        let mut out = vec![nowhere; edges.len()];
        let mut sources = vec![0u32; edges.len()];
        let mut ids = vec![0u32; edges.len()];
        let mut slots = vec![0u32; edges.len()];
        let mut incoming = vec![0u32; edges.len()];
        let mut next_out = out_start.clone();
        let mut next_in = in_start.clone();
        for (id, edge) in edges.iter().enumerate() {
            let slot = take(&mut next_out[edge.source as usize]);
            out[slot] = edge.out;
            sources[slot] = edge.source;
            ids[slot] = index(id);
            slots[id] = index(slot);
            incoming[take(&mut next_in[edge.out.target as usize])] = index(slot);
        }

        let races = joins.contains(&Join::First);
        let topology = Topology {
            joins,
            kinds,
            roots,
            out,
            out_start,
            sources,
            ids,
            slots,
            incoming,
            in_start,
            races,
        };
        // Edges that all lead to a later node cannot close a circle.
        match if forward { None } else { find_cycle(&topology) } {
            Some(nodes) => Err(TopologyError::Cycle { nodes }),
            None => Ok(topology),
        }
    }
}

fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

fn take(next: &mut u32) -> usize {
    let at = *next as usize;
    *next += 1;
    at
}

fn limit(what: &'static str, count: usize) -> Result<(), TopologyError> {
    // The highest index stays free: it is what an index that does not fit turns into.
    let limit = u32::MAX as usize;
    if count > limit {
        return Err(TopologyError::TooMany { what, count, limit });
    }
    Ok(())
}

/// Takes away nodes that wait for nothing; what is left over waits in a circle, or behind one.
fn find_cycle(topology: &Topology) -> Option<Vec<NodeIx>> {
    let nodes = topology.node_count();
    let mut waiting: Vec<u32> = (0..nodes).map(|node| topology.in_degree(node)).collect();
    let mut ready = topology.roots.clone();
    while let Some(node) = ready.pop() {
        for slot in topology.out_slots(node) {
            let target = topology.out[slot].target;
            waiting[target as usize] -= 1;
            if waiting[target as usize] == 0 {
                ready.push(target);
            }
        }
    }

    // Everything left over waits for something left over: walking upstream comes back at last.
    let mut node = index(waiting.iter().position(|&open| open > 0)?);
    let mut step_of = vec![None; nodes];
    let mut walked = Vec::new();
    loop {
        if let Some(step) = step_of[node as usize] {
            let mut cycle: Vec<NodeIx> = walked.split_off(step);
            cycle.reverse();
            let lowest = (0..cycle.len()).min_by_key(|&at| cycle[at])?;
            cycle.rotate_left(lowest);
            return Some(cycle);
        }
        step_of[node as usize] = Some(walked.len());
        walked.push(NodeIx(node));
        node = topology
            .in_slots(node)
            .iter()
            .map(|&slot| topology.sources[slot as usize])
            .find(|&source| waiting[source as usize] > 0)?;
    }
}
