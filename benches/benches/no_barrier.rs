//! Whether anything waits for a wave: 2,500 sleeps with a long tail, against the critical path.

use std::process::ExitCode;
use std::time::Duration;

use shipsec_benches::harness::{Contest, Limits, Options, Sample, finish};
use shipsec_benches::shipsec::Job;
use shipsec_benches::sleeps::Sleeps;
use shipsec_benches::{Failure, floor};
use tokio::runtime::{Builder, Runtime};

const LIMITS: Limits = Limits {
    sizes: &[2_500],
    proof: 9,
};
const SEED: u64 = 1;

fn main() -> ExitCode {
    finish(no_barrier())
}

fn no_barrier() -> Result<(), Failure> {
    let Some(mut options) = Options::from_env(LIMITS)? else {
        return Ok(());
    };
    options.rounds.get_or_insert(3);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    for &size in &options.sizes {
        let sleeps = Sleeps::new(size, SEED);
        let job = Job::sleeps(&sleeps)?;
        let mut contest = Contest::new(format!("no-barrier/{size}"), "run", 1);
        contest.add("critical path (computed)", || {
            Ok(computed(sleeps.critical_path()))
        });
        contest.add("barriers (computed)", || {
            Ok(computed(sleeps.with_barriers()))
        });
        contest.add("floor", || floor(&runtime, &sleeps));
        contest.add("shipsec", || job.sample(&runtime));
        contest.run(&options)?;
    }
    Ok(())
}

fn computed(run: Duration) -> Sample {
    Sample {
        setup: Duration::ZERO,
        run,
    }
}

fn floor(runtime: &Runtime, sleeps: &Sleeps) -> Result<Sample, Failure> {
    let (sample, _, finished) = Sample::take(
        || {
            let node = |&time: &Duration| Box::new(floor::Sleep(time)) as Box<dyn floor::Node>;
            Ok(sleeps.times.iter().map(node).collect::<Vec<_>>())
        },
        |nodes| runtime.block_on(floor::run(&sleeps.graph, nodes)),
    )?;
    finished.verify(&sleeps.graph)?;
    Ok(sample)
}
