//! The order within each layer.

use super::ranks::{Layered, narrow};
use crate::workflow::lists::Lists;

/// How many segments all sweeps together look at, before small graphs get their least.
const WORK: usize = 4_000_000;

/// The elements of each layer in order.
#[derive(Debug, Clone)]
pub(super) struct Order {
    starts: Vec<usize>,
    items: Vec<u32>,
    /// Place of each element in its layer.
    place: Vec<u32>,
}

impl Order {
    pub(super) fn layer(&self, layer: usize) -> &[u32] {
        &self.items[self.starts[layer]..self.starts[layer + 1]]
    }

    fn layers(&self) -> usize {
        self.starts.len() - 1
    }

    fn number(&mut self, layer: usize) {
        for (place, element) in self.items[self.starts[layer]..self.starts[layer + 1]]
            .iter()
            .enumerate()
        {
            self.place[*element as usize] = narrow(place);
        }
    }

    /// Sorts a layer by the mean place of the neighbours in the one before it in the sweep. What
    /// has no neighbour there keeps its share of the layer.
    fn sort(&mut self, layer: usize, from: usize, neighbours: &Lists, keys: &mut [f64]) {
        let (range, before) = (self.starts[layer]..self.starts[layer + 1], self.layer(from));
        let share = before.len() as f64 / range.len() as f64;
        for element in &self.items[range.clone()] {
            let element = *element as usize;
            let near = neighbours.of(element);
            keys[element] = if near.is_empty() {
                f64::from(self.place[element]) * share
            } else {
                let sum: f64 = near
                    .iter()
                    .map(|n| f64::from(self.place[*n as usize]))
                    .sum();
                sum / near.len() as f64
            };
        }
        self.items[range].sort_by(|a, b| keys[*a as usize].total_cmp(&keys[*b as usize]));
        self.number(layer);
    }

    /// How many segments cross.
    fn crossings(&self, below: &Lists) -> u64 {
        let mut crossings = 0;
        let mut targets: Vec<u32> = Vec::new();
        let mut tree: Vec<u32> = Vec::new();
        for layer in 1..self.layers() {
            tree.clear();
            tree.resize(self.layer(layer).len() + 1, 0);
            let mut seen = 0_u64;
            for element in self.layer(layer - 1) {
                targets.clear();
                let places = below.of(*element as usize).iter();
                targets.extend(places.map(|target| self.place[*target as usize]));
                targets.sort_unstable();
                // Those of earlier sources that end further on are crossed.
                for target in &targets {
                    let mut at = *target as usize + 1;
                    let mut before = 0_u64;
                    while at > 0 {
                        before += u64::from(tree[at]);
                        at &= at - 1;
                    }
                    crossings += seen - before;
                }
                for target in &targets {
                    let mut at = *target as usize + 1;
                    while at < tree.len() {
                        tree[at] += 1;
                        at += at & at.wrapping_neg();
                    }
                    seen += 1;
                }
            }
        }
        crossings
    }
}

/// Orders the layers: first as a depth-first walk meets the elements, so that a tree has no
/// crossings, then by sweeps down and up as long as they help.
pub(super) fn order(graph: &Layered) -> Order {
    let mut order = walk(graph);
    let size = graph.layer.len() + graph.pull_below.len();
    let sweeps = (WORK / size.max(1)).clamp(2, 24);
    let mut fewest = order.crossings(&graph.below);
    let mut best = order.clone();
    let mut idle = 0;
    let mut keys = vec![0.0; graph.layer.len()];
    for sweep in 0..sweeps {
        if fewest == 0 || idle == 4 {
            break;
        }
        if sweep % 2 == 0 {
            for layer in 1..order.layers() {
                order.sort(layer, layer - 1, &graph.above, &mut keys);
            }
        } else {
            for layer in (1..order.layers()).rev() {
                order.sort(layer - 1, layer, &graph.below, &mut keys);
            }
        }
        let crossings = order.crossings(&graph.below);
        idle += 1;
        if crossings < fewest {
            (fewest, idle) = (crossings, 0);
            best.clone_from(&order);
        }
    }
    best
}

fn walk(graph: &Layered) -> Order {
    let elements = graph.layer.len();
    let mut starts = vec![0; graph.layers + 1];
    for layer in &graph.layer {
        starts[*layer as usize + 1] += 1;
    }
    for layer in 1..starts.len() {
        starts[layer] += starts[layer - 1];
    }
    let mut next = starts.clone();
    let mut items = vec![0; elements];
    let mut met = vec![false; elements];
    let mut stack: Vec<u32> = Vec::new();
    for root in (0..elements).filter(|at| graph.above.of(*at).is_empty()) {
        stack.push(narrow(root));
        while let Some(element) = stack.pop() {
            let at = element as usize;
            if std::mem::replace(&mut met[at], true) {
                continue;
            }
            let slot = &mut next[graph.layer[at] as usize];
            items[*slot] = element;
            *slot += 1;
            let below = graph.below.of(at).iter().rev();
            stack.extend(below.filter(|target| !met[**target as usize]));
        }
    }
    let mut order = Order {
        starts,
        items,
        place: vec![0; elements],
    };
    for layer in 0..order.layers() {
        order.number(layer);
    }
    order
}
