//! A graph of sleeps with a long tail: what shows whether an executor waits for a wave.

use std::time::Duration;

use crate::graph::{Graph, GraphBuilder};

/// The shortest sleep.
const SHORTEST: f64 = 10.0;
/// The longest sleep, where the tail is cut.
const LONGEST: f64 = 2_000.0;
/// The exponent of the Pareto distribution: below 2, so that the tail dominates.
const EXPONENT: f64 = 1.2;

/// A graph whose nodes sleep, most of them shortly and a few very long.
#[derive(Debug, Clone)]
pub struct Sleeps {
    /// What depends on what.
    pub graph: Graph,
    /// How long each node sleeps, in whole milliseconds (tokio's timer knows nothing finer).
    pub times: Vec<Duration>,
}

impl Sleeps {
    /// Layers of √n nodes; each node has one to three parents in the layer before, and sleeps a
    /// Pareto-distributed time between 10 ms and 2 s. The same seed gives the same graph.
    #[must_use]
    pub fn new(nodes: usize, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let width = nodes.isqrt().max(1);
        let mut graph = GraphBuilder::with_capacity(nodes);
        let mut times = Vec::with_capacity(nodes);
        for node in 0..nodes {
            let mut parents = Vec::new();
            if let Some(above) = (node - node % width).checked_sub(width) {
                for _ in 0..random.usize(1..=3) {
                    parents.push((above + random.usize(..width)) as u32);
                }
                parents.sort_unstable();
                parents.dedup();
            }
            graph.push(&parents);
            let time = SHORTEST / (1.0 - random.f64()).powf(1.0 / EXPONENT);
            times.push(Duration::from_millis(time.min(LONGEST).round() as u64));
        }
        Self {
            graph: graph.finish(),
            times,
        }
    }

    /// The longest path by time: no executor can be faster.
    #[must_use]
    pub fn critical_path(&self) -> Duration {
        let mut ends: Vec<Duration> = Vec::with_capacity(self.times.len());
        for (node, &time) in self.graph.nodes().zip(&self.times) {
            let parents = self.graph.parents(node).iter();
            let start = parents
                .map(|&parent| ends[parent as usize])
                .max()
                .unwrap_or_default();
            ends.push(start + time);
        }
        ends.into_iter().max().unwrap_or_default()
    }

    /// How long it takes with a barrier after each level: the sum of the longest sleep of each.
    #[must_use]
    pub fn with_barriers(&self) -> Duration {
        let levels = self.graph.levels();
        let mut longest = vec![Duration::ZERO; self.graph.depth() as usize];
        for (level, &time) in levels.into_iter().zip(&self.times) {
            let longest = &mut longest[level as usize - 1];
            *longest = time.max(*longest);
        }
        longest.into_iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_graph() {
        let (one, two) = (Sleeps::new(2_500, 1), Sleeps::new(2_500, 1));
        assert_eq!(one.times, two.times);
        assert_eq!(one.critical_path(), two.critical_path());
        assert_ne!(one.times, Sleeps::new(2_500, 2).times);
    }

    #[test]
    fn a_barrier_costs_at_least_twice_the_critical_path() {
        let sleeps = Sleeps::new(2_500, 1);
        assert!(sleeps.with_barriers() > 2 * sleeps.critical_path());
    }

    #[test]
    fn paths_and_barriers_are_added_up() {
        let mut graph = GraphBuilder::with_capacity(4);
        for parents in [&[][..], &[], &[0], &[1]] {
            graph.push(parents);
        }
        let times = [1, 20, 300, 40].map(Duration::from_millis).to_vec();
        let sleeps = Sleeps {
            graph: graph.finish(),
            times,
        };
        assert_eq!(sleeps.critical_path(), Duration::from_millis(301));
        assert_eq!(sleeps.with_barriers(), Duration::from_millis(320));
        let sleeps = Sleeps {
            times: vec![Duration::from_millis(7); 4],
            ..sleeps
        };
        assert_eq!(sleeps.critical_path(), Duration::from_millis(14));
    }
}
