//! `source.secrets.scan`.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, Params, Ports, Shared, component, context::Progress};

use super::engine::{ScanOptions, SecretScanner};
use crate::{
    contract::{Finding, SourceFile},
    source::files::{one_line, open_inside},
    support::{check_cancelled, file_error},
};

/// Warnings that are kept; more are counted.
const MAX_WARNINGS: usize = 100;

/// What `source.secrets.scan` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct ScanInput {
    /// Root. The folder that the files are in.
    pub root: String,
    /// Files. Paths relative to the root, as a walk gives them.
    pub files: Shared<Vec<SourceFile>>,
}

/// How `source.secrets.scan` scans.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ScanParams {
    /// Bytes of a file. What comes after them is not scanned.
    #[schemars(range(min = 1))]
    pub max_file_bytes: u64,
    /// Findings of a file. More are counted only.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_findings_per_file: usize,
    /// Findings in all. More are counted only.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_findings: usize,
    /// Include vendored code. Scan lock files, minified and vendored code too.
    pub include_vendored: bool,
}

impl Default for ScanParams {
    fn default() -> Self {
        let options = ScanOptions::default();
        Self {
            max_file_bytes: options.max_file_bytes,
            max_findings_per_file: options.max_findings_per_file,
            max_findings: 10_000,
            include_vendored: options.include_vendored,
        }
    }
}

/// What `source.secrets.scan` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct ScanOutput {
    /// Findings. The secrets, masked, in the order of the files.
    pub findings: Shared<Vec<Finding>>,
    /// Count. How many findings there are.
    pub count: u64,
    /// Scanned. How many files were looked at.
    pub scanned: u64,
    /// Skipped. How many lock files, minified and vendored files were passed over.
    pub skipped: u64,
    /// Allowed. How many secrets stand on lines that a comment allows.
    pub allowed: u64,
    /// Warnings. What could not be read, one line each.
    pub warnings: Vec<String>,
}

/// Find secrets. Looks for tokens, keys and passwords left in files; allow one with a comment
/// `shipsec:allow` on its line.
#[component(
    id = "source.secrets.scan",
    version = "1.0.0",
    category = "source",
    execution = blocking,
    volatile
)]
pub async fn secrets_scan(
    input: ScanInput,
    params: &ScanParams,
    cx: &Context,
) -> Result<ScanOutput, ComponentError> {
    let given = Path::new(&input.root);
    let root = given
        .canonicalize()
        .map_err(|error| file_error("open the source folder", given, error))?;
    let options = ScanOptions {
        max_file_bytes: params.max_file_bytes,
        max_findings_per_file: params.max_findings_per_file,
        include_vendored: params.include_vendored,
    };
    let scanner = SecretScanner::new();
    let total = input.files.len() as u64;
    let mut findings = Vec::new();
    let (mut scanned, mut skipped, mut allowed, mut left_out) = (0, 0, 0, 0_usize);
    let mut warnings = Vec::new();
    for (done, file) in (1_u64..).zip(input.files.iter()) {
        check_cancelled(cx)?;
        let found = open_inside(&root, &file.path)
            .and_then(|content| scanner.scan(&file.path, content, &options));
        match found {
            Ok(report) => {
                if report.skipped {
                    skipped += 1;
                } else {
                    scanned += 1;
                }
                allowed += report.allowed;
                let room = params.max_findings.saturating_sub(findings.len());
                left_out += report.findings.len().saturating_sub(room);
                findings.extend(report.findings.into_iter().take(room));
                let path = one_line(&file.path);
                warnings.extend(report.warnings.into_iter().map(|w| format!("{path}: {w}")));
            }
            Err(error) => warnings.push(format!("{}: {error}", one_line(&file.path))),
        }
        cx.progress(Progress::counted(done, total).unit("files"));
    }
    if left_out > 0 {
        warnings.push(format!(
            "{left_out} more findings were left out: raise maxFindings"
        ));
    }
    if warnings.len() > MAX_WARNINGS {
        let more = warnings.len() - MAX_WARNINGS;
        warnings.truncate(MAX_WARNINGS);
        warnings.push(format!("{more} more warnings were left out"));
    }
    for warning in &warnings {
        cx.warn(warning);
    }
    cx.info(format!(
        "found {} secrets in {scanned} files",
        findings.len()
    ));
    Ok(ScanOutput {
        count: findings.len() as u64,
        findings: findings.into(),
        scanned,
        skipped,
        allowed,
        warnings,
    })
}
