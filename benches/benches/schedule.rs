//! What the scheduler alone costs per node, against counting down open edges by hand.
//!
//! - `floor`: one counter per node and a queue, nothing else.
//! - `run`: `start` and every `complete`, all nodes succeeding; its set-up is `Scheduler::new`.
//! - `skip`: the entry fails, and everything else is skipped in one call per root.
//! - `cancel`: the run is cancelled right after its start.
//! - `race`: like `run`, where each node joins on the first.
//! - `topology`: checking and laying out the plan.

use std::collections::VecDeque;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;

use shipsec_benches::Failure;
use shipsec_benches::graph::Graph;
use shipsec_benches::harness::{Contest, Limits, Options, Sample, finish};
use shipsec_core::schedule::{
    Command, EdgeKind, FailurePolicy, Join, NodeIx, Outcome, Scheduler, Topology,
};

const LIMITS: Limits = Limits {
    sizes: &[1_000, 10_000, 100_000, 1_000_000],
    proof: 100,
};

fn main() -> ExitCode {
    finish(schedule())
}

fn schedule() -> Result<(), Failure> {
    let Some(options) = Options::from_env(LIMITS)? else {
        return Ok(());
    };
    for &shape in &options.shapes {
        for &size in &options.sizes {
            let graph = shape.graph(size);
            let all = Arc::new(topology(&graph, Join::All)?);
            let first = Arc::new(topology(&graph, Join::First)?);
            let mut contest = Contest::new(format!("schedule/{shape}/{size}"), "node", size);
            contest.add("floor", || floor(&graph));
            contest.add("run", || run(&all));
            contest.add("skip", || skip(&all));
            contest.add("cancel", || cancel(&all));
            contest.add("race", || run(&first));
            contest.add("topology", || {
                let build = |_: &mut ()| topology(&graph, Join::All);
                let (sample, (), built) = Sample::take(|| Ok(()), build)?;
                every(size, built.node_count())?;
                Ok(sample)
            });
            contest.run(&options)?;
        }
    }
    Ok(())
}

fn topology(graph: &Graph, join: Join) -> Result<Topology, Failure> {
    let mut builder = Topology::builder();
    for _ in graph.nodes() {
        builder.add_node(join);
    }
    for node in graph.nodes() {
        for &child in graph.children(node) {
            builder.add_edge(NodeIx(node), NodeIx(child), EdgeKind::Success, None);
        }
    }
    Ok(builder.build()?)
}

fn floor(graph: &Graph) -> Result<Sample, Failure> {
    let setup = || {
        let open: Vec<u32> = graph
            .nodes()
            .map(|node| graph.parents(node).len() as u32)
            .collect();
        Ok((open, VecDeque::with_capacity(graph.len())))
    };
    let run = |(open, ready): &mut (Vec<u32>, VecDeque<u32>)| {
        ready.extend(graph.nodes().filter(|&node| open[node as usize] == 0));
        let mut done = 0;
        while let Some(node) = ready.pop_front() {
            done += 1;
            for &child in graph.children(black_box(node)) {
                open[child as usize] -= 1;
                if open[child as usize] == 0 {
                    ready.push_back(child);
                }
            }
        }
        Ok(done)
    };
    let (sample, _, done) = Sample::take(setup, run)?;
    every(graph.len(), done)?;
    Ok(sample)
}

/// A run and what its caller keeps: the command buffer, and what is running.
type Driver = (Scheduler, Vec<Command>, VecDeque<NodeIx>);

fn driver(topology: &Arc<Topology>) -> Result<Driver, Failure> {
    let scheduler = Scheduler::new(topology.clone(), FailurePolicy::Finish);
    Ok((
        scheduler,
        Vec::new(),
        VecDeque::with_capacity(topology.node_count()),
    ))
}

fn run(topology: &Arc<Topology>) -> Result<Sample, Failure> {
    let drive = |(scheduler, commands, running): &mut Driver| {
        scheduler.start(commands);
        loop {
            for command in commands.drain(..) {
                if let Command::Start { node, .. } = command {
                    running.push_back(node);
                }
            }
            let Some(node) = running.pop_front() else {
                return Ok(scheduler.is_finished());
            };
            scheduler.complete(black_box(node), Outcome::succeeded(), commands)?;
        }
    };
    let (sample, _, finished) = Sample::take(|| driver(topology), drive)?;
    if !finished {
        return Err("the run did not finish".into());
    }
    Ok(sample)
}

fn skip(topology: &Arc<Topology>) -> Result<Sample, Failure> {
    let drive = |(scheduler, commands, _): &mut Driver| {
        scheduler.start(commands);
        let roots = commands.len();
        for root in 0..roots {
            scheduler.complete(commands[root].node(), Outcome::Failed, commands)?;
        }
        Ok(commands.len())
    };
    let (sample, _, told) = Sample::take(|| driver(topology), drive)?;
    every(topology.node_count(), told)?;
    Ok(sample)
}

fn cancel(topology: &Arc<Topology>) -> Result<Sample, Failure> {
    let drive = |(scheduler, commands, _): &mut Driver| {
        scheduler.start(commands);
        let started = commands.len();
        scheduler.cancel(commands);
        Ok(commands.len() - started)
    };
    let (sample, _, told) = Sample::take(|| driver(topology), drive)?;
    every(topology.node_count(), told)?;
    Ok(sample)
}

fn every(nodes: usize, done: usize) -> Result<(), Failure> {
    if done == nodes {
        return Ok(());
    }
    Err(format!("{done} of {nodes} nodes ended").into())
}
