//! `report.sarif`: an audit as SARIF 2.1.0, which code hosts and editors read.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, FileRef, Params, Ports, component};

use super::audit::{Audit, Counts};
use super::escape::{link, visible};
use super::input::{Gathered, ReportInput};
use crate::contract::{Finding, Severity};

/// How `report.sarif` writes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SarifParams {
    /// File name. Of the report.
    pub file_name: String,
    /// Subject. What was audited; empty for the name of the root folder.
    pub subject: String,
}

impl Default for SarifParams {
    fn default() -> Self {
        Self {
            file_name: "report.sarif".to_owned(),
            subject: String::new(),
        }
    }
}

/// What `report.sarif` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct SarifOutput {
    /// Report. The file.
    pub report: FileRef,
    /// Summary. One line with the numbers, and what was not checked.
    pub summary: String,
    /// Counts. The findings by severity.
    pub counts: Counts,
}

/// Write a SARIF report. SARIF 2.1.0, which code hosts and editors read.
#[component(
    id = "report.sarif",
    version = "1.0.0",
    category = "report",
    execution = blocking
)]
pub async fn report_sarif(
    input: ReportInput,
    params: &SarifParams,
    cx: &Context,
) -> Result<SarifOutput, ComponentError> {
    let gathered = Gathered::new(input, &params.subject);
    let audit = gathered.audit();
    let bytes = sarif(&audit).map_err(|error| ComponentError::internal(error.to_string()))?;
    let report = cx
        .emit_artifact(&params.file_name, "application/sarif+json", bytes)
        .await?;
    let summary = gathered.summary();
    cx.info(&summary);
    Ok(SarifOutput {
        report,
        summary,
        counts: Counts::of(audit.findings()),
    })
}

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// What may stand in a path segment as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b'@')
    .remove(b'+');

/// The report as a SARIF 2.1.0 document in JSON.
///
/// Paths are relative to `%SRCROOT%`, every result has a fingerprint that stays the same
/// from run to run, and what could not be checked is a notification of the invocation. The
/// same audit gives the same bytes.
///
/// # Errors
/// When the document cannot be serialised.
pub fn sarif(audit: &Audit<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let findings = audit.findings();
    let mut rules: BTreeMap<&str, (&Finding, Severity)> = BTreeMap::new();
    for finding in &findings {
        // Findings come gravest first, so the first of a rule has its severity.
        rules
            .entry(&finding.rule_id)
            .or_insert((finding, finding.severity));
    }
    let indices: BTreeMap<&str, usize> = rules
        .keys()
        .enumerate()
        .map(|(index, id)| (*id, index))
        .collect();
    let notifications: Vec<Notification> = audit
        .not_checked
        .iter()
        .map(|missing| ("error", format!("{}: {}", missing.what, missing.reason)))
        .chain(
            audit
                .warnings
                .iter()
                .map(|warning| ("warning", warning.clone())),
        )
        .map(|(level, text)| Notification {
            level,
            message: message(&text),
        })
        .collect();
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "ShipSec",
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    information_uri: env!("CARGO_PKG_REPOSITORY"),
                    rules: rules
                        .values()
                        .map(|(finding, severity)| rule(finding, *severity))
                        .collect(),
                },
            },
            column_kind: "unicodeCodePoints",
            original_uri_base_ids: BaseIds {
                root: Base {
                    description: Text {
                        text: "The root of the audited source tree.".to_owned(),
                    },
                },
            },
            invocations: [Invocation {
                execution_successful: audit.not_checked.is_empty(),
                tool_execution_notifications: notifications,
            }],
            results: findings
                .iter()
                .map(|finding| result(finding, indices[finding.rule_id.as_str()]))
                .collect(),
        }],
    };
    serde_json::to_vec_pretty(&log)
}

fn rule(finding: &Finding, severity: Severity) -> Rule<'_> {
    let score = match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.5",
        Severity::Info => "0.0",
    };
    Rule {
        id: &finding.rule_id,
        short_description: message(&finding.title),
        help_uri: finding.help_uri.as_deref().and_then(link),
        default_configuration: Configuration {
            level: level(severity),
        },
        properties: RuleProperties {
            tags: ["security"],
            security_severity: score,
        },
    }
}

fn result(finding: &Finding, rule_index: usize) -> ResultItem<'_> {
    ResultItem {
        rule_id: &finding.rule_id,
        rule_index,
        level: level(finding.severity),
        message: message(&finding.message),
        locations: [Location {
            physical_location: PhysicalLocation {
                artifact_location: ArtifactLocation {
                    uri: relative_uri(&finding.path),
                    uri_base_id: "SRCROOT",
                },
                region: finding.line.filter(|line| *line > 0).map(|line| Region {
                    start_line: line,
                    start_column: finding.column.filter(|column| *column > 0),
                }),
            },
        }],
        partial_fingerprints: Fingerprints {
            shipsec: &finding.fingerprint,
        },
        properties: ResultProperties {
            severity: finding.severity,
            package: finding.package.as_deref(),
            aliases: &finding.aliases,
        },
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// Plain text, in which SARIF would read `[text](target)` as a link.
fn message(text: &str) -> Text {
    Text {
        text: visible(text).replace("](", "] ("),
    }
}

/// A relative reference that no first segment can turn into a scheme or a root.
fn relative_uri(path: &str) -> String {
    utf8_percent_encode(path.trim_start_matches('/'), SEGMENT).to_string()
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    column_kind: &'static str,
    original_uri_base_ids: BaseIds,
    invocations: [Invocation; 1],
    results: Vec<ResultItem<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'static str,
    semantic_version: &'static str,
    information_uri: &'static str,
    rules: Vec<Rule<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule<'a> {
    id: &'a str,
    short_description: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    help_uri: Option<&'a str>,
    default_configuration: Configuration,
    properties: RuleProperties,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct RuleProperties {
    tags: [&'static str; 1],
    /// Where GitHub looks for the severity.
    #[serde(rename = "security-severity")]
    security_severity: &'static str,
}

#[derive(Serialize)]
struct BaseIds {
    #[serde(rename = "SRCROOT")]
    root: Base,
}

#[derive(Serialize)]
struct Base {
    description: Text,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Serialize)]
struct Notification {
    level: &'static str,
    message: Text,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultItem<'a> {
    rule_id: &'a str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: [Location; 1],
    partial_fingerprints: Fingerprints<'a>,
    properties: ResultProperties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: PhysicalLocation,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
    uri_base_id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<u32>,
}

#[derive(Serialize)]
struct Fingerprints<'a> {
    #[serde(rename = "shipsec/v1")]
    shipsec: &'a str,
}

#[derive(Serialize)]
struct ResultProperties<'a> {
    severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    aliases: &'a [String],
}
