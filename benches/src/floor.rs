//! The floor: the least that an executor could do, written by hand.
//!
//! One thread of tokio. A node whose inputs are there is started and polled once where it stands;
//! if it is not done it joins a `FuturesUnordered`. One boxed future per node, one `Arc` handed
//! along each edge, two event records per node, and nothing else: no retry, no timeout, no
//! cancellation, no panic containment, no limits, no branches, no masking, no store.

use std::any::Any;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use tokio::runtime::Runtime;

use crate::Failure;
use crate::graph::Graph;
use crate::harness::Sample;

/// A value between nodes.
pub type Value = Arc<dyn Any + Send + Sync>;

/// A started node.
pub type Running = Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send>>;

/// Something that a node does.
pub trait Node: Send + Sync {
    /// Starts with one value per parent, in the order of [`Graph::parents`].
    fn start(&self, inputs: Vec<Value>) -> Running;
}

/// The no-op: finishes when first polled. Its value is one more than its highest input (a `u64`),
/// so that the last value proves that values went along the edges.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoOp;

impl Node for NoOp {
    fn start(&self, inputs: Vec<Value>) -> Running {
        Box::pin(async move { Ok(Arc::new(level(&inputs)?) as Value) })
    }
}

/// A [`NoOp`] for each node of `graph`.
#[must_use]
pub fn no_ops(graph: &Graph) -> Vec<Box<dyn Node>> {
    graph
        .nodes()
        .map(|_| Box::new(NoOp) as Box<dyn Node>)
        .collect()
}

/// Sleeps on tokio's clock, then gives the value that [`NoOp`] gives.
#[derive(Debug, Clone, Copy)]
pub struct Sleep(pub Duration);

impl Node for Sleep {
    fn start(&self, inputs: Vec<Value>) -> Running {
        let time = self.0;
        Box::pin(async move {
            tokio::time::sleep(time).await;
            Ok(Arc::new(level(&inputs)?) as Value)
        })
    }
}

fn level(inputs: &[Value]) -> Result<u64, Failure> {
    let mut highest = 0;
    for input in inputs {
        highest = highest.max(
            *input
                .downcast_ref::<u64>()
                .ok_or("an input is not a level")?,
        );
    }
    Ok(highest + 1)
}

/// What an [`Event`] records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The node was started.
    Started,
    /// The node has its value.
    Completed,
}

/// One record of the run; its sequence is its place in [`Finished::events`].
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// The node's index.
    pub node: u32,
    /// What happened to it.
    pub kind: EventKind,
    /// When.
    pub timestamp: SystemTime,
}

/// What a run leaves behind.
#[derive(Debug)]
pub struct Finished {
    /// All events in order.
    pub events: Vec<Event>,
    /// The value of each node.
    pub values: Vec<Option<Value>>,
}

impl Finished {
    /// Checks that every node started and completed once, and that the values went along the
    /// edges.
    ///
    /// # Errors
    ///
    /// Names what is missing.
    pub fn verify(&self, graph: &Graph) -> Result<(), Failure> {
        let (nodes, events) = (graph.len(), self.events.len());
        if events != 2 * nodes {
            return Err(format!("{events} events for {nodes} nodes, expected two each").into());
        }
        let values = self
            .values
            .iter()
            .flatten()
            .filter_map(|value| value.downcast_ref::<u64>());
        let (count, highest) = values.fold((0, 0), |(count, highest), value| {
            (count + 1, highest.max(*value))
        });
        let depth = graph.depth();
        if (count, highest) == (nodes, depth) {
            Ok(())
        } else {
            Err(format!("{count} of {nodes} values, highest {highest} of {depth}").into())
        }
    }
}

/// Runs `nodes` in the order that `graph` asks for; `nodes[i]` is what node `i` does.
///
/// # Errors
///
/// The first failure of a node ends the run and is passed on.
///
/// # Panics
///
/// When `nodes` has fewer entries than the graph has nodes.
pub async fn run(graph: &Graph, nodes: &[Box<dyn Node>]) -> Result<Finished, Failure> {
    let mut run = Run {
        graph,
        waiting: graph
            .nodes()
            .map(|node| graph.parents(node).len() as u32)
            .collect(),
        ready: graph
            .nodes()
            .filter(|&node| graph.parents(node).is_empty())
            .collect(),
        finished: Finished {
            events: Vec::with_capacity(2 * graph.len()),
            values: vec![None; graph.len()],
        },
    };
    let mut pending = FuturesUnordered::new();
    loop {
        while let Some(node) = run.ready.pop_front() {
            let mut future = nodes[node as usize].start(run.inputs(node));
            run.record(node, EventKind::Started);
            match futures::poll!(future.as_mut()) {
                Poll::Ready(value) => run.complete(node, value?),
                Poll::Pending => pending.push(Pending { node, future }),
            }
        }
        match pending.next().await {
            Some((node, value)) => run.complete(node, value?),
            None => return Ok(run.finished),
        }
    }
}

/// Runs `graph` with no-ops on `runtime`, timed and verified.
///
/// # Errors
///
/// When the run failed or left something undone.
pub fn sample(runtime: &Runtime, graph: &Graph) -> Result<Sample, Failure> {
    let (sample, _, finished) = Sample::take(
        || Ok(no_ops(graph)),
        |nodes| runtime.block_on(run(graph, nodes)),
    )?;
    finished.verify(graph)?;
    Ok(sample)
}

struct Run<'a> {
    graph: &'a Graph,
    waiting: Vec<u32>,
    ready: VecDeque<u32>,
    finished: Finished,
}

impl Run<'_> {
    fn inputs(&self, node: u32) -> Vec<Value> {
        let parents = self.graph.parents(node).iter();
        parents
            .filter_map(|&parent| self.finished.values[parent as usize].clone())
            .collect()
    }

    fn record(&mut self, node: u32, kind: EventKind) {
        self.finished.events.push(Event {
            node,
            kind,
            timestamp: SystemTime::now(),
        });
    }

    fn complete(&mut self, node: u32, value: Value) {
        self.record(node, EventKind::Completed);
        self.finished.values[node as usize] = Some(value);
        for &child in self.graph.children(node) {
            let waiting = &mut self.waiting[child as usize];
            *waiting -= 1;
            if *waiting == 0 {
                self.ready.push_back(child);
            }
        }
    }
}

struct Pending {
    node: u32,
    future: Running,
}

impl Future for Pending {
    type Output = (u32, Result<Value, Failure>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let node = self.node;
        self.future.as_mut().poll(cx).map(|value| (node, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Shape;

    #[tokio::test]
    async fn every_shape_runs_to_its_end() {
        for shape in Shape::ALL {
            let graph = shape.graph(1_000);
            let finished = run(&graph, &no_ops(&graph)).await.unwrap();
            finished.verify(&graph).unwrap();
        }
    }

    struct Meet(Arc<tokio::sync::Barrier>);

    impl Node for Meet {
        fn start(&self, inputs: Vec<Value>) -> Running {
            let barrier = Arc::clone(&self.0);
            Box::pin(async move {
                if inputs.len() == 1 {
                    barrier.wait().await;
                }
                Ok(Arc::new(level(&inputs)?) as Value)
            })
        }
    }

    #[tokio::test]
    async fn nodes_that_wait_run_beside_each_other() {
        let graph = Shape::Fan.graph(100);
        let barrier = Arc::new(tokio::sync::Barrier::new(98));
        let meet = |_| Box::new(Meet(Arc::clone(&barrier))) as Box<dyn Node>;
        let nodes: Vec<_> = graph.nodes().map(meet).collect();
        run(&graph, &nodes).await.unwrap().verify(&graph).unwrap();
    }

    struct Broken;

    impl Node for Broken {
        fn start(&self, _inputs: Vec<Value>) -> Running {
            Box::pin(async { Err("broken".into()) })
        }
    }

    #[tokio::test]
    async fn a_failure_ends_the_run() {
        let graph = Shape::Chain.graph(3);
        let nodes: [Box<dyn Node>; 3] = [Box::new(NoOp), Box::new(Broken), Box::new(NoOp)];
        assert_eq!(run(&graph, &nodes).await.unwrap_err().to_string(), "broken");
    }
}
