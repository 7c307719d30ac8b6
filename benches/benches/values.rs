//! What a value costs on its way: a hop from node to node, one value for many, and an artifact.
//!
//! A hop is measured as the time per node of a chain whose nodes pass on what they are given, by the
//! size of the value; it holds the whole of a node's overhead. Memory is counted at the allocator.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use peak_alloc::PeakAlloc;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shipsec_benches::Failure;
use shipsec_benches::harness::{Contest, Limits, Options, Sample, finish};
use shipsec_core::component::{Component, ComponentInfo};
use shipsec_core::execute::{Executor as _, LocalExecutor, RunOutcome, RunRequest};
use shipsec_core::storage::ArtifactStore;
use shipsec_core::trace::MemoryStore;
use shipsec_core::workflow::{EntryPoint, Graph, Plan, compile};
use shipsec_core::{
    ComponentError, Context, FileRef, NoParams, NoPorts, Params, Ports, Registry, Shared, component,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Bytes of the value that hops.
const LIMITS: Limits = Limits {
    sizes: &[8, 1_000, 1_000_000, 100_000_000],
    proof: 8,
};

const HOPS: usize = 1_000;
const CONSUMERS: usize = 200;
const MEGABYTE: usize = 1_000_000;

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Blob {
    /// Bytes.
    blob: Shared<Vec<u8>>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Params)]
struct Size {
    /// Bytes.
    bytes: usize,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct File {
    /// What was kept.
    file: FileRef,
}

/// Gives a value that is there already, so that a hop is not charged for making it.
struct Give(Shared<Vec<u8>>);

impl Component for Give {
    type Input = NoPorts;
    type Params = NoParams;
    type Output = Blob;

    fn info(&self) -> ComponentInfo {
        ComponentInfo::new("bench.give", "1.0.0").described("Give", "Gives a value.", "bench")
    }

    async fn run(&self, _: NoPorts, _: &NoParams, _: &Context) -> Result<Blob, ComponentError> {
        Ok(Blob {
            blob: self.0.clone(),
        })
    }
}

/// Passes a value on.
#[component(id = "bench.pass", version = "1.0.0", category = "bench")]
async fn pass(blob: Blob, _: NoParams, _: &Context) -> Result<Blob, ComponentError> {
    Ok(blob)
}

/// Keeps an artifact, made piece by piece.
#[component(id = "bench.keep", version = "1.0.0", category = "bench")]
async fn keep(_: NoPorts, size: Size, cx: &Context) -> Result<File, ComponentError> {
    const PIECE: usize = 64 * 1024;
    let piece = Bytes::from(vec![7; PIECE]);
    let pieces = futures::stream::repeat(piece).take(size.bytes / PIECE);
    let pieces = pieces.map(std::io::Result::Ok);
    let file = cx
        .emit_artifact_stream("large.bin", "application/octet-stream", pieces)
        .await?;
    Ok(File { file })
}

fn main() -> ExitCode {
    finish(values())
}

fn values() -> Result<(), Failure> {
    let Some(options) = Options::from_env(LIMITS)? else {
        return Ok(());
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut hops = Contest::new("values/hop", "node", HOPS);
    for &size in &options.sizes {
        let plan = plan(size, &chain())?;
        let name = format!("{size} B");
        let runtime = &runtime;
        hops.add(name, move || {
            let (sample, _, outcome) = Sample::take(
                || Ok(executor(ArtifactStore::memory())),
                |executor| run(runtime, executor, &plan),
            )?;
            completed(&outcome)?;
            Ok(sample)
        });
    }
    hops.run(&options)?;

    let proof = options.time == Duration::ZERO;
    let plan_of_fan = plan(MEGABYTE, &fan())?;
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    completed(&run(
        &runtime,
        &executor(ArtifactStore::memory()),
        &plan_of_fan,
    )?)?;
    let peak = ALLOCATOR.peak_usage() - before;
    print(
        options.json,
        "values/fan",
        "1 MB to 200 consumers, peak bytes",
        peak,
    );

    let bytes = if proof { 1 << 20 } else { 1 << 30 };
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    let graph = graph(&[("keep", "bench.keep", json!({ "bytes": bytes }))], &[]);
    let plan = plan(0, &graph)?;
    let executor = executor(ArtifactStore::folder(folder.path())?);
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let begun = std::time::Instant::now();
    completed(&run(&runtime, &executor, &plan)?)?;
    let took = begun.elapsed().as_secs_f64();
    let peak = ALLOCATOR.peak_usage() - before;
    let what = format!(
        "{} MiB at {:.0} MiB/s, peak bytes",
        bytes >> 20,
        (bytes >> 20) as f64 / took
    );
    print(options.json, "values/artifact", &what, peak);
    Ok(())
}

fn print(json: bool, contest: &str, what: &str, bytes: usize) {
    if json {
        println!(
            "{}",
            json!({ "contest": contest, "what": what, "bytes": bytes })
        );
    } else {
        println!("{contest}: {what} {bytes}");
    }
}

fn executor(artifacts: ArtifactStore) -> LocalExecutor {
    LocalExecutor::builder(Arc::new(MemoryStore::new()))
        .artifacts(artifacts)
        .build()
}

fn run(
    runtime: &Runtime,
    executor: &LocalExecutor,
    plan: &Arc<Plan>,
) -> Result<Arc<RunOutcome>, Failure> {
    runtime.block_on(async {
        let run = executor.start(RunRequest::new(plan.clone())).await?;
        Ok(run.wait().await)
    })
}

fn completed(outcome: &Arc<RunOutcome>) -> Result<(), Failure> {
    match outcome.is_completed() {
        true => Ok(()),
        false => Err(format!("the run ended as {}: {:?}", outcome.status, outcome.failure).into()),
    }
}

fn plan(bytes: usize, graph: &serde_json::Value) -> Result<Arc<Plan>, Failure> {
    let mut registry = Registry::new();
    registry.register_dyn(Arc::new(EntryPoint::new()))?;
    let give = Give(vec![7; bytes].into());
    registry.register(give)?.register(Pass)?.register(Keep)?;
    let graph = Graph::from_json(&graph.to_string())?;
    Ok(compile(&graph, &registry)
        .map_err(|found| found.to_string())?
        .plan)
}

/// A graph of an entry point, these nodes, and edges between them; the first node comes first.
fn graph(nodes: &[(&str, &str, serde_json::Value)], edges: &[(&str, &str)]) -> serde_json::Value {
    let mut all = vec![json!({ "id": "start", "type": "core.workflow.entrypoint" })];
    all.extend(nodes.iter().map(|(id, component, params)| {
        json!({ "id": id, "type": component, "data": { "config": { "params": params } } })
    }));
    let mut connections = vec![json!({ "id": "first", "source": "start", "target": nodes[0].0 })];
    connections.extend(edges.iter().map(|(source, target)| {
        json!({ "id": format!("{source}-{target}"), "source": source, "target": target,
            "sourceHandle": "blob", "targetHandle": "blob" })
    }));
    json!({ "name": "Values", "nodes": all, "edges": connections })
}

fn chain() -> serde_json::Value {
    let ids: Vec<String> = (0..HOPS).map(|at| format!("n{at}")).collect();
    let nodes: Vec<_> = ids
        .iter()
        .enumerate()
        .map(|(at, id)| match at {
            0 => (id.as_str(), "bench.give", json!({})),
            _ => (id.as_str(), "bench.pass", json!({})),
        })
        .collect();
    let edges: Vec<_> = ids
        .windows(2)
        .map(|pair| (pair[0].as_str(), pair[1].as_str()))
        .collect();
    graph(&nodes, &edges)
}

fn fan() -> serde_json::Value {
    let ids: Vec<String> = (0..CONSUMERS).map(|at| format!("n{at}")).collect();
    let mut nodes = vec![("give", "bench.give", json!({}))];
    nodes.extend(ids.iter().map(|id| (id.as_str(), "bench.pass", json!({}))));
    let edges: Vec<_> = ids.iter().map(|id| ("give", id.as_str())).collect();
    graph(&nodes, &edges)
}
