//! The order of the nodes, and the plan in that order.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, OnceLock},
};

use hashbrown::HashMap;
use serde_json::Map;

use super::{
    super::{
        Code, Diagnostics, Graph, GraphEdge, GraphNode, Mapping, Plan, PlanNode, WorkflowConfig,
        diagnostic::quoted, lists::Lists, plan::Group,
    },
    bind::Bound,
    connect::Connected,
    definition::Source,
};
use crate::{
    WorkflowId,
    event::NodeRef,
    schedule::{EdgeKind, NodeIx, Topology},
};

/// The nodes in topological order, ties by their place in the graph; `None` where there is none.
pub(super) fn order(
    nodes: &[(usize, &GraphNode)],
    connected: &Connected,
    roots: Option<Vec<usize>>,
    found: &mut Diagnostics,
) -> Option<Vec<usize>> {
    let targets = Lists::new(
        nodes.len(),
        connected
            .edges
            .iter()
            .map(|e| (e.source as usize, e.target as usize)),
    );
    if let Some(roots) = roots {
        let roots = roots.into_iter().chain(connected.dangling.iter().copied());
        unreachable_nodes(nodes, &targets, roots, found);
    }
    // Often people write a node after what it depends on; then that is the order.
    if connected.edges.iter().all(|edge| edge.source < edge.target) {
        return Some((0..nodes.len()).collect());
    }
    let mut missing = connected.incoming.clone();
    let mut ready: BinaryHeap<Reverse<usize>> = (0..nodes.len())
        .filter(|at| missing[*at] == 0)
        .map(Reverse)
        .collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for &target in targets.of(node) {
            let target = target as usize;
            missing[target] -= 1;
            if missing[target] == 0 {
                ready.push(Reverse(target));
            }
        }
    }
    if order.len() == nodes.len() {
        return Some(order);
    }
    name_cycle(nodes, connected, &missing, found);
    None
}

fn unreachable_nodes(
    nodes: &[(usize, &GraphNode)],
    targets: &Lists,
    roots: impl Iterator<Item = usize>,
    found: &mut Diagnostics,
) {
    let mut reached = vec![false; nodes.len()];
    let mut stack: Vec<usize> = roots.collect();
    while let Some(node) = stack.pop() {
        if !std::mem::replace(&mut reached[node], true) {
            stack.extend(targets.of(node).iter().map(|target| *target as usize));
        }
    }
    for (at, (place, node)) in nodes.iter().enumerate() {
        if !reached[at] {
            let message = format!(
                "no path leads from the entry point to node {}",
                quoted(node.id.as_str())
            );
            let suggestion = Some("connect it, or remove it".to_owned());
            found.error(
                Code::UnreachableNode,
                format!("/nodes/{place}"),
                message,
                suggestion,
            );
        }
    }
}

/// Names one circle among the nodes that could not be ordered.
fn name_cycle(
    nodes: &[(usize, &GraphNode)],
    connected: &Connected,
    missing: &[u32],
    found: &mut Diagnostics,
) {
    // Each of these has a source among them: going back from one must come round.
    let sources = Lists::new(
        nodes.len(),
        connected
            .edges
            .iter()
            .map(|e| (e.target as usize, e.source as usize)),
    );
    let Some(start) = (0..nodes.len()).find(|at| missing[*at] > 0) else {
        return;
    };
    let mut seen: HashMap<usize, usize> = HashMap::new();
    let mut path = Vec::new();
    let mut at = start;
    while !seen.contains_key(&at) {
        seen.insert(at, path.len());
        path.push(at);
        let back = sources
            .of(at)
            .iter()
            .map(|s| *s as usize)
            .find(|s| missing[*s] > 0);
        let Some(back) = back else { return };
        at = back;
    }
    let mut circle: Vec<usize> = path[seen[&at]..].to_vec();
    circle.reverse();
    let first = circle
        .iter()
        .enumerate()
        .min_by_key(|(_, node)| **node)
        .map_or(0, |(i, _)| i);
    circle.rotate_left(first);
    let mut names: Vec<_> = circle
        .iter()
        .map(|at| quoted(nodes[*at].1.id.as_str()))
        .collect();
    names.push(quoted(nodes[circle[0]].1.id.as_str()));
    const SHOWN: usize = 12;
    if names.len() > SHOWN {
        let left = names.len() - SHOWN;
        names.splice(SHOWN / 2..SHOWN / 2 + left, [format!("… ({left} more) …")]);
    }
    let edge = connected
        .edges
        .iter()
        .find(|e| (e.source as usize, e.target as usize) == (circle[circle.len() - 1], circle[0]));
    let path = edge.map_or_else(
        || "/edges".to_owned(),
        |edge| format!("/edges/{}", edge.place),
    );
    let message = format!("edges lead in a circle: {}", names.join(" → "));
    let suggestion = Some("remove one edge of the circle".to_owned());
    found.error(Code::Cycle, path, message, suggestion);
}

#[expect(
    clippy::too_many_arguments,
    reason = "everything that was found goes into the plan"
)]
pub(super) fn plan(
    graph: &Graph,
    nodes: &[(usize, &GraphNode)],
    edges: &[(usize, &GraphEdge)],
    bound: Vec<Option<Bound>>,
    connected: &Connected,
    order: &[usize],
    entrypoint: usize,
    found: &mut Diagnostics,
) -> Option<Plan> {
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let mut place = vec![0_u32; nodes.len()];
    for (at, node) in order.iter().enumerate() {
        place[*node] = narrow(at);
    }
    let mut bound = bound;
    let mut topology = Topology::builder();
    for node in order {
        topology.add_node(bound[*node].as_ref()?.join);
    }
    for link in &connected.edges {
        let end = |node: u32| NodeIx(place[node as usize]);
        topology.add_edge(end(link.source), end(link.target), link.kind, link.port);
    }
    let topology = match topology.build() {
        Ok(topology) => Arc::new(topology),
        Err(error) => {
            let suggestion = Some("remove one edge of the circle".to_owned());
            found.error(Code::Cycle, "/edges", error.to_string(), suggestion);
            return None;
        }
    };
    let (groups, group_of) = groups(nodes, order, found);
    let mut source = Source::new(graph, edges, connected);
    let mut planned = Vec::with_capacity(nodes.len());
    for (at, node) in order.iter().enumerate() {
        let mut bound = bound[*node].take()?;
        let secret_params = bound
            .params
            .as_ref()
            .filter(|_| bound.secret_params)
            .cloned();
        source.add(nodes[*node].1, bound.params.take());
        let of_node = connected.mappings_of(*node).iter();
        let mappings: Box<[Mapping]> = of_node
            .map(|mapping| Mapping {
                source: NodeIx(place[mapping.source.0 as usize]),
                ..*mapping
            })
            .collect();
        let direct = bound.overrides.is_empty()
            && !bound.secret_params
            && mappings
                .windows(2)
                .all(|pair| pair[0].input != pair[1].input)
            && mappings.iter().all(|mapping| {
                mapping.identical && mapping.port.is_some() && mapping.kind != EdgeKind::Error
            })
            && bound
                .inputs
                .iter()
                .all(|port| port.default.is_none() && !port.has_limits());
        planned.push(PlanNode {
            node: NodeRef::at(nodes[*node].1.id.clone(), narrow(at)),
            definition: bound.component.definition().clone(),
            component: bound.reference,
            source: bound.component,
            bound: bound.node?,
            output_ids: bound.output_ids,
            mappings,
            overrides: bound.overrides,
            secret_params,
            join: bound.join,
            retry: bound.retry,
            timeout: bound.timeout,
            heartbeat_timeout: bound.heartbeat_timeout,
            group: group_of[*node],
            direct,
        });
    }
    let workflow_id = graph
        .id
        .clone()
        .unwrap_or_else(|| WorkflowId::from(slug(&graph.name)));
    Some(Plan {
        workflow_id,
        topology,
        nodes: planned,
        entrypoint: NodeIx(place[entrypoint]),
        config: WorkflowConfig {
            extra: Map::new(),
            ..graph.config.clone()
        },
        groups,
        source,
        definition: OnceLock::new(),
        hash: OnceLock::new(),
    })
}

/// A stable name from a title, of what every place takes that keeps things by their names.
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars().take(100) {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        "workflow".to_owned()
    } else {
        slug.to_owned()
    }
}

/// Groups with their limits, and the group of each node. Nodes of one group share the smallest
/// limit that any of them gives; a node with a limit and no group is a group of its own.
fn groups(
    nodes: &[(usize, &GraphNode)],
    order: &[usize],
    found: &mut Diagnostics,
) -> (Vec<Group>, Vec<Option<u32>>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut by_name: HashMap<&str, u32> = HashMap::new();
    let mut of = vec![None; nodes.len()];
    for &at in order {
        let (place, node) = nodes[at];
        let config = &node.data.config;
        let new = |groups: &mut Vec<Group>| {
            groups.push(Group {
                limit: config.max_concurrency.unwrap_or(u32::MAX),
            });
            u32::try_from(groups.len() - 1).unwrap_or(u32::MAX)
        };
        match (&config.group_id, config.max_concurrency) {
            (Some(name), limit) => {
                let group = *by_name
                    .entry(name.as_str())
                    .or_insert_with(|| new(&mut groups));
                let known = &mut groups[group as usize].limit;
                if let Some(limit) = limit {
                    if *known != u32::MAX && *known != limit {
                        let message = format!(
                            "nodes of group {} give different limits; the smallest holds",
                            quoted(name)
                        );
                        let path = format!("/nodes/{place}/data/config/maxConcurrency");
                        let suggestion = Some("give the limit once".to_owned());
                        found.warning(Code::GroupLimits, path, message, suggestion);
                    }
                    *known = (*known).min(limit);
                }
                of[at] = Some(group);
            }
            (None, Some(_)) => of[at] = Some(new(&mut groups)),
            (None, None) => {}
        }
    }
    (groups, of)
}
