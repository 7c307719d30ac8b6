//! `report.markdown`: an audit as a person wants to read it.

use std::collections::HashMap;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, FileRef, Params, Ports, component};

use super::audit::{Audit, Counts};
use super::escape::{code, link, text};
use super::input::{Gathered, ReportInput};
use crate::contract::{Finding, Severity};

/// How `report.markdown` writes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MarkdownParams {
    /// File name. Of the report.
    pub file_name: String,
    /// Subject. What was audited; empty for the name of the root folder.
    pub subject: String,
    /// Most findings. Listed of each severity; the rest is counted.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_findings: usize,
}

impl Default for MarkdownParams {
    fn default() -> Self {
        Self {
            file_name: "report.md".to_owned(),
            subject: String::new(),
            max_findings: 200,
        }
    }
}

/// What `report.markdown` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct MarkdownOutput {
    /// Report. The file.
    pub report: FileRef,
    /// Summary. One line with the numbers, and what was not checked.
    pub summary: String,
    /// Counts. The findings by severity.
    pub counts: Counts,
}

/// Write a Markdown report. The numbers first, then what could not be checked, the findings and the
/// packages.
#[component(
    id = "report.markdown",
    version = "1.0.0",
    category = "report",
    execution = blocking
)]
pub async fn report_markdown(
    input: ReportInput,
    params: &MarkdownParams,
    cx: &Context,
) -> Result<MarkdownOutput, ComponentError> {
    let gathered = Gathered::new(input, &params.subject);
    let audit = gathered.audit();
    let bytes = markdown(&audit, params.max_findings).into_bytes();
    let report = cx
        .emit_artifact(&params.file_name, "text/markdown", bytes)
        .await?;
    let summary = gathered.summary();
    cx.info(&summary);
    Ok(MarkdownOutput {
        report,
        summary,
        counts: Counts::of(audit.findings()),
    })
}

/// The report as Markdown (CommonMark with tables).
///
/// The numbers come first, then what could not be checked, the findings by severity and the
/// packages. Findings that differ by their place alone are one item. Of each severity at most
/// `max_findings` are listed; how many more there are is said. Text from the audited files is escaped and cannot become markup.
#[must_use]
pub fn markdown(audit: &Audit<'_>, max_findings: usize) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, audit, max_findings);
    out
}

fn write(out: &mut String, audit: &Audit<'_>, max_findings: usize) -> std::fmt::Result {
    writeln!(out, "# Source audit of {}\n", code(audit.subject))?;
    summary(out, audit)?;
    not_checked(out, audit)?;
    findings(out, &audit.findings(), max_findings)?;
    packages(out, audit)?;
    if !audit.warnings.is_empty() {
        writeln!(out, "\n## Warnings\n")?;
        for warning in audit.warnings {
            writeln!(out, "- {}", text(warning))?;
        }
    }
    Ok(())
}

fn summary(out: &mut String, audit: &Audit<'_>) -> std::fmt::Result {
    writeln!(
        out,
        "| Findings | Critical | High | Medium | Low | Info | Total |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|")?;
    for (name, findings) in [
        ("Secrets", audit.secrets),
        ("Known vulnerabilities", audit.advisories),
    ] {
        match findings {
            None => writeln!(out, "| {name} | – | – | – | – | – | not checked |")?,
            Some(findings) => {
                let counts = Counts::of(findings);
                write!(out, "| {name} |")?;
                for severity in Severity::DESCENDING {
                    write!(out, " {} |", counts.at(severity))?;
                }
                writeln!(out, " **{}** |", counts.total)?;
            }
        }
    }
    let mut facts = Vec::new();
    if let Some(walked) = audit.walked {
        facts.push(format!(
            "{} text {} ({})",
            walked.files,
            plural(walked.files, "file"),
            size(walked.bytes)
        ));
    }
    if let Some(packages) = audit.packages {
        let count = packages.len() as u64;
        facts.push(format!(
            "{count} {} from lock files",
            plural(count, "package")
        ));
    }
    if !facts.is_empty() {
        writeln!(out, "\nLooked at {}.", facts.join(" and "))?;
    }
    Ok(())
}

fn not_checked(out: &mut String, audit: &Audit<'_>) -> std::fmt::Result {
    if audit.not_checked.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## What could not be checked\n")?;
    for missing in audit.not_checked {
        writeln!(
            out,
            "- **{}**: {}",
            text(&missing.what),
            text(&missing.reason)
        )?;
    }
    Ok(())
}

fn findings(out: &mut String, findings: &[&Finding], most: usize) -> std::fmt::Result {
    writeln!(out, "\n## Findings")?;
    if findings.is_empty() {
        return writeln!(out, "\nNone in what was checked.");
    }
    for severity in Severity::DESCENDING {
        let of_it: Vec<_> = findings.iter().filter(|f| f.severity == severity).collect();
        if of_it.is_empty() {
            continue;
        }
        let name = match severity {
            Severity::Critical => "Critical",
            Severity::High => "High",
            Severity::Medium => "Medium",
            Severity::Low => "Low",
            Severity::Info => "Info",
        };
        writeln!(out, "\n### {name} ({})\n", of_it.len())?;
        for alike in alike(of_it.iter().take(most).map(|finding| **finding)) {
            item(out, &alike)?;
        }
        if of_it.len() > most {
            writeln!(
                out,
                "\n{} more are in the SARIF report.",
                of_it.len() - most
            )?;
        }
    }
    Ok(())
}

/// Findings that differ by their place alone, together; in the order of the first of each.
fn alike<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<Vec<&'a Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    let mut known: HashMap<[&str; 3], usize> = HashMap::new();
    for finding in findings {
        let key = [&*finding.rule_id, &*finding.title, &*finding.message];
        let group = *known.entry(key).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

fn item(out: &mut String, alike: &[&Finding]) -> std::fmt::Result {
    let Some(finding) = alike.first() else {
        return Ok(());
    };
    write!(out, "- **{}** in ", text(&finding.title))?;
    match alike {
        [one] => place(out, one)?,
        several => write!(out, "{} places", several.len())?,
    }
    writeln!(out, "  ")?;
    let repeated = finding.message.strip_prefix(finding.title.as_str());
    let message = repeated.map_or(finding.message.as_str(), |rest| {
        rest.trim_start_matches(['.', ',', ' '])
    });
    // What follows a title began as the middle of a sentence.
    let mut rest = message.chars();
    let first = rest.next().map(|c| c.to_ascii_uppercase());
    let sentence: String = match repeated {
        Some(_) => first.into_iter().chain(rest).collect(),
        None => message.to_owned(),
    };
    write!(out, "  {} ", text(&sentence))?;
    let rule = code(&finding.rule_id);
    match finding.help_uri.as_deref().and_then(link) {
        Some(address) => write!(out, "[{rule}](<{address}>)")?,
        None => write!(out, "{rule}")?,
    }
    if !finding.aliases.is_empty() {
        let aliases: Vec<_> = finding.aliases.iter().map(|alias| code(alias)).collect();
        write!(out, ", also {}", aliases.join(", "))?;
    }
    writeln!(out)?;
    for finding in alike.iter().filter(|_| alike.len() > 1) {
        write!(out, "  - ")?;
        place(out, finding)?;
        writeln!(out)?;
    }
    Ok(())
}

fn place(out: &mut String, finding: &Finding) -> std::fmt::Result {
    let mut place = finding.path.clone();
    for number in [finding.line, finding.column].into_iter().flatten() {
        write!(place, ":{number}")?;
    }
    write!(out, "{}", code(&place))?;
    match &finding.preview {
        Some(preview) => write!(out, ", {}", code(preview)),
        None => Ok(()),
    }
}

fn packages(out: &mut String, audit: &Audit<'_>) -> std::fmt::Result {
    if audit.packages.is_none() {
        return Ok(());
    }
    writeln!(out, "\n## Packages\n")?;
    let ecosystems = audit.ecosystems();
    if ecosystems.is_empty() {
        return writeln!(out, "No lock file names any.");
    }
    writeln!(out, "| Ecosystem | Packages |\n|---|--:|")?;
    for (ecosystem, count) in ecosystems {
        writeln!(out, "| {} | {count} |", text(ecosystem))?;
    }
    Ok(())
}

fn plural(count: u64, word: &str) -> String {
    if count == 1 {
        word.to_owned()
    } else {
        format!("{word}s")
    }
}

/// A size as people say it, in powers of ten.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} bytes")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
