//! `cargo xtask stress`: runs that are killed anywhere, and gone on with.

use anyhow::bail;
use lexopt::prelude::{Long, ValueExt as _};

use crate::{shell, workspace};

/// Kills where nobody says how many.
const KILLS: u64 = 500;

/// Runs the stress test of the command line with so many kills; the seed is printed, so that what it
/// found can be had again.
pub(crate) fn run(arguments: &mut lexopt::Parser) -> anyhow::Result<bool> {
    let (mut kills, mut seed) = (KILLS, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("kills") => kills = arguments.value()?.parse()?,
            Long("seed") => seed = Some(arguments.value()?.parse()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let seed: u64 = match seed {
        Some(seed) => seed,
        // Any will do, and another each time.
        None => std::time::UNIX_EPOCH.elapsed()?.as_secs(),
    };
    if kills == 0 {
        bail!("--kills 0 kills nothing");
    }
    println!("{kills} kills from seed {seed}");
    std::env::set_current_dir(workspace::root())?;
    let mut command = shell::cargo(["test", "--package", "shipsec-cli", "--test", "cli"]);
    command
        .args(["--", "stress::killed_anywhere", "--nocapture"])
        .env("SHIPSEC_STRESS_KILLS", kills.to_string())
        .env("SHIPSEC_STRESS_SEED", seed.to_string());
    shell::run(&mut command)?;
    Ok(true)
}
