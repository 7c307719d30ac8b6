//! `source.files.walk`.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, Params, Ports, Shared, component, context::Progress};

use super::tree::{WalkError, WalkOptions, walk};
use crate::{
    contract::SourceFile,
    support::{check_cancelled, file_error},
};

/// What `source.files.walk` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct WalkInput {
    /// Path. The root folder of the source tree.
    pub path: String,
}

/// How `source.files.walk` walks.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct WalkParams {
    /// Largest file. Bytes; larger files are counted and left out.
    #[schemars(range(min = 1))]
    pub max_file_bytes: u64,
    /// Most files. The walk ends there and says so.
    #[schemars(range(min = 1, max = 5_000_000))]
    pub max_files: u64,
    /// Include. Globs in the manner of `.gitignore`; empty takes every file.
    pub include: Vec<String>,
    /// Exclude. Globs of files and folders to leave out.
    pub exclude: Vec<String>,
    /// Honour ignore files. Leave out what `.gitignore` and its kin name.
    pub honour_ignore_files: bool,
}

impl Default for WalkParams {
    fn default() -> Self {
        let options = WalkOptions::default();
        Self {
            max_file_bytes: options.max_file_bytes,
            max_files: options.max_files,
            include: options.include,
            exclude: options.exclude,
            honour_ignore_files: options.honour_ignore_files,
        }
    }
}

/// What `source.files.walk` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct WalkOutput {
    /// Root. The absolute path of the source tree, links resolved.
    pub root: String,
    /// Files. The text files, ordered by path.
    pub files: Shared<Vec<SourceFile>>,
    /// Count. How many text files there are.
    pub count: u64,
    /// Bytes. The size of the text files together.
    pub bytes: u64,
    /// Binary. How many files were left out because they are not text.
    pub binary: u64,
    /// Too large. How many files were left out because of their size.
    pub too_large: u64,
    /// Warnings. What could not be read, one line each.
    pub warnings: Vec<String>,
}

/// Walk a source tree. Lists its text files, honouring `.gitignore`; never leaves the folder.
#[component(
    id = "source.files.walk",
    version = "1.0.0",
    category = "source",
    execution = blocking,
    volatile
)]
pub async fn files_walk(
    input: WalkInput,
    params: &WalkParams,
    cx: &Context,
) -> Result<WalkOutput, ComponentError> {
    let options = WalkOptions {
        max_file_bytes: params.max_file_bytes,
        max_files: params.max_files,
        include: params.include.clone(),
        exclude: params.exclude.clone(),
        honour_ignore_files: params.honour_ignore_files,
    };
    let report = walk(Path::new(&input.path), &options, &|| cx.is_cancelled()).map_err(error_of)?;
    check_cancelled(cx)?;
    let mut warnings = report.warnings;
    if report.truncated {
        warnings.push(format!(
            "the walk ended at {} files, so the tree was seen in part only: raise maxFiles",
            params.max_files
        ));
    }
    if report.too_large > 0 {
        warnings.push(format!(
            "{} files are larger than {} bytes and were left out",
            report.too_large, params.max_file_bytes
        ));
    }
    for warning in &warnings {
        cx.warn(warning);
    }
    let count = report.files.len() as u64;
    cx.progress(Progress::counted(count, count).unit("files"));
    Ok(WalkOutput {
        root: report
            .root
            .to_str()
            .ok_or_else(|| {
                ComponentError::validation("the path of the source folder is not UTF-8")
                    .with_field("path", "expected a UTF-8 path")
            })?
            .to_owned(),
        files: report.files.into(),
        count,
        bytes: report.total_bytes,
        binary: report.binary,
        too_large: report.too_large,
        warnings,
    })
}

fn error_of(error: WalkError) -> ComponentError {
    let message = error.to_string();
    match error {
        WalkError::NotFound { .. } => ComponentError::not_found(message),
        WalkError::Unreadable { path, source } => file_error("read", &path, source),
        WalkError::NotAFolder { .. } => {
            ComponentError::validation(message).with_field("path", "expected a folder")
        }
        WalkError::Glob { .. } => ComponentError::configuration(message),
    }
}
