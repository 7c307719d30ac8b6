//! The example hosts and the example workflows: each is run, and what it prints is compared.
//!
//! A host is a program of the package `shipsec-examples`: `examples/NAME.rs`, named in an
//! `[[example]]` entry of its manifest, with what it prints in `examples/NAME.expected`. There, as in
//! every snapbox pattern, `[..]` stands for anything within a line and a line `...` for any lines.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use snapbox::assert::Action;

use crate::report::{Options, Outcome};
use crate::{shell, workspace};

const PACKAGE: &str = "shipsec-examples";
const LIMIT: Duration = Duration::from_secs(60);
/// The audit looks at everything in this workspace, with an unoptimised build.
const AUDIT_LIMIT: Duration = Duration::from_secs(600);

/// Runs every example host in a folder of its own and compares what it prints.
///
/// # Errors
/// A host that is not registered, does not build, fails, hangs, or prints something else.
pub(crate) fn programs(options: &Options) -> anyhow::Result<Outcome> {
    let folder = workspace::root().join("examples");
    agree(&files(&folder, "rs")?, &registered()?)?;
    let programs: Vec<_> = match registered()?.is_empty() {
        true => return Ok(Outcome::Skipped("no example host exists".to_owned())),
        false => workspace::build(&["--package", PACKAGE, "--examples"])?,
    };
    let action = if options.bless {
        Action::Overwrite
    } else {
        Action::Verify
    };
    for (name, program) in &programs {
        let scratch = tempfile::tempdir()?;
        let ran = shell::collect(program, &[], scratch.path(), LIMIT)?;
        if !ran.status.success() {
            bail!(
                "example {name} ended with {}:\n{}{}",
                ran.status,
                ran.stdout,
                ran.stderr
            );
        }
        compare(
            &ran.stdout,
            &folder.join(format!("{name}.expected")),
            action,
        )
        .with_context(|| format!("example {name} does not print what is expected"))?;
    }
    Ok(Outcome::Passed(format!(
        "{} examples print what is expected",
        programs.len()
    )))
}

/// Validates every example workflow and runs the source audit on this workspace.
///
/// # Errors
/// No workflow, one that is not valid, or an audit that does not complete.
pub(crate) fn workflows(_: &Options) -> anyhow::Result<Outcome> {
    let folder = workspace::root().join("examples/workflows");
    let graphs = files(&folder, "json")?;
    if graphs.is_empty() {
        bail!("{} holds no workflow", folder.display());
    }
    let programs = workspace::build(&["--package", "shipsec-cli", "--bin", "shipsec"])?;
    let (_, shipsec) = programs
        .first()
        .context("cargo built no program named shipsec")?;
    for name in &graphs {
        let graph = folder.join(format!("{name}.json"));
        shipsec_succeeds(shipsec, &[OsStr::new("validate"), graph.as_os_str()], LIMIT)?;
    }
    let mut path = std::ffi::OsString::from("path=");
    path.push(workspace::root());
    let graph = folder.join("source-audit.json");
    let said = shipsec_succeeds(
        shipsec,
        &[
            OsStr::new("run"),
            graph.as_os_str(),
            OsStr::new("--input"),
            &path,
        ],
        AUDIT_LIMIT,
    )?;
    print!("{said}");
    Ok(Outcome::Passed(format!(
        "{} workflows are valid; the source audit completed",
        graphs.len()
    )))
}

/// Runs `shipsec` in a folder of its own, so that its store does not land in the workspace.
fn shipsec_succeeds(
    program: &Path,
    arguments: &[&OsStr],
    limit: Duration,
) -> anyhow::Result<String> {
    let scratch = tempfile::tempdir()?;
    let ran = shell::collect(program, arguments, scratch.path(), limit)?;
    if !ran.status.success() {
        bail!(
            "shipsec ended with {}:\n{}{}",
            ran.status,
            ran.stdout,
            ran.stderr
        );
    }
    Ok(ran.stdout)
}

/// The examples that the manifest names.
fn registered() -> anyhow::Result<BTreeSet<String>> {
    let package = workspace::metadata()?
        .packages
        .iter()
        .find(|package| package.name == PACKAGE)
        .with_context(|| format!("the workspace has no package {PACKAGE}"))?;
    Ok(package
        .targets
        .iter()
        .filter(|target| target.is_example())
        .map(|target| target.name.clone())
        .collect())
}

/// The names, without their ending, of the files in a folder; none when there is no such folder.
fn files(folder: &Path, ending: &str) -> anyhow::Result<BTreeSet<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", folder.display()));
        }
    };
    let paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    Ok(paths
        .iter()
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .filter_map(|path| path.file_stem()?.to_str().map(str::to_owned))
        .collect())
}

/// Whether the files and the manifest name the same examples.
fn agree(files: &BTreeSet<String>, registered: &BTreeSet<String>) -> anyhow::Result<()> {
    if let Some(name) = files.difference(registered).next() {
        bail!("examples/{name}.rs has no [[example]] entry in examples/Cargo.toml; add one");
    }
    if let Some(name) = registered.difference(files).next() {
        bail!("example {name} of examples/Cargo.toml has no file examples/{name}.rs; add it there");
    }
    Ok(())
}

fn compare(printed: &str, expected: &Path, action: Action) -> anyhow::Result<()> {
    if action == Action::Verify && !expected.exists() {
        bail!(
            "{} is missing; `cargo xtask test --only examples --bless` writes it",
            expected.display()
        );
    }
    let expected = snapbox::Data::read_from(expected, Some(snapbox::data::DataFormat::Text));
    snapbox::Assert::new()
        .action(action)
        .try_eq(Some(&"stdout"), snapbox::Data::text(printed), expected)
        .map_err(|difference| anyhow::anyhow!("{difference}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
        names.map(str::to_owned).into()
    }

    #[test]
    fn a_file_and_its_entry_need_each_other() {
        assert!(agree(&names(["hello"]), &names(["hello"])).is_ok());
        let lonely = agree(&names(["hello", "store"]), &names(["hello"])).unwrap_err();
        assert!(
            lonely
                .to_string()
                .starts_with("examples/store.rs has no [[example]] entry")
        );
        let empty = agree(&names([]), &names(["hello"])).unwrap_err();
        assert!(empty.to_string().contains("has no file examples/hello.rs"));
    }

    #[test]
    fn output_is_compared_up_to_the_wildcards() {
        let folder = tempfile::tempdir().unwrap();
        let expected = folder.path().join("hello.expected");
        std::fs::write(&expected, "run [..] completed\n...\nbye\n").unwrap();
        let check = |printed: &str| compare(printed, &expected, Action::Verify);
        assert!(check("run 17 completed\none\ntwo\nbye\n").is_ok());
        assert!(check("run 17 failed\nbye\n").is_err());
    }

    #[test]
    fn a_missing_expectation_is_an_error_until_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let expected = folder.path().join("hello.expected");
        let error = compare("hello\n", &expected, Action::Verify)
            .unwrap_err()
            .to_string();
        assert!(error.contains("is missing"), "{error}");
        compare("hello\n", &expected, Action::Overwrite).unwrap();
        assert_eq!(std::fs::read_to_string(&expected).unwrap(), "hello\n");
    }
}
