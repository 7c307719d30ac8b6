//! Which layer each node is in, and what stands in the layers that an edge passes.

use crate::workflow::lists::Lists;

/// How much a piece of an edge wants to be straight: the middle of a long one most.
const STRAIGHT: [f64; 3] = [1.0, 2.0, 8.0];

/// The nodes in layers, with way-points where edges pass layers: every segment leads from one layer
/// to the next.
#[derive(Debug)]
pub(super) struct Layered {
    /// How many elements are nodes; those after them are way-points.
    pub(super) nodes: usize,
    /// Layer of each element.
    pub(super) layer: Vec<u32>,
    /// How many layers there are.
    pub(super) layers: usize,
    /// Elements of the layer before that lead to each.
    pub(super) above: Lists,
    /// Elements of the layer after that each leads to.
    pub(super) below: Lists,
    /// Weights of `above` and `below`, in step with them.
    pub(super) pull_above: Vec<f64>,
    pub(super) pull_below: Vec<f64>,
    /// First way-point of each node, where its edges have way-points.
    pub(super) way: Vec<Option<u32>>,
}

/// Puts `nodes` into layers. Edges are sorted and without repetition; those that close a circle are
/// taken out.
pub(super) fn layered(nodes: usize, edges: &mut Vec<(u32, u32)>) -> Layered {
    let mut layer = ranks(nodes, edges);
    let targets = by_source(nodes, edges);
    let furthest = |node: usize| targets.of(node).iter().map(|t| layer[*t as usize]).max();
    // Way-points of all edges of one node are shared. The shortest ways come first, up to a bound
    // that keeps the whole in proportion to the graph.
    let mut spans: Vec<(u32, u32)> = (0..nodes)
        .filter_map(|node| Some((furthest(node)? - layer[node], narrow(node))))
        .filter(|(span, _)| *span > 1)
        .collect();
    spans.sort_unstable();
    let mut way = vec![None; nodes];
    let mut left = 4 * nodes + 1000;
    let mut segments: Vec<(u32, u32, f64)> = Vec::with_capacity(edges.len());
    for (span, node) in spans {
        let points = span as usize - 1;
        if points > left {
            break;
        }
        left -= points;
        let (first, from) = (narrow(layer.len()), layer[node as usize]);
        way[node as usize] = Some(first);
        layer.extend(from + 1..from + span);
        segments.push((node, first, STRAIGHT[1]));
        segments.extend((first..first + span - 2).map(|at| (at, at + 1, STRAIGHT[2])));
    }
    for &(source, target) in edges.iter() {
        let span = layer[target as usize] - layer[source as usize];
        match way[source as usize] {
            _ if span == 1 => segments.push((source, target, STRAIGHT[0])),
            Some(first) => segments.push((first + span - 2, target, STRAIGHT[1])),
            // A long edge without way-points takes no part in what follows.
            None => {}
        }
    }
    segments.sort_unstable_by_key(|(source, target, _)| (*source, *target));
    let pairs = segments.iter().map(|s| (s.0 as usize, s.1 as usize));
    let below = Lists::new(layer.len(), pairs.clone());
    let above = Lists::new(layer.len(), pairs.map(|(source, target)| (target, source)));
    let pull_below = segments.iter().map(|s| s.2).collect();
    // Both lists take the segments in the same order, so one more pass puts the weights in step.
    let mut pull_above = vec![0.0; segments.len()];
    let mut next: Vec<usize> = (0..layer.len()).map(|at| above.range(at).start).collect();
    for (_, target, weight) in &segments {
        pull_above[next[*target as usize]] = *weight;
        next[*target as usize] += 1;
    }
    let layers = layer.iter().max().map_or(0, |last| *last as usize + 1);
    Layered {
        nodes,
        layer,
        layers,
        above,
        below,
        pull_above,
        pull_below,
        way,
    }
}

pub(super) fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn by_source(nodes: usize, edges: &[(u32, u32)]) -> Lists {
    Lists::new(nodes, edges.iter().map(|e| (e.0 as usize, e.1 as usize)))
}

/// The longest path to each node, then nodes moved towards their targets where more edges leave
/// than enter them. No layer is left empty: what is on a longest path of all stays.
fn ranks(nodes: usize, edges: &mut Vec<(u32, u32)>) -> Vec<u32> {
    let order = order(nodes, edges);
    let mut place = vec![0; nodes];
    for (at, node) in order.iter().enumerate() {
        place[*node] = at;
    }
    edges.retain(|(source, target)| place[*source as usize] < place[*target as usize]);
    let targets = by_source(nodes, edges);
    let mut entering = vec![0_usize; nodes];
    let mut layer = vec![0_u32; nodes];
    for node in &order {
        for target in targets.of(*node) {
            let target = *target as usize;
            entering[target] += 1;
            layer[target] = layer[target].max(layer[*node] + 1);
        }
    }
    for node in order.iter().rev() {
        let leaving = targets.of(*node);
        let nearest = leaving.iter().map(|target| layer[*target as usize]).min();
        if let Some(nearest) = nearest
            && leaving.len() > entering[*node]
        {
            layer[*node] = nearest - 1;
        }
    }
    layer
}

/// The nodes in topological order. Where a circle has no beginning, its lowest node is one.
fn order(nodes: usize, edges: &[(u32, u32)]) -> Vec<usize> {
    let targets = by_source(nodes, edges);
    let mut open = vec![0_u32; nodes];
    for (_, target) in edges {
        open[*target as usize] += 1;
    }
    let mut taken = vec![false; nodes];
    let mut order: Vec<usize> = Vec::with_capacity(nodes);
    let take = |node: usize, taken: &mut Vec<bool>, order: &mut Vec<usize>| {
        taken[node] = true;
        order.push(node);
    };
    for node in (0..nodes).filter(|node| open[*node] == 0) {
        take(node, &mut taken, &mut order);
    }
    let (mut done, mut lowest) = (0, 0);
    while done < nodes {
        if done == order.len() {
            while taken[lowest] {
                lowest += 1;
            }
            take(lowest, &mut taken, &mut order);
        }
        let node = order[done];
        done += 1;
        for target in targets.of(node) {
            let target = *target as usize;
            open[target] = open[target].saturating_sub(1);
            if open[target] == 0 && !taken[target] {
                take(target, &mut taken, &mut order);
            }
        }
    }
    order
}
