//! `source.sbom`: what a source tree builds on, read from its lock files.
//!
//! Each format has a parser from text to entries; [`inventory`] runs them and joins
//! what several files say of one package, [`cyclonedx`] writes the bill of materials.

mod cargo;
mod cyclonedx;
mod entry;
mod gaps;
mod golang;
mod inventory;
mod npm;
mod python;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{
    ComponentError, Context, FileRef, Params, Ports, Shared, component, context::Progress,
};

use crate::{
    contract::{Package, SourceFile},
    support::{check_cancelled, file_error},
};

pub use cyclonedx::{SbomError, cyclonedx};
pub use inventory::{Inventory, inventory};

pub(crate) use python::normalized_name;

use entry::{Ecosystem, LockFile};

/// What `source.sbom` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct SbomInput {
    /// Root. The folder that the files are in.
    pub root: String,
    /// Files. Paths relative to the root, as a walk gives them.
    pub files: Shared<Vec<SourceFile>>,
}

/// How `source.sbom` writes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SbomParams {
    /// File name. Of the artifact with the bill of materials.
    pub file_name: String,
    /// Subject. What the bill is of; empty for the name of the root folder.
    pub subject: String,
}

impl Default for SbomParams {
    fn default() -> Self {
        Self {
            file_name: "sbom.cdx.json".to_owned(),
            subject: String::new(),
        }
    }
}

/// What `source.sbom` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct SbomOutput {
    /// Packages. What the lock files name, ordered by ecosystem, name and version.
    pub packages: Shared<Vec<Package>>,
    /// Count. How many packages there are.
    pub count: u64,
    /// Bill of materials. CycloneDX 1.5 in JSON.
    pub sbom: FileRef,
    /// Lock files. Those that were read.
    pub lock_files: Vec<String>,
    /// Warnings. Lock files that could not be read, and what they leave open.
    pub warnings: Vec<String>,
}

/// List the packages. Reads the lock files of Rust, npm, Python and Go, and writes a software
/// bill of materials.
#[component(
    id = "source.sbom",
    version = "1.0.0",
    category = "source",
    execution = blocking,
    volatile
)]
pub async fn source_sbom(
    input: SbomInput,
    params: &SbomParams,
    cx: &Context,
) -> Result<SbomOutput, ComponentError> {
    let given = Path::new(&input.root);
    let root = given
        .canonicalize()
        .map_err(|error| file_error("open the source folder", given, error))?;
    let found = inventory(&root, &input.files, &mut |done, total| {
        cx.progress(Progress::counted(done, total).unit("lock files"));
        !cx.is_cancelled()
    });
    check_cancelled(cx)?;
    for warning in &found.warnings {
        cx.warn(warning);
    }
    let subject = match params.subject.as_str() {
        "" => root
            .file_name()
            .unwrap_or(root.as_os_str())
            .to_string_lossy()
            .into_owned(),
        subject => subject.to_owned(),
    };
    let bytes = cyclonedx(&subject, &found.packages)
        .map_err(|error| ComponentError::internal(error.to_string()))?;
    let sbom = cx
        .emit_artifact(&params.file_name, "application/vnd.cyclonedx+json", bytes)
        .await?;
    cx.info(format!(
        "{} packages in {} lock files",
        found.packages.len(),
        found.lock_files.len()
    ));
    Ok(SbomOutput {
        count: found.packages.len() as u64,
        packages: found.packages.into(),
        sbom,
        lock_files: found.lock_files,
        warnings: found.warnings,
    })
}
