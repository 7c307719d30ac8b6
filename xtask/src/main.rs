//! Development tasks of this workspace: `cargo xtask help` lists them.

mod bench;
mod checks;
mod examples;
mod package;
mod report;
mod rules;
mod shell;
mod stress;
mod studio;
mod tests_run;
mod workspace;

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use lexopt::prelude::{Long, Short, Value, ValueExt as _};

use crate::report::{Options, Step};

const HELP: &str = "\
cargo xtask TASK [OPTIONS]

Tasks
  test     everything that is tested: unit and integration tests, doc tests, examples, workflows
  ci       everything else that must hold: format, house rules, lints, docs, features, licences,
           advisories, packaging
  bench    the benchmarks; what follows `--` goes to them
  browser  the viewer, driven in Chromium; what follows goes to its tests (--only NAME, --shots FOLDER)
  stress   runs of the command that are killed at random moments, and gone on with
  help     this text

Options of test and ci
  --only STEP   run only this step; may be repeated
  --list        name the steps and end
  --bless       (test) write what the examples print as their expected output

Options of stress
  --kills N     how many times; 500 where it is left out
  --seed N      where the random numbers begin; another each time where it is left out

Options of bench
  --only BENCH  run only this bench target; may be repeated
  --peers       also the comparison with other executors, which builds their crates

A step whose tool or material is absent is skipped and named in the summary. With CI=true in the
environment that is a failure.
";

fn main() -> ExitCode {
    match dispatch() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Reads the command line and runs the task; false when a step failed.
fn dispatch() -> anyhow::Result<bool> {
    let mut arguments = lexopt::Parser::from_env();
    let task = match arguments.next()? {
        Some(Value(task)) => task.string()?,
        Some(Long("help") | Short('h')) | None => "help".to_owned(),
        Some(other) => return Err(other.unexpected().into()),
    };
    match task.as_str() {
        "test" => steps("test", tests_run::STEPS, &mut arguments),
        "ci" => steps("ci", checks::STEPS, &mut arguments),
        "bench" => bench::run(&mut arguments),
        "stress" => stress::run(&mut arguments),
        "browser" => studio::browse(&mut arguments),
        "help" => {
            print!("{HELP}");
            Ok(true)
        }
        other => bail!("no task is named `{other}`; `cargo xtask help` lists them"),
    }
}

fn steps(
    title: &str,
    steps: &'static [Step],
    arguments: &mut lexopt::Parser,
) -> anyhow::Result<bool> {
    let mut only = Vec::new();
    let mut options = Options {
        strict: is_ci(),
        bless: false,
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("only") => only.push(arguments.value()?.string()?),
            Long("bless") if title == "test" => options.bless = true,
            Long("list") => {
                for step in steps {
                    println!("{:<12} {}", step.name, step.about);
                }
                return Ok(true);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let chosen = report::choose(steps, &only)?;
    std::env::set_current_dir(workspace::root())
        .with_context(|| format!("cannot enter {}", workspace::root().display()))?;
    report::run(title, &chosen, &options)
}

/// Whether nothing may be skipped: `CI` is set, and not to a word for no.
fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}
