//! How much memory a run takes per node, counted at the allocator.
//!
//! This target is apart because the counting would burden the times of the others.

use std::process::ExitCode;

use peak_alloc::PeakAlloc;
use shipsec_benches::graph::Graph;
use shipsec_benches::harness::{Limits, Options, finish};
use shipsec_benches::shipsec::Job;
use shipsec_benches::{Failure, floor};
use tokio::runtime::Builder;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const LIMITS: Limits = Limits {
    sizes: &[1_000, 10_000, 100_000, 1_000_000],
    proof: 100,
};

fn main() -> ExitCode {
    finish(memory())
}

fn memory() -> Result<(), Failure> {
    let Some(options) = Options::from_env(LIMITS)? else {
        return Ok(());
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    if !options.json {
        println!("bytes per node: peak during the run, and what the run leaves behind");
        println!(
            "{:<28}{:<16}{:>8}{:>8}",
            "graph", "contender", "peak", "left"
        );
    }
    for &shape in &options.shapes {
        for &size in &options.sizes {
            let graph = shape.graph(size);
            let name = format!("memory/{shape}/{size}");
            let floor = floor_bytes(&runtime, &graph)?;
            print(&name, "floor", floor, &options);
            let ours = our_bytes(&runtime, &graph)?;
            print(&name, "shipsec", ours, &options);
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Bytes {
    peak: f64,
    left: f64,
}

fn floor_bytes(runtime: &tokio::runtime::Runtime, graph: &Graph) -> Result<Bytes, Failure> {
    let nodes = floor::no_ops(graph);
    measure(graph, || runtime.block_on(floor::run(graph, &nodes)))
        .and_then(|(bytes, finished)| finished.verify(graph).map(|()| bytes))
}

/// The plan is there before: it serves any number of runs.
fn our_bytes(runtime: &tokio::runtime::Runtime, graph: &Graph) -> Result<Bytes, Failure> {
    let job = Job::no_ops(graph)?;
    measure(graph, || job.run(runtime))
        .and_then(|(bytes, finished)| job.verify(runtime, &finished).map(|()| bytes))
}

fn measure<R>(
    graph: &Graph,
    run: impl FnOnce() -> Result<R, Failure>,
) -> Result<(Bytes, R), Failure> {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let result = run()?;
    let per_node = |bytes: usize| bytes.saturating_sub(before) as f64 / graph.len() as f64;
    let peak = per_node(ALLOCATOR.peak_usage());
    Ok((
        Bytes {
            peak,
            left: per_node(ALLOCATOR.current_usage()),
        },
        result,
    ))
}

fn print(name: &str, contender: &str, bytes: Bytes, options: &Options) {
    if options.json {
        let line = serde_json::json!({
            "contest": name,
            "contender": contender,
            "peakBytes": bytes.peak,
            "leftBytes": bytes.left,
        });
        println!("{line}");
    } else {
        println!(
            "{name:<28}{contender:<16}{:>8.0}{:>8.0}",
            bytes.peak, bytes.left
        );
    }
}
