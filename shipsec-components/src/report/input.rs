//! What both report components take, and how it becomes an [`Audit`].

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{Ports, Shared};

use super::audit::{Audit, Counts, NotChecked, Walked};
use crate::contract::{Finding, Package, SourceFile};

/// What `report.sarif` and `report.markdown` take. Whatever has no value is told as not checked.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct ReportInput {
    /// Root. The folder that was audited.
    pub root: Option<String>,
    /// Files. Those that were walked.
    pub files: Option<Shared<Vec<SourceFile>>>,
    /// Secrets. Findings in the files.
    pub secrets: Option<Shared<Vec<Finding>>>,
    /// Packages. What the lock files name.
    pub packages: Option<Shared<Vec<Package>>>,
    /// Advisories. Findings about the packages.
    pub advisories: Option<Shared<Vec<Finding>>>,
    /// Advisories failed. The error of the step that should have found advisories.
    pub advisories_error: Option<serde_json::Value>,
    /// Walk warnings. Of the walk.
    pub walk_warnings: Option<Vec<String>>,
    /// Secrets warnings. Of the scan for secrets.
    pub secrets_warnings: Option<Vec<String>>,
    /// Package warnings. Of the lock files.
    pub packages_warnings: Option<Vec<String>>,
    /// Advisory warnings. Of the advisories.
    pub advisories_warnings: Option<Vec<String>>,
}

/// An audit with everything that it borrows.
pub(super) struct Gathered {
    input: ReportInput,
    subject: String,
    not_checked: Vec<NotChecked>,
    warnings: Vec<String>,
}

impl Gathered {
    pub(super) fn new(mut input: ReportInput, subject: &str) -> Self {
        let folder = input
            .root
            .as_deref()
            .map(Path::new)
            .and_then(Path::file_name);
        let subject = match (subject, folder) {
            ("", Some(folder)) => folder.to_string_lossy().into_owned(),
            ("", None) => "source tree".to_owned(),
            (subject, _) => subject.to_owned(),
        };
        let mut not_checked = Vec::new();
        if input.files.is_none() {
            not_checked.push(NotChecked::new("Files", "the walk gave no result"));
        }
        if input.secrets.is_none() {
            not_checked.push(NotChecked::new("Secrets", "the scan gave no result"));
        }
        if input.packages.is_none() {
            not_checked.push(NotChecked::new("Packages", "the lock files were not read"));
        }
        if input.advisories.is_none() {
            let reason = match &input.advisories_error {
                Some(error) => reason_of(error),
                None => "the step gave no result".to_owned(),
            };
            not_checked.push(NotChecked::new("Known vulnerabilities", reason));
        }
        let warnings = [
            &mut input.walk_warnings,
            &mut input.secrets_warnings,
            &mut input.packages_warnings,
            &mut input.advisories_warnings,
        ]
        .into_iter()
        .flat_map(|warnings| warnings.take().unwrap_or_default())
        .collect();
        Self {
            input,
            subject,
            not_checked,
            warnings,
        }
    }

    pub(super) fn audit(&self) -> Audit<'_> {
        let input = &self.input;
        Audit {
            walked: input.files.as_ref().map(|files| {
                Walked::new(files.len() as u64, files.iter().map(|file| file.size).sum())
            }),
            secrets: input.secrets.as_ref().map(|found| found.as_slice()),
            advisories: input.advisories.as_ref().map(|found| found.as_slice()),
            packages: input.packages.as_ref().map(|found| found.as_slice()),
            not_checked: &self.not_checked,
            warnings: &self.warnings,
            ..Audit::new(&self.subject)
        }
    }

    /// One line for a person: the numbers, and what is missing.
    pub(super) fn summary(&self) -> String {
        let audit = self.audit();
        let counts = Counts::of(audit.findings());
        let mut text = format!(
            "{} findings ({} critical, {} high, {} medium, {} low, {} info)",
            counts.total, counts.critical, counts.high, counts.medium, counts.low, counts.info
        );
        if let Some(walked) = audit.walked {
            text += &format!(" in {} files", walked.files);
        }
        if let Some(packages) = audit.packages {
            text += &format!(" and {} packages", packages.len());
        }
        if !self.not_checked.is_empty() {
            let what: Vec<_> = self
                .not_checked
                .iter()
                .map(|missing| missing.what.as_str())
                .collect();
            text += &format!("; not checked: {}", what.join(", "));
        }
        text
    }
}

/// `{"kind": …, "message": …}`, as a failed node gives it.
fn reason_of(error: &serde_json::Value) -> String {
    let text = |key: &str| error.get(key).and_then(|value| value.as_str());
    match (text("kind"), text("message")) {
        (Some(kind), Some(message)) => format!("{kind}: {message}"),
        (None, Some(message)) => message.to_owned(),
        _ => error.to_string(),
    }
}
