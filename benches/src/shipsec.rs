//! This project's executor on the graphs that the floor runs.
//!
//! Each node is a typed component, as an author writes it, with all that the executor does for it:
//! retries, timeouts, cancellation, panic containment, masking, a memory store that keeps both of
//! its lifecycle events. The work is the floor's: a value one higher than the highest input. A
//! node with more than three parents (the sink of the fan) gets all their values through one list
//! port. A workflow has one entry point, so each graph has one node more than the floor's, with an
//! edge to every root. The plan is compiled once: unlike a peer's graph, it serves any number of
//! runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shipsec_core::execute::{Executor as _, LocalExecutor, RunOutcome, RunRequest};
use shipsec_core::trace::{MemoryStore, RunFilter, TraceStore};
use shipsec_core::workflow::{ENTRYPOINT, EntryPoint, Graph as Workflow, Plan, compile};
use shipsec_core::workflow::{EdgeKind, GraphEdge, GraphNode, NodeData};
use shipsec_core::{ComponentError, Context, NoParams, Params, Ports, Registry, component};
use tokio::runtime::Runtime;

use crate::Failure;
use crate::graph::Graph;
use crate::harness::Sample;
use crate::sleeps::Sleeps;

/// Parents that have an input each; more come through a list.
const INPUTS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Above {
    /// Level of the first parent.
    a: Option<u64>,
    /// Level of the second parent.
    b: Option<u64>,
    /// Level of the third parent.
    c: Option<u64>,
}

impl Above {
    fn next(&self) -> Level {
        let highest = self.a.max(self.b).max(self.c);
        Level {
            level: highest.unwrap_or(0) + 1,
        }
    }
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct AllAbove {
    /// Levels of the parents.
    #[port(lift)]
    levels: Vec<u64>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Level {
    /// One more than the highest level among the parents.
    level: u64,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Params)]
struct Time {
    /// Milliseconds to sleep.
    ms: u64,
}

/// One more than the highest input.
#[component(id = "bench.no-op", version = "1.0.0", category = "bench")]
async fn no_op(above: Above, _: NoParams, _: &Context) -> Result<Level, ComponentError> {
    Ok(above.next())
}

/// One more than the highest of a list.
#[component(id = "bench.gather", version = "1.0.0", category = "bench")]
async fn gather(above: AllAbove, _: NoParams, _: &Context) -> Result<Level, ComponentError> {
    let highest = above.levels.iter().max();
    Ok(Level {
        level: highest.map_or(1, |level| level + 1),
    })
}

/// Sleeps, then gives what the no-op gives.
#[component(id = "bench.sleep", version = "1.0.0", category = "bench")]
async fn sleep(above: Above, time: Time, _: &Context) -> Result<Level, ComponentError> {
    tokio::time::sleep(Duration::from_millis(time.ms)).await;
    Ok(above.next())
}

/// A compiled graph, ready to run any number of times.
#[derive(Debug)]
pub struct Job {
    plan: Arc<Plan>,
    nodes: usize,
    depth: u64,
}

/// A run that has ended.
pub struct Finished {
    store: Arc<dyn TraceStore>,
    outcome: Arc<RunOutcome>,
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outcome.fmt(f)
    }
}

impl Job {
    /// `graph` with a no-op at each node.
    ///
    /// # Errors
    ///
    /// When the workflow does not compile.
    pub fn no_ops(graph: &Graph) -> Result<Self, Failure> {
        Self::new(graph, &workflow(graph, None))
    }

    /// Nodes that sleep.
    ///
    /// # Errors
    ///
    /// When the workflow does not compile.
    pub fn sleeps(sleeps: &Sleeps) -> Result<Self, Failure> {
        Self::new(&sleeps.graph, &workflow(&sleeps.graph, Some(&sleeps.times)))
    }

    fn new(graph: &Graph, workflow: &Workflow) -> Result<Self, Failure> {
        let compiled = compile(workflow, &registry()?).map_err(|found| format!("{found:?}"))?;
        Ok(Self {
            plan: compiled.plan,
            nodes: graph.len(),
            depth: graph.depth(),
        })
    }

    /// Runs with a store of its own.
    ///
    /// # Errors
    ///
    /// When the run does not start.
    pub fn run(&self, runtime: &Runtime) -> Result<Finished, Failure> {
        self.run_on(runtime, &executor())
    }

    fn run_on(&self, runtime: &Runtime, executor: &LocalExecutor) -> Result<Finished, Failure> {
        runtime.block_on(async {
            let run = executor.start(RunRequest::new(self.plan.clone())).await?;
            let outcome = run.wait().await;
            let store = executor.store().clone();
            Ok(Finished { store, outcome })
        })
    }

    /// Runs, timed and verified. The set-up is a new store and executor.
    ///
    /// # Errors
    ///
    /// When the run failed or left something undone.
    pub fn sample(&self, runtime: &Runtime) -> Result<Sample, Failure> {
        let (sample, _, finished) =
            Sample::take(|| Ok(executor()), |executor| self.run_on(runtime, executor))?;
        self.verify(runtime, &finished)?;
        Ok(sample)
    }

    /// Checks that the log holds both events of every node, and that the values went along the
    /// edges.
    ///
    /// # Errors
    ///
    /// Names what is missing.
    pub fn verify(&self, runtime: &Runtime, finished: &Finished) -> Result<(), Failure> {
        let outcome = &finished.outcome;
        if !outcome.is_completed() {
            return Err(format!("the run ended as {}", outcome.status).into());
        }
        let runs = runtime.block_on(finished.store.runs(&RunFilter::default()))?;
        let events = runs.first().map_or(0, |run| run.last_sequence);
        // The entry point is a node too, and the run has a first and a last event.
        let expected = 2 * (self.nodes as u64 + 1) + 2;
        if events != expected {
            return Err(format!("{events} events, expected {expected}").into());
        }
        let level = |value: &shipsec_core::Value| value.get::<u64>().copied();
        let levels = outcome.outputs.values();
        let highest = levels
            .filter_map(|outputs| outputs.get("level").and_then(level))
            .max();
        if highest == Some(self.depth) {
            Ok(())
        } else {
            Err(format!("highest value {highest:?} of {}", self.depth).into())
        }
    }
}

fn executor() -> LocalExecutor {
    LocalExecutor::builder(Arc::new(MemoryStore::new())).build()
}

/// The components of these workflows.
///
/// # Errors
///
/// When one cannot be registered.
pub fn registry() -> Result<Registry, Failure> {
    let mut registry = Registry::new();
    registry.register_dyn(Arc::new(EntryPoint::new()))?;
    registry.register(NoOp)?;
    registry.register(Gather)?;
    registry.register(Sleep)?;
    Ok(registry)
}

/// `graph` with a no-op at each node, as people write it: no two nodes or edges share the text of
/// an id, just as if it had been read from a file.
#[must_use]
pub fn no_op_workflow(graph: &Graph) -> Workflow {
    workflow(graph, None)
}

/// The graph as people write it.
fn workflow(graph: &Graph, times: Option<&[Duration]>) -> Workflow {
    let mut workflow = Workflow {
        name: "Bench".to_owned(),
        ..Workflow::default()
    };
    let id = |node: u32| format!("n{node}");
    let node = |id: String, component: &str| GraphNode {
        id: id.into(),
        component: component.into(),
        version: None,
        position: None,
        data: NodeData::default(),
        extra: serde_json::Map::new(),
    };
    workflow.nodes.push(node("start".to_owned(), ENTRYPOINT));
    for at in graph.nodes() {
        let parents = graph.parents(at);
        let gathers = parents.len() > INPUTS.len();
        let component = match times {
            Some(_) => "bench.sleep",
            None if gathers => "bench.gather",
            None => "bench.no-op",
        };
        let mut node = node(id(at), component);
        if let Some(time) = times.and_then(|times| times.get(at as usize)) {
            let ms = json!(time.as_millis() as u64);
            node.data.config.params.insert("ms".to_owned(), ms);
        }
        workflow.nodes.push(node);
        let mut edge = |source: String, ports: Option<&str>| {
            workflow.edges.push(GraphEdge {
                id: format!("e{}", workflow.edges.len()).into(),
                source: source.into(),
                target: id(at).into(),
                source_handle: ports.map(|_| "level".into()),
                target_handle: ports.map(Into::into),
                kind: EdgeKind::Success,
                extra: serde_json::Map::new(),
            });
        };
        if parents.is_empty() {
            edge("start".to_owned(), None);
        }
        for (place, &parent) in parents.iter().enumerate() {
            let port = if gathers { "levels" } else { INPUTS[place] };
            edge(id(parent), Some(port));
        }
    }
    workflow
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Shape;

    #[test]
    fn every_shape_runs_to_its_end() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        for shape in Shape::ALL {
            let job = Job::no_ops(&shape.graph(200)).unwrap();
            job.sample(&runtime).unwrap();
        }
        let job = Job::sleeps(&Sleeps::new(20, 1)).unwrap();
        job.sample(&runtime).unwrap();
    }
}
