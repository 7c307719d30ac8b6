//! The steps that need other languages' tools: the fuzz of the HTTP API, the viewer, and a browser.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::report::{Options, Outcome};
use crate::{shell, workspace};

/// What asks the API whatever its description allows: from PyPI.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

fn exists(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Asks a server whatever its OpenAPI document allows, and expects no failure of its own.
pub(crate) fn fuzz(_: &Options) -> anyhow::Result<Outcome> {
    if !exists("python3") {
        return Ok(Outcome::Skipped("there is no python3".to_owned()));
    }
    let tool = match schemathesis() {
        Ok(tool) => tool,
        Err(error) => {
            let why = format!("{SCHEMATHESIS} cannot be installed: {error:#}");
            return Ok(Outcome::Skipped(why));
        }
    };
    let mut command = Command::new("python3");
    command
        .arg("shipsec-studio/tests/fuzz.py")
        .arg(shipsec()?)
        .arg(tool);
    let kept = shell::run_keeping(&mut command, |line| line.contains(" generated, "))?;
    let counts: Vec<&str> = kept.iter().map(|line| line.trim()).collect();
    Ok(Outcome::Passed(counts.join("; ")))
}

/// The tool, in a virtual environment of its own, where the target folder keeps it.
fn schemathesis() -> anyhow::Result<PathBuf> {
    let folder = workspace::target()
        .join("xtask")
        .join(SCHEMATHESIS.replace("==", "-"));
    let tool = folder.join("bin/schemathesis");
    if tool.exists() {
        return Ok(tool);
    }
    // A half-made one is made again.
    if folder.exists() {
        std::fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let mut venv = Command::new("python3");
    shell::run(venv.args(["-m", "venv"]).arg(&folder))?;
    let mut pip = Command::new(folder.join("bin/pip"));
    let installed = shell::run(pip.args(["install", "--quiet", SCHEMATHESIS]));
    if installed.is_err() {
        // Nothing that looks installed stays.
        std::fs::remove_dir_all(&folder).ok();
    }
    installed.map(|()| tool)
}

/// Where the viewer's sources are.
const VIEWER: &str = "shipsec-studio/viewer";

fn npm(arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(arguments).current_dir(VIEWER);
    command
}

/// What drives the viewer in a browser.
const BROWSER: [&str; 3] = ["node", "npm", "chromium"];

/// Drives the viewer in Chromium against the built command; further arguments go to the tests.
///
/// # Errors
/// A program is missing, something does not build, or a test fails.
pub(crate) fn browse(arguments: &mut lexopt::Parser) -> anyhow::Result<bool> {
    let more: Vec<_> = arguments.raw_args()?.collect();
    std::env::set_current_dir(workspace::root())
        .with_context(|| format!("cannot enter {}", workspace::root().display()))?;
    if let Some(program) = BROWSER.iter().find(|program| !exists(program)) {
        bail!("there is no {program}; Debian's package has the same name");
    }
    drive(&more).map(|_| true)
}

/// All that is tested in a browser.
pub(crate) fn browser(_: &Options) -> anyhow::Result<Outcome> {
    if let Some(program) = BROWSER.iter().find(|program| !exists(program)) {
        return Ok(Outcome::Skipped(format!("there is no {program}")));
    }
    drive(&[]).map(Outcome::Passed)
}

/// Gives how many tests passed.
fn drive(more: &[OsString]) -> anyhow::Result<String> {
    let shipsec = shipsec()?;
    shell::run(&mut npm(&["ci", "--no-audit", "--no-fund"]))?;
    let mut command = Command::new("node");
    command.args([&format!("{VIEWER}/e2e/run.mjs"), "--shipsec"]);
    // Node.js ends with lines such as `ℹ pass 14`.
    let kept = shell::run_keeping(command.arg(shipsec).args(more), |line| {
        line.contains(" pass ")
    })?;
    let passed = kept.last().and_then(|line| line.rsplit(' ').next());
    Ok(format!("{} tests in Chromium", passed.unwrap_or("no")))
}

/// The command, as it is built for tests.
fn shipsec() -> anyhow::Result<PathBuf> {
    let programs = workspace::build(&["--package", "shipsec-cli", "--bin", "shipsec"])?;
    let (_, shipsec) = programs
        .into_iter()
        .next()
        .context("cargo built no shipsec")?;
    Ok(shipsec)
}

/// The viewer's own tests, and whether what is committed is what its sources make.
pub(crate) fn viewer(_: &Options) -> anyhow::Result<Outcome> {
    for program in ["node", "npm"] {
        if !exists(program) {
            return Ok(Outcome::Skipped(format!("there is no {program}")));
        }
    }
    shell::run(&mut npm(&["ci", "--no-audit", "--no-fund"]))?;
    shell::run(&mut npm(&["run", "check"]))?;
    shell::run(&mut npm(&["test"]))?;
    shell::run(&mut npm(&["run", "build"]))?;
    let mut same = Command::new("git");
    same.args(["diff", "--exit-code", "--stat", "--", "shipsec-studio/dist"]);
    shell::run(&mut same).context("shipsec-studio/dist is not what its sources make: commit it")?;
    Ok(Outcome::Passed(
        "checked, tested, and dist is as committed".to_owned(),
    ))
}
