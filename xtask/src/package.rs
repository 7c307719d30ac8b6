//! `cargo xtask ci --only package`: what would be published builds by itself.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::report::{Options, Outcome};
use crate::{shell, workspace};

/// Packs every published crate and checks each as packed, against the others as packed.
///
/// Cargo's own verification unpacks into its home, once for a name and version, and takes what an
/// earlier commit left there for this one's. So what was packed is unpacked here, each time anew.
pub(crate) fn package(_: &Options) -> anyhow::Result<Outcome> {
    let members = workspace::published()?;
    let mut command = shell::cargo(["package", "--quiet", "--no-verify"]);
    for member in &members {
        command.args(["--package", &member.name]);
    }
    // In CI the tree is clean; at a desk the check is worth having before the commit.
    command.arg("--allow-dirty");
    let yanked = shell::run_keeping(&mut command, |line| line.contains("is yanked"))?;
    if let Some(line) = yanked.first() {
        bail!("{line}; `cargo update` that crate");
    }

    let packed = workspace::target().join("package");
    let folder = workspace::target().join("xtask").join("packed");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder)?;
    let mut manifest =
        "[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\n\n[patch.crates-io]\n".to_owned();
    for member in &members {
        let unpacked = format!("{}-{}", member.name, member.version);
        unpack(&packed.join(format!("{unpacked}.crate")), &folder)?;
        writeln!(manifest, "{} = {{ path = \"{unpacked}\" }}", member.name)?;
    }
    std::fs::write(folder.join("Cargo.toml"), manifest)?;
    // The same versions of the dependencies, so that those that are built already serve here too.
    std::fs::copy(
        workspace::root().join("Cargo.lock"),
        folder.join("Cargo.lock"),
    )?;
    for member in &members {
        let mut check = shell::cargo(["check", "--quiet", "--offline", "--package", &member.name]);
        check.arg("--manifest-path").arg(folder.join("Cargo.toml"));
        check.arg("--target-dir").arg(workspace::target());
        // With the workspace's profile, for the same reason. CI has set it for everything.
        if std::env::var_os("CARGO_PROFILE_DEV_DEBUG").is_none() {
            check.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
        }
        shell::run(&mut check)?;
    }
    Ok(Outcome::Passed(format!("{} crates", members.len())))
}

/// Files get the time of now: those in a crate are all of 2006, and cargo would take a changed one
/// for what it has built already.
fn unpack(archive: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut tar = Command::new("tar");
    tar.arg("-xzmf").arg(archive).arg("-C").arg(folder);
    shell::run(&mut tar)
}
