//! What an audit came to: the common ground of the reports.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::Contract;

use crate::contract::{Finding, Package, Severity};

/// How many files were walked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Walked {
    /// Text files that were looked at.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

impl Walked {
    /// So many files of so many bytes together.
    #[must_use]
    pub fn new(files: u64, bytes: u64) -> Self {
        Self { files, bytes }
    }
}

/// Something that was asked for and could not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotChecked {
    /// What, such as "Known vulnerabilities".
    pub what: String,
    /// Why.
    pub reason: String,
}

impl NotChecked {
    /// `what` was not checked because of `reason`.
    #[must_use]
    pub fn new(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            reason: reason.into(),
        }
    }
}

/// Everything that a report tells. `None` stands for a step that gave nothing.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Audit<'a> {
    /// What was audited, such as the name of the folder.
    pub subject: &'a str,
    /// The walk.
    pub walked: Option<Walked>,
    /// Secrets in the files.
    pub secrets: Option<&'a [Finding]>,
    /// Advisories against the packages.
    pub advisories: Option<&'a [Finding]>,
    /// The packages.
    pub packages: Option<&'a [Package]>,
    /// What could not be checked.
    pub not_checked: &'a [NotChecked],
    /// What else the reader should know, one line each.
    pub warnings: &'a [String],
}

impl<'a> Audit<'a> {
    /// An audit of `subject` with nothing in it yet.
    #[must_use]
    pub fn new(subject: &'a str) -> Self {
        Self {
            subject,
            ..Self::default()
        }
    }

    /// All findings: the gravest first, then by place.
    #[must_use]
    pub fn findings(&self) -> Vec<&'a Finding> {
        let mut all: Vec<&Finding> = self
            .secrets
            .into_iter()
            .chain(self.advisories)
            .flatten()
            .collect();
        all.sort_by(|a, b| {
            (b.severity, &a.path, a.line, a.column, &a.rule_id)
                .cmp(&(a.severity, &b.path, b.line, b.column, &b.rule_id))
        });
        all
    }

    /// How many packages of each ecosystem.
    #[must_use]
    pub fn ecosystems(&self) -> BTreeMap<&'a str, usize> {
        let mut counts = BTreeMap::new();
        for package in self.packages.into_iter().flatten() {
            *counts.entry(package.ecosystem.as_str()).or_insert(0) += 1;
        }
        counts
    }
}

/// Findings by severity.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Contract,
)]
#[contract(id = "shipsec.finding-counts.v1")]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// How many are critical.
    pub critical: u64,
    /// How many are high.
    pub high: u64,
    /// How many are medium.
    pub medium: u64,
    /// How many are low.
    pub low: u64,
    /// How many are only informational.
    pub info: u64,
    /// All together.
    pub total: u64,
}

impl Counts {
    /// Counts the findings.
    #[must_use]
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            *counts.slot(finding.severity) += 1;
            counts.total += 1;
        }
        counts
    }

    /// How many are of one severity.
    #[must_use]
    pub fn at(mut self, severity: Severity) -> u64 {
        *self.slot(severity)
    }

    fn slot(&mut self, severity: Severity) -> &mut u64 {
        match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Info => &mut self.info,
        }
    }
}
