//! The floor and the peers, interleaved, on the same shapes.

use std::process::ExitCode;

use shipsec_bench_peers::{dagrs, dagx};
use shipsec_benches::harness::{Contest, Limits, Options, finish};
use shipsec_benches::shipsec::Job;
use shipsec_benches::{Failure, floor};
use tokio::runtime::Builder;

const LIMITS: Limits = Limits {
    sizes: &[1_000, 10_000, 100_000, 1_000_000],
    proof: 100,
};

/// At 100,000 nodes dagrs takes more than a minute for one run of the fan (its cost per node grows
/// with the width): beyond this size it is left out.
const MOST_DAGRS_NODES: usize = 10_000;

fn main() -> ExitCode {
    finish(peers())
}

fn peers() -> Result<(), Failure> {
    let Some(options) = Options::from_env(LIMITS)? else {
        return Ok(());
    };
    let one = Builder::new_current_thread().enable_all().build()?;
    let many = Builder::new_multi_thread().enable_all().build()?;
    for &shape in &options.shapes {
        for &size in &options.sizes {
            let graph = shape.graph(size);
            let job = Job::no_ops(&graph)?;
            let mut contest = Contest::new(format!("peers/{shape}/{size}"), "node", size);
            contest.add("floor", || floor::sample(&one, &graph));
            contest.add("shipsec", || job.sample(&one));
            contest.add("dagx inline", || dagx::run(&one, &graph));
            if size <= MOST_DAGRS_NODES {
                contest.add("dagrs one thread", || dagrs::run(&one, &graph));
                contest.add("dagrs many threads", || dagrs::run(&many, &graph));
            }
            contest.run(&options)?;
        }
    }
    Ok(())
}
