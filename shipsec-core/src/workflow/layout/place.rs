//! Where each element stands within its layer.

use super::{order::Order, ranks::Layered};

/// How many elements all sweeps together look at, before small graphs get their least.
const WORK: usize = 4_000_000;

/// Sizes along a layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Of a node.
    pub(super) node: f64,
    /// Between two nodes.
    pub(super) gap: f64,
}

/// Elements that stand at their least distance from each other, as one.
struct Block {
    /// Weighted mean of where they want to be.
    at: f64,
    weight: f64,
    elements: usize,
}

struct Placing<'a> {
    graph: &'a Layered,
    order: &'a Order,
    sizes: Sizes,
    /// Middle of each element.
    middle: Vec<f64>,
    blocks: Vec<Block>,
    /// Distance of each element of the layer at hand from its first, if all stood close.
    close: Vec<f64>,
}

/// The middle of each element along its layer.
///
/// Each sweep asks every element for the mean place of its neighbours, and gives it the place
/// nearest to that, in the least squares, which keeps order and distance (pool adjacent violators).
pub(super) fn place(graph: &Layered, order: &Order, sizes: Sizes) -> Vec<f64> {
    let mut placing = Placing {
        graph,
        order,
        sizes,
        middle: vec![0.0; graph.layer.len()],
        blocks: Vec::new(),
        close: Vec::new(),
    };
    for layer in 0..graph.layers {
        placing.measure(layer);
        let half = placing.close.last().map_or(0.0, |last| last / 2.0);
        for (element, close) in order.layer(layer).iter().zip(&placing.close) {
            placing.middle[*element as usize] = close - half;
        }
    }
    let size = graph.layer.len() + graph.pull_below.len();
    for _ in 0..(WORK / size.max(1)).clamp(1, 8) {
        (1..graph.layers).for_each(|layer| placing.settle(layer, true, false));
        (1..graph.layers)
            .rev()
            .for_each(|layer| placing.settle(layer - 1, false, true));
    }
    (0..graph.layers).for_each(|layer| placing.settle(layer, true, true));
    placing.middle
}

impl Placing<'_> {
    fn half(&self, element: u32) -> f64 {
        if (element as usize) < self.graph.nodes {
            (self.sizes.node + self.sizes.gap) / 2.0
        } else {
            self.sizes.gap / 4.0
        }
    }

    fn measure(&mut self, layer: usize) {
        let elements = self.order.layer(layer);
        self.close.clear();
        let mut at = 0.0;
        for (index, element) in elements.iter().enumerate() {
            if index > 0 {
                at += self.half(elements[index - 1]) + self.half(*element);
            }
            self.close.push(at);
        }
    }

    /// Where an element wants to be, and how much.
    fn wish(&self, element: u32, above: bool, below: bool) -> (f64, f64) {
        let (graph, at) = (self.graph, element as usize);
        let (mut sum, mut weight) = (0.0, 0.0);
        let mut pull = |neighbours: &[u32], pulls: &[f64]| {
            for (neighbour, pull) in neighbours.iter().zip(pulls) {
                sum += self.middle[*neighbour as usize] * pull;
                weight += pull;
            }
        };
        if above {
            pull(graph.above.of(at), &graph.pull_above[graph.above.range(at)]);
        }
        if below {
            pull(graph.below.of(at), &graph.pull_below[graph.below.range(at)]);
        }
        if weight > 0.0 {
            (sum / weight, weight)
        } else {
            // It stays where it is, unless somebody needs the room.
            (self.middle[at], 0.01)
        }
    }

    fn settle(&mut self, layer: usize, above: bool, below: bool) {
        self.measure(layer);
        self.blocks.clear();
        let order = self.order;
        let elements = order.layer(layer);
        for (element, close) in elements.iter().zip(&self.close) {
            let (wish, weight) = self.wish(*element, above, below);
            let mut block = Block {
                at: wish - close,
                weight,
                elements: 1,
            };
            while let Some(last) = self.blocks.pop_if(|last| last.at >= block.at) {
                let weight = last.weight + block.weight;
                block.at = (last.at * last.weight + block.at * block.weight) / weight;
                block.weight = weight;
                block.elements += last.elements;
            }
            self.blocks.push(block);
        }
        let mut index = 0;
        for block in &self.blocks {
            for _ in 0..block.elements {
                self.middle[elements[index] as usize] = block.at + self.close[index];
                index += 1;
            }
        }
    }
}
