//! `cargo xtask bench`: the benchmarks, against the floor and, when asked, against peers.

use std::ffi::OsString;

use lexopt::prelude::{Long, Value};

use crate::{shell, workspace};

/// Runs the benchmark packages; what the task does not know goes to the benchmarks.
///
/// # Errors
/// An unknown option, or a benchmark that does not build or run.
pub(crate) fn run(arguments: &mut lexopt::Parser) -> anyhow::Result<bool> {
    let mut packages = vec!["shipsec-benches"];
    let mut targets: Vec<OsString> = Vec::new();
    let mut rest: Vec<OsString> = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("peers") => packages.push("shipsec-bench-peers"),
            Long("only") => targets.extend(["--bench".into(), arguments.value()?]),
            Value(value) => rest.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let mut command = shell::cargo(["bench"]);
    for package in packages {
        command.args(["--package", package]);
    }
    shell::run(
        command
            .current_dir(workspace::root())
            .args(targets)
            .arg("--")
            .args(rest),
    )?;
    Ok(true)
}
