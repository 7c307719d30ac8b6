//! `cargo xtask test`: everything that is tested.

use anyhow::Context as _;

use crate::report::{Options, Outcome, Step};
use crate::{examples, shell, studio};

/// The steps, from what fails fastest and says most.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "unit",
        about: "unit and integration tests of every member",
        run: unit,
    },
    Step {
        name: "doc",
        about: "the examples in the documentation",
        run: doc,
    },
    Step {
        name: "examples",
        about: "the example hosts, and what they print",
        run: examples::programs,
    },
    Step {
        name: "workflows",
        about: "the example workflows, and the source audit on this workspace",
        run: examples::workflows,
    },
    Step {
        name: "viewer",
        about: "the viewer's types and tests, and whether what is committed is what it is made of",
        run: studio::viewer,
    },
    Step {
        name: "browser",
        about: "the viewer in Chromium: live, scrubbed, compared, interrupted, fed with hostile output",
        run: studio::browser,
    },
    Step {
        name: "fuzz",
        about: "the HTTP API, asked whatever its description allows",
        run: studio::fuzz,
    },
];

/// With cargo-nextest where it is installed, else with cargo's own runner. In CI the tests that are
/// marked as ignored run too: what they wait for must be there.
fn unit(options: &Options) -> anyhow::Result<Outcome> {
    if shell::has_subcommand("nextest") {
        let mut command = shell::cargo(["nextest", "run", "--workspace", "--status-level", "slow"]);
        if options.strict {
            command.args(["--run-ignored", "all"]);
        }
        let kept = shell::run_keeping(&mut command, |line| line.contains(" tests run: "))?;
        let line = kept
            .last()
            .context("nextest ended without its summary line")?;
        let counts = line
            .split_once("] ")
            .map_or(line.as_str(), |(_, counts)| counts);
        return Ok(Outcome::Passed(counts.trim().to_owned()));
    }
    // Not `--all-targets`: that would run the benchmarks in full.
    let targets = ["--lib", "--bins", "--tests", "--examples"];
    let mut command = shell::cargo(["test", "--workspace", "--no-fail-fast"]);
    command.args(targets);
    if options.strict {
        command.args(["--", "--include-ignored"]);
    }
    counted(&mut command)
}

fn doc(_: &Options) -> anyhow::Result<Outcome> {
    counted(&mut shell::cargo([
        "test",
        "--workspace",
        "--doc",
        "--no-fail-fast",
    ]))
}

fn counted(command: &mut std::process::Command) -> anyhow::Result<Outcome> {
    let kept = shell::run_keeping(command, |line| line.starts_with("test result: "))?;
    Ok(Outcome::Passed(Counts::of(&kept).to_string()))
}

/// The sums of the result lines that the standard test harness prints.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    fn of(lines: &[String]) -> Self {
        let mut sums = Self::default();
        for part in lines.iter().flat_map(|line| line.split(['.', ';'])) {
            let mut words = part.split_whitespace();
            let Some(Ok(number)) = words.next().map(str::parse::<u64>) else {
                continue;
            };
            match words.next() {
                Some("passed") => sums.passed += number,
                Some("failed") => sums.failed += number,
                Some("ignored") => sums.ignored += number,
                _ => {}
            }
        }
        sums
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            passed,
            failed,
            ignored,
        } = self;
        write!(
            f,
            "{} tests run: {passed} passed, {failed} failed",
            passed + failed
        )?;
        if *ignored > 0 {
            write!(f, ", {ignored} ignored")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_summed() {
        let lines = [
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.10s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        ]
        .map(str::to_owned);
        let counts = Counts::of(&lines);
        assert_eq!(
            counts,
            Counts {
                passed: 4,
                failed: 2,
                ignored: 1
            }
        );
        assert_eq!(
            counts.to_string(),
            "6 tests run: 4 passed, 2 failed, 1 ignored"
        );
    }
}
