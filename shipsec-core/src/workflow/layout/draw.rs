//! From ids and edges to the picture.

use std::cmp::Ordering;

use super::{
    model::{Bends, Direction, Layout, LayoutOptions, NodePlace, Point},
    order::{Order, order},
    place::{Sizes, place},
    ranks::{Layered, layered, narrow},
};
use crate::NodeId;

/// Lays out `ids`, connected by edges between their indices.
pub(super) fn draw(ids: &[&NodeId], edges: Vec<(u32, u32)>, options: &LayoutOptions) -> Layout {
    // Numbers by id make the outcome independent of the order in which nodes and edges come.
    let mut sorted: Vec<u32> = (0..narrow(ids.len())).collect();
    sorted.sort_by(|a, b| natural(ids[*a as usize].as_str(), ids[*b as usize].as_str()));
    let mut number = vec![0_u32; ids.len()];
    for (at, node) in sorted.iter().enumerate() {
        number[*node as usize] = narrow(at);
    }
    let ids: Vec<&NodeId> = sorted.iter().map(|node| ids[*node as usize]).collect();
    let numbered =
        |(source, target): (u32, u32)| (number[source as usize], number[target as usize]);
    let mut edges: Vec<(u32, u32)> = edges.into_iter().map(numbered).collect();
    edges.retain(|(source, target)| source != target);
    edges.sort_unstable();
    edges.dedup();

    let graph = layered(ids.len(), &mut edges);
    let order = order(&graph);
    let (across, sizes) = match options.direction {
        Direction::Right => (options.node_width, options.node_height),
        Direction::Down => (options.node_height, options.node_width),
    };
    let sizes = Sizes {
        node: f64::from(sizes),
        gap: f64::from(options.node_gap),
    };
    let middle = place(&graph, &order, sizes);
    Picture {
        ids,
        graph,
        order,
        middle,
        node: sizes.node,
        gap: sizes.gap,
        across: u64::from(across),
        step: u64::from(across) + u64::from(options.layer_gap),
        direction: options.direction,
    }
    .layout(&edges)
}

struct Picture<'a> {
    ids: Vec<&'a NodeId>,
    graph: Layered,
    order: Order,
    middle: Vec<f64>,
    /// Size of a node along its layer.
    node: f64,
    /// Between two nodes.
    gap: f64,
    /// Size of a node across its layer.
    across: u64,
    /// From one layer to the next.
    step: u64,
    direction: Direction,
}

impl Picture<'_> {
    fn layout(self, edges: &[(u32, u32)]) -> Layout {
        let half = |element: usize| {
            if element < self.graph.nodes {
                self.node / 2.0
            } else {
                0.0
            }
        };
        let begin = |element: usize| self.middle[element] - half(element);
        let first = (0..self.middle.len())
            .map(begin)
            .min_by(f64::total_cmp)
            .unwrap_or(0.0);
        let along = |element: usize| (begin(element) - first).round() as u64;
        let (size, gap) = (self.node as u64, self.gap as u64);
        let mut nodes = Vec::with_capacity(self.ids.len());
        let mut end = 0;
        for layer in 0..self.graph.layers {
            let elements = self.order.layer(layer).iter().map(|e| *e as usize);
            let mut free = 0;
            for (order, element) in elements.filter(|e| *e < self.graph.nodes).enumerate() {
                // Neighbours may come one unit too close by rounding.
                let at = along(element).max(free);
                free = at + size + gap;
                end = end.max(at + size);
                let Point { x, y } = self.point(layer as u64 * self.step, at);
                nodes.push(NodePlace {
                    node: self.ids[element].clone(),
                    layer: narrow(layer),
                    order: narrow(order),
                    x,
                    y,
                });
            }
        }
        let bends = self.bends(edges, along);
        let turned = |point: &Point| match self.direction {
            Direction::Right => point.y,
            Direction::Down => point.x,
        };
        let turns = bends.iter().flat_map(|bends| &bends.points).map(turned);
        let end = turns.max().unwrap_or(0).max(end);
        let depth = (self.graph.layers as u64).saturating_sub(1) * self.step + self.across;
        let size = self.point(if self.graph.layers == 0 { 0 } else { depth }, end);
        Layout {
            nodes,
            bends,
            layers: narrow(self.graph.layers),
            width: size.x,
            height: size.y,
        }
    }

    fn point(&self, across: u64, along: u64) -> Point {
        match self.direction {
            Direction::Right => Point::new(across, along),
            Direction::Down => Point::new(along, across),
        }
    }

    /// The turns of each edge that has way-points, unless they are too many.
    fn bends(&self, edges: &[(u32, u32)], along: impl Fn(usize) -> u64) -> Vec<Bends> {
        let long = edges.iter().filter_map(|(source, target)| {
            let (from, to) = (*source as usize, *target as usize);
            let span = self.graph.layer[to] - self.graph.layer[from];
            Some((from, to, self.graph.way[from]?, span)).filter(|_| span > 1)
        });
        let points: usize = long.clone().map(|edge| edge.3 as usize - 1).sum();
        if points > 4 * (self.graph.nodes + edges.len()) + 1000 {
            return Vec::new();
        }
        long.map(|(from, to, first, span)| {
            let way = first..first + span - 1;
            let points = way.clone().filter(|at| {
                // Between two others on one line there is no turn.
                let here = along(*at as usize);
                let same = |other: u32| way.contains(&other) && along(other as usize) == here;
                !(same(at.wrapping_sub(1)) && same(at + 1))
            });
            let points = points.map(|at| {
                let layer = u64::from(self.graph.layer[at as usize]);
                self.point(layer * self.step + self.across / 2, along(at as usize))
            });
            Bends {
                source: self.ids[from].clone(),
                target: self.ids[to].clone(),
                points: points.collect(),
            }
        })
        .collect()
    }
}

/// Compares as people count: `n2` before `n10`. Equal only where the texts are.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a.as_bytes(), b.as_bytes());
    loop {
        let same = x
            .iter()
            .zip(y)
            .take_while(|(x, y)| x == y && !x.is_ascii_digit())
            .count();
        (x, y) = (&x[same..], &y[same..]);
        let (p, q) = (digits(x), digits(y));
        if p == 0 || q == 0 {
            return x.cmp(y).then_with(|| a.cmp(b));
        }
        let (m, n) = (number(&x[..p]), number(&y[..q]));
        match m.len().cmp(&n.len()).then_with(|| m.cmp(n)) {
            Ordering::Equal => (x, y) = (&x[p..], &y[q..]),
            unequal => return unequal,
        }
    }
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Digits without the zeros before them.
fn number(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_as_people_count() {
        let mut ids = [
            "n10",
            "n2",
            "n02",
            "m",
            "n2a",
            "n",
            "n2-1",
            "ä1",
            "99999999999999999999",
            "7",
        ];
        ids.sort_by(|a, b| natural(a, b));
        let expected = [
            "7",
            "99999999999999999999",
            "m",
            "n",
            "n02",
            "n2",
            "n2-1",
            "n2a",
            "n10",
            "ä1",
        ];
        assert_eq!(ids, expected);
    }
}
