//! What it costs per node to make a plan of a graph, and what else is made of a plan.
//!
//! - `floor`: an index of the ids, the edges as lists of numbers, a topological order; by hand, with
//!   the standard library's map, and nothing checked.
//! - `compile`: every check, and a plan that is ready to run. The graph is parsed already.
//! - `definition`: the plan as names, which the first event of a log holds.
//! - `hash`: SHA-256 of the definition's canonical JSON.
//! - `restore`: the plan from the definition.
//! - `layout`: the picture of it.
//! - `parse`: the graph from its JSON; its set-up is writing that.

use std::collections::{HashMap, VecDeque};
use std::process::ExitCode;
use std::sync::Arc;

use shipsec_benches::harness::{Contest, Limits, Options, Sample, finish};
use shipsec_benches::{Failure, shipsec};
use shipsec_core::Registry;
use shipsec_core::workflow::{Graph, Layout, LayoutOptions, Plan, compile};

const LIMITS: Limits = Limits {
    sizes: &[1_000, 10_000, 100_000, 1_000_000],
    proof: 100,
};

fn main() -> ExitCode {
    finish(all())
}

fn all() -> Result<(), Failure> {
    let Some(options) = Options::from_env(LIMITS)? else {
        return Ok(());
    };
    let registry = shipsec::registry()?;
    for &shape in &options.shapes {
        for &size in &options.sizes {
            let graph = shipsec::no_op_workflow(&shape.graph(size));
            let mut contest = Contest::new(format!("compile/{shape}/{size}"), "node", size);
            contest.add("floor", || floor(&graph));
            contest.add("compile", || {
                let (sample, (), plan) = Sample::take(|| Ok(()), |()| plan(&graph, &registry))?;
                every(&graph, plan.nodes().len())?;
                Ok(sample)
            });
            contest.add("definition", || {
                let make = |plan: &mut Arc<Plan>| Ok(plan.definition().clone());
                let (sample, _, made) = Sample::take(|| plan(&graph, &registry), make)?;
                every(&graph, made.actions.len())?;
                Ok(sample)
            });
            contest.add("hash", || {
                let setup = || {
                    let plan = plan(&graph, &registry)?;
                    plan.definition();
                    Ok(plan)
                };
                let (sample, _, hash) = Sample::take(setup, |plan| Ok(plan.hash().clone()))?;
                if hash.len() == 64 {
                    Ok(sample)
                } else {
                    Err("no hash".into())
                }
            });
            contest.add("restore", || {
                let setup = || Ok(plan(&graph, &registry)?.definition().clone());
                let restore =
                    |definition: &mut Arc<_>| Ok(Plan::from_definition(definition, &registry)?);
                let (sample, _, plan) = Sample::take(setup, restore)?;
                every(&graph, plan.nodes().len())?;
                Ok(sample)
            });
            contest.add("layout", || {
                let draw =
                    |plan: &mut Arc<Plan>| Ok(Layout::of_plan(plan, &LayoutOptions::default()));
                let (sample, _, layout) = Sample::take(|| plan(&graph, &registry), draw)?;
                every(&graph, layout.nodes.len())?;
                Ok(sample)
            });
            contest.add("parse", || {
                let write = || Ok(serde_json::to_string(&graph)?);
                let (sample, _, read) = Sample::take(write, |text| Ok(Graph::from_json(text)?))?;
                every(&graph, read.nodes.len())?;
                Ok(sample)
            });
            contest.run(&options)?;
        }
    }
    Ok(())
}

fn plan(graph: &Graph, registry: &Registry) -> Result<Arc<Plan>, Failure> {
    Ok(compile(graph, registry)?.plan)
}

fn every(graph: &Graph, made: usize) -> Result<(), Failure> {
    let nodes = graph.nodes.len();
    if made == nodes {
        Ok(())
    } else {
        Err(format!("{made} of {nodes} nodes").into())
    }
}

fn floor(graph: &Graph) -> Result<Sample, Failure> {
    let order = |(): &mut ()| {
        let mut index = HashMap::with_capacity(graph.nodes.len());
        for (at, node) in graph.nodes.iter().enumerate() {
            index.insert(node.id.as_str(), at as u32);
        }
        let mut targets: Vec<Vec<u32>> = vec![Vec::new(); graph.nodes.len()];
        let mut open = vec![0_u32; graph.nodes.len()];
        for edge in &graph.edges {
            let (Some(&source), Some(&target)) = (
                index.get(edge.source.as_str()),
                index.get(edge.target.as_str()),
            ) else {
                return Err("an edge without a node".into());
            };
            targets[source as usize].push(target);
            open[target as usize] += 1;
        }
        let mut ready: VecDeque<u32> = (0..open.len() as u32)
            .filter(|&node| open[node as usize] == 0)
            .collect();
        let mut order = Vec::with_capacity(open.len());
        while let Some(node) = ready.pop_front() {
            order.push(node);
            for &target in &targets[node as usize] {
                open[target as usize] -= 1;
                if open[target as usize] == 0 {
                    ready.push_back(target);
                }
            }
        }
        Ok(order)
    };
    let (sample, (), order) = Sample::take(|| Ok(()), order)?;
    every(graph, order.len())?;
    Ok(sample)
}
