//! What an executor costs per node: no-op nodes, everything beyond the floor compiled in.

use std::process::ExitCode;

use shipsec_benches::harness::{Contest, Limits, Options, finish};
use shipsec_benches::shipsec::Job;
use shipsec_benches::{Failure, floor};
use tokio::runtime::Builder;

const LIMITS: Limits = Limits {
    sizes: &[1_000, 10_000, 100_000, 1_000_000],
    proof: 100,
};

fn main() -> ExitCode {
    finish(overhead())
}

fn overhead() -> Result<(), Failure> {
    let Some(options) = Options::from_env(LIMITS)? else {
        return Ok(());
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    for &shape in &options.shapes {
        for &size in &options.sizes {
            let graph = shape.graph(size);
            let job = Job::no_ops(&graph)?;
            let mut contest = Contest::new(format!("overhead/{shape}/{size}"), "node", size);
            contest.add("floor", || floor::sample(&runtime, &graph));
            contest.add("shipsec", || job.sample(&runtime));
            contest.run(&options)?;
        }
    }
    Ok(())
}
