//! `cargo xtask ci`: everything that must hold beside the tests.

use std::process::Stdio;

use anyhow::bail;

use crate::report::{Options, Outcome, Step};
use crate::{package, rules, shell, workspace};

/// The steps, cheapest first.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        about: "every file is formatted",
        run: fmt,
    },
    Step {
        name: "rules",
        about: "the house rules that a program can check",
        run: rules,
    },
    Step {
        name: "licences",
        about: "licences, banned crates, sources",
        run: licences,
    },
    Step {
        name: "advisories",
        about: "known vulnerabilities of dependencies",
        run: advisories,
    },
    Step {
        name: "clippy",
        about: "no lint fires, in any target",
        run: clippy,
    },
    Step {
        name: "docs",
        about: "the documentation builds without a warning",
        run: docs,
    },
    Step {
        name: "features",
        about: "each feature builds alone",
        run: features,
    },
    Step {
        name: "package",
        about: "what would be published builds by itself",
        run: package::package,
    },
];

fn fmt(_: &Options) -> anyhow::Result<Outcome> {
    shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))?;
    Ok(Outcome::Passed(String::new()))
}

fn rules(_: &Options) -> anyhow::Result<Outcome> {
    let found = rules::check(workspace::root())?;
    for breach in &found.breaches {
        eprintln!("{breach}");
    }
    match found.breaches.len() {
        0 => Ok(Outcome::Passed(format!("{} files", found.files))),
        count => bail!("{count} breaches of the house rules; STYLE.md has the reason of each"),
    }
}

fn clippy(_: &Options) -> anyhow::Result<Outcome> {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    shell::run(&mut shell::cargo(arguments))?;
    Ok(Outcome::Passed(String::new()))
}

fn docs(_: &Options) -> anyhow::Result<Outcome> {
    let mut command = shell::cargo(["doc", "--workspace", "--no-deps"]);
    shell::run(command.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::Passed(String::new()))
}

/// Without dev-dependencies: cargo leaves them out of a plain check, and their features with them.
fn features(_: &Options) -> anyhow::Result<Outcome> {
    if !shell::has_subcommand("hack") {
        return Ok(absent("hack"));
    }
    // Clippy, so that a warning which only one combination of features has is an error, and only in
    // the members: a flag of the compiler would build every dependency a second time.
    let command = ["hack", "clippy", "--workspace", "--each-feature", "--quiet"];
    shell::run(shell::cargo(command).args(["--", "-D", "warnings"]))?;
    Ok(Outcome::Passed(String::new()))
}

fn licences(_: &Options) -> anyhow::Result<Outcome> {
    if !shell::has_subcommand("deny") {
        return Ok(absent("deny"));
    }
    let checks = [
        "deny",
        "--log-level",
        "error",
        "check",
        "licenses",
        "bans",
        "sources",
    ];
    shell::run(&mut shell::cargo(checks))?;
    Ok(Outcome::Passed(String::new()))
}

/// The advisory database is a git repository. A machine that reaches package registries only cannot
/// have it; there the check is a documented limit, not a failure.
fn advisories(_: &Options) -> anyhow::Result<Outcome> {
    if !shell::has_subcommand("deny") {
        return Ok(absent("deny"));
    }
    let fetched = shell::cargo(["deny", "--log-level", "off", "fetch", "db"])
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !fetched.success() {
        let reason = "advisory database not reachable: skipped by configuration";
        return Ok(Outcome::Limited(reason.to_owned()));
    }
    shell::run(&mut shell::cargo([
        "deny",
        "check",
        "--disable-fetch",
        "advisories",
    ]))?;
    Ok(Outcome::Passed(String::new()))
}

fn absent(subcommand: &str) -> Outcome {
    Outcome::Skipped(format!(
        "cargo-{subcommand} is not installed; `cargo install --locked cargo-{subcommand}`"
    ))
}
