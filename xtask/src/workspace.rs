//! What cargo knows about this workspace.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use anyhow::{Context as _, bail};
use cargo_metadata::{Message, Metadata, MetadataCommand, Package};

use crate::shell;

/// The folder that holds the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
}

/// The folder for everything that is built.
pub(crate) fn target() -> PathBuf {
    match metadata() {
        Ok(metadata) => metadata.target_directory.clone().into_std_path_buf(),
        Err(_) => root().join("target"),
    }
}

/// The members and their targets, without the crates that they depend on.
///
/// # Errors
/// A manifest that cargo cannot read.
pub(crate) fn metadata() -> anyhow::Result<&'static Metadata> {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    if let Some(known) = METADATA.get() {
        return Ok(known);
    }
    let read = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cargo cannot read the workspace")?;
    Ok(METADATA.get_or_init(|| read))
}

/// The members that are published: all that do not say `publish = false`.
///
/// # Errors
/// A manifest that cargo cannot read.
pub(crate) fn published() -> anyhow::Result<Vec<&'static Package>> {
    let packages = metadata()?.workspace_packages();
    Ok(packages
        .into_iter()
        .filter(|package| {
            package
                .publish
                .as_ref()
                .is_none_or(|names| !names.is_empty())
        })
        .collect())
}

/// Builds targets and gives back the name and the path of every program built.
///
/// # Errors
/// The build fails.
pub(crate) fn build(arguments: &[&str]) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut command = shell::cargo(["build", "--message-format=json-render-diagnostics"]);
    command.args(arguments).stdout(Stdio::piped());
    println!("$ cargo build {}", arguments.join(" "));
    let mut child = command.spawn().context("cannot start cargo build")?;
    let output = child
        .stdout
        .take()
        .context("cargo build has no output to read")?;
    let mut programs = Vec::new();
    for message in Message::parse_stream(std::io::BufReader::new(output)) {
        if let Message::CompilerArtifact(artifact) = message?
            && let Some(path) = artifact.executable
        {
            programs.push((artifact.target.name, path.into_std_path_buf()));
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("cargo build {} ended with {status}", arguments.join(" "));
    }
    programs.sort();
    Ok(programs)
}
