//! `operese-dagx`: typed tasks in layers.
//!
//! A task of this crate takes at most eight inputs. Where a node has more parents (the sink of
//! the fan) the first eight are connected: less work than the graph asks for, in the peer's
//! favour. Its runner goes layer by layer, so that the sink runs last all the same.

use std::future::Future;

use operese_dagx::{DagOutput, DagRunner, Task, TaskHandle, TaskInput};
use shipsec_benches::Failure;
use shipsec_benches::graph::Graph;
use shipsec_benches::harness::Sample;
use tokio::runtime::Runtime;

/// The highest number of inputs that a task can have.
const MOST_INPUTS: usize = 8;

/// Builds `graph`, runs it inline on `runtime` and verifies the value of every node.
///
/// # Errors
///
/// When a task panicked, or a value is not the level that its node has.
pub fn run(runtime: &Runtime, graph: &Graph) -> Result<Sample, Failure> {
    let mut handles = Vec::new();
    let (sample, _, output) = Sample::take(
        || {
            let (dag, built) = build(graph)?;
            handles = built;
            Ok(Some(dag))
        },
        |dag| {
            let dag = dag.take().ok_or("the graph runs once")?;
            Ok(runtime.block_on(dag.run(|task| task))?)
        },
    )?;
    verify(graph, handles, output)?;
    Ok(sample)
}

fn verify(
    graph: &Graph,
    handles: Vec<TaskHandle<u64>>,
    mut output: DagOutput,
) -> Result<(), Failure> {
    for (handle, (node, level)) in handles
        .into_iter()
        .zip(graph.levels().into_iter().enumerate())
    {
        let value = output.get(handle);
        if value != level {
            return Err(format!("node {node} has the value {value}, expected {level}").into());
        }
    }
    Ok(())
}

fn build(graph: &Graph) -> Result<(DagRunner, Vec<TaskHandle<u64>>), Failure> {
    let mut dag = DagRunner::new();
    let mut handles: Vec<TaskHandle<u64>> = Vec::with_capacity(graph.len());
    for node in graph.nodes() {
        let parents = graph.parents(node);
        let parent = |place: usize| &handles[parents[place] as usize];
        let handle = match parents.len() {
            0 => dag.add_task(Source),
            1 => dag.add_task(Level).depends_on(parent(0)),
            2 => dag.add_task(Level2).depends_on((parent(0), parent(1))),
            3 => dag
                .add_task(Level3)
                .depends_on((parent(0), parent(1), parent(2))),
            MOST_INPUTS.. => dag.add_task(Level8).depends_on((
                parent(0),
                parent(1),
                parent(2),
                parent(3),
                parent(4),
                parent(5),
                parent(6),
                parent(7),
            )),
            other => return Err(format!("node {node} has {other} parents, none wired so").into()),
        };
        handles.push(handle);
    }
    Ok((dag, handles))
}

struct Source;

impl Task<()> for Source {
    type Output = u64;

    fn run(self, _input: TaskInput<'_, ()>) -> impl Future<Output = u64> + Send {
        std::future::ready(1)
    }
}

macro_rules! level {
    ($name:ident, $($input:ident: $type:ty),+) => {
        struct $name;

        impl Task<($($type,)+)> for $name {
            type Output = u64;

            fn run(
                self,
                input: TaskInput<'_, ($($type,)+)>,
            ) -> impl Future<Output = u64> + Send {
                $(let ($input, input) = input.next();)+
                let _: TaskInput<'_, ()> = input;
                std::future::ready([$(*$input),+].into_iter().fold(0, u64::max) + 1)
            }
        }
    };
}

level!(Level, a: u64);
level!(Level2, a: u64, b: u64);
level!(Level3, a: u64, b: u64, c: u64);
level!(Level8, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u64);

#[cfg(test)]
mod tests {
    use super::*;
    use shipsec_benches::graph::Shape;

    #[test]
    fn every_shape_runs_to_its_end() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for shape in Shape::ALL {
            run(&runtime, &shape.graph(200)).unwrap();
        }
    }
}
