//! The shapes that every contender runs, as plain index adjacency.

use std::fmt;
use std::str::FromStr;

use crate::Failure;

/// The shape of a benchmark graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Each node depends on the one before it.
    Chain,
    /// One source, many nodes that depend on it, one sink that depends on all of them.
    Fan,
    /// Layers of √n nodes (at most 1,000), each node with three parents in the layer before.
    Layered,
}

impl Shape {
    /// Every shape, in the order in which results are listed.
    pub const ALL: [Self; 3] = [Self::Chain, Self::Fan, Self::Layered];

    /// The graph of this shape with exactly `nodes` nodes.
    ///
    /// ```
    /// use shipsec_benches::graph::Shape;
    ///
    /// let graph = Shape::Fan.graph(10);
    /// assert_eq!((graph.len(), graph.edges(), graph.depth()), (10, 16, 3));
    /// ```
    #[must_use]
    pub fn graph(self, nodes: usize) -> Graph {
        let mut graph = GraphBuilder::with_capacity(nodes);
        match self {
            Self::Chain => {
                for node in 0..index(nodes) {
                    graph.push(node.checked_sub(1).as_slice());
                }
            }
            Self::Fan => {
                let middle = nodes.saturating_sub(2);
                if nodes > 0 {
                    graph.push(&[]);
                }
                for _ in 0..middle {
                    graph.push(&[0]);
                }
                if nodes > 1 {
                    let sources: Vec<u32> = (0..index(nodes - 1)).skip(middle.min(1)).collect();
                    graph.push(&sources);
                }
            }
            Self::Layered => {
                let width = index(nodes.isqrt().clamp(1, 1_000));
                for node in 0..index(nodes) {
                    let column = node % width;
                    let Some(above) = (node - column).checked_sub(width) else {
                        graph.push(&[]);
                        continue;
                    };
                    let mut parents: Vec<u32> = [column, column + 1, column + width / 2]
                        .map(|parent| above + parent % width)
                        .to_vec();
                    parents.sort_unstable();
                    parents.dedup();
                    graph.push(&parents);
                }
            }
        }
        graph.finish()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain => "chain",
            Self::Fan => "fan",
            Self::Layered => "layered",
        })
    }
}

impl FromStr for Shape {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|shape| shape.to_string() == text)
            .ok_or_else(|| format!("unknown shape `{text}`: use chain, fan or layered").into())
    }
}

/// A directed acyclic graph: nodes are indices, and parents come before their children.
#[derive(Debug, Clone)]
pub struct Graph {
    parents: Adjacency,
    children: Adjacency,
}

impl Graph {
    /// The number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parents.offsets.len() - 1
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of edges.
    #[must_use]
    pub fn edges(&self) -> usize {
        self.parents.targets.len()
    }

    /// The nodes that `node` depends on, ascending.
    ///
    /// # Panics
    ///
    /// When `node` is not below [`Graph::len`].
    #[must_use]
    pub fn parents(&self, node: u32) -> &[u32] {
        self.parents.of(node)
    }

    /// The nodes that depend on `node`, ascending.
    ///
    /// # Panics
    ///
    /// When `node` is not below [`Graph::len`].
    #[must_use]
    pub fn children(&self, node: u32) -> &[u32] {
        self.children.of(node)
    }

    /// All nodes, parents first.
    #[must_use = "this only lists the nodes"]
    pub fn nodes(&self) -> std::ops::Range<u32> {
        0..index(self.len())
    }

    /// The level of each node: one more than the highest level among its parents, from 1.
    #[must_use]
    pub fn levels(&self) -> Vec<u64> {
        let mut levels: Vec<u64> = Vec::with_capacity(self.len());
        for node in self.nodes() {
            let above = self
                .parents(node)
                .iter()
                .map(|&parent| levels[parent as usize])
                .max();
            levels.push(above.unwrap_or(0) + 1);
        }
        levels
    }

    /// The number of nodes on the longest path.
    #[must_use]
    pub fn depth(&self) -> u64 {
        self.levels().into_iter().max().unwrap_or(0)
    }
}

/// Collects nodes, each after its parents.
#[derive(Debug, Clone)]
pub struct GraphBuilder {
    parents: Adjacency,
}

impl GraphBuilder {
    /// An empty graph with room for `nodes` nodes.
    #[must_use]
    pub fn with_capacity(nodes: usize) -> Self {
        let mut offsets = Vec::with_capacity(nodes + 1);
        offsets.push(0);
        Self {
            parents: Adjacency {
                offsets,
                targets: Vec::with_capacity(nodes),
            },
        }
    }

    /// Adds the next node, which depends on `parents` (ascending, without repeats).
    ///
    /// # Panics
    ///
    /// When a parent has not been added yet, or there are more edges than `u32` can count.
    pub fn push(&mut self, parents: &[u32]) {
        let node = index(self.parents.offsets.len() - 1);
        assert!(
            parents.iter().all(|&parent| parent < node),
            "parents come before node {node}"
        );
        self.parents.targets.extend_from_slice(parents);
        self.parents.offsets.push(index(self.parents.targets.len()));
    }

    /// The finished graph.
    #[must_use]
    pub fn finish(self) -> Graph {
        let children = self.parents.reversed();
        Graph {
            parents: self.parents,
            children,
        }
    }
}

#[derive(Debug, Clone)]
struct Adjacency {
    offsets: Vec<u32>,
    targets: Vec<u32>,
}

impl Adjacency {
    fn of(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.targets[self.offsets[node] as usize..self.offsets[node + 1] as usize]
    }

    fn reversed(&self) -> Self {
        let nodes = self.offsets.len() - 1;
        let mut offsets = vec![0; nodes + 1];
        for &target in &self.targets {
            offsets[target as usize + 1] += 1;
        }
        for node in 0..nodes {
            offsets[node + 1] += offsets[node];
        }
        let mut next = offsets.clone();
        let mut targets = vec![0; self.targets.len()];
        for node in 0..index(nodes) {
            for &target in self.of(node) {
                let slot = &mut next[target as usize];
                targets[*slot as usize] = node;
                *slot += 1;
            }
        }
        Self { offsets, targets }
    }
}

fn index(count: usize) -> u32 {
    u32::try_from(count).expect("a benchmark graph has fewer than 2³² nodes and edges")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_have_the_size_that_was_asked_for() {
        for shape in Shape::ALL {
            for nodes in [0, 1, 2, 3, 4, 10, 100, 1_000, 10_007] {
                assert_eq!(shape.graph(nodes).len(), nodes, "{shape} {nodes}");
            }
        }
    }

    #[test]
    fn shapes_have_the_depth_and_edges_that_their_name_says() {
        let figures = |shape: Shape| {
            let graph = shape.graph(10_000);
            (graph.edges(), graph.depth())
        };
        assert_eq!(figures(Shape::Chain), (9_999, 10_000));
        assert_eq!(figures(Shape::Fan), (2 * 9_998, 3));
        assert_eq!(figures(Shape::Layered), (9_900 * 3, 100));
    }

    #[test]
    fn children_mirror_parents() {
        for shape in Shape::ALL {
            let graph = shape.graph(1_000);
            let down: usize = graph.nodes().map(|node| graph.children(node).len()).sum();
            assert_eq!(down, graph.edges(), "{shape}");
            for node in graph.nodes() {
                for &parent in graph.parents(node) {
                    assert!(
                        graph.children(parent).contains(&node),
                        "{shape} {parent}->{node}"
                    );
                }
            }
        }
    }
}
