//! Values that several components exchange: the named contracts of the catalogue.
//!
//! A contract has a name with a version (`shipsec.finding.v1`); a change that an older
//! reader could not take gets a new name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shipsec_core::Contract;

/// How much a [`Finding`] matters, from the gravest to a mere note.
///
/// The order is by weight: `Critical > High > … > Info`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing, nothing to do.
    Info,
    /// To be looked at when there is time.
    Low,
    /// To be mended in the ordinary course of work.
    Medium,
    /// To be mended soon.
    High,
    /// To be mended now.
    Critical,
}

impl Severity {
    /// Every severity, the gravest first.
    pub const DESCENDING: [Self; 5] = [
        Self::Critical,
        Self::High,
        Self::Medium,
        Self::Low,
        Self::Info,
    ];

    /// The name on the wire, in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
        }
    }

    /// The severity `steps` steps lighter, never below [`Severity::Info`].
    #[must_use]
    pub fn lowered(self, steps: usize) -> Self {
        let at = Self::DESCENDING
            .iter()
            .position(|s| *s == self)
            .unwrap_or(0);
        Self::DESCENDING[(at + steps).min(Self::DESCENDING.len() - 1)]
    }
}

/// One thing found in a source tree: contract `shipsec.finding.v1`.
///
/// Secrets and advisories share it, so that one report takes both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Contract)]
#[contract(id = "shipsec.finding.v1")]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which rule found it, such as `secret.github-token`, or an advisory's id.
    pub rule_id: String,
    /// What the rule looks for, in a few words.
    pub title: String,
    /// How much it matters here.
    pub severity: Severity,
    /// The file, relative to the root of the walk, with `/` between folders.
    pub path: String,
    /// Line in the file, from 1; absent where the finding concerns the whole file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in the line, from 1, counted in Unicode code points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What was found and what to do about it. Never holds the secret itself.
    pub message: String,
    /// The same finding in a later run has the same fingerprint (hexadecimal).
    pub fingerprint: String,
    /// What stands there, masked; only where that helps to find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
    /// The package concerned, as a package URL; only for advisories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Other names of the same thing, such as the CVE of an advisory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help_uri: Option<String>,
}

/// One file of a walk: contract `shipsec.source-file.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Contract)]
#[contract(id = "shipsec.source-file.v1")]
#[serde(rename_all = "camelCase")]
pub struct SourceFile {
    /// Path relative to the root of the walk, with `/` between folders.
    pub path: String,
    /// Size in bytes when it was walked.
    pub size: u64,
}

/// One package that a lock file names: contract `shipsec.package.v1`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, Contract,
)]
#[contract(id = "shipsec.package.v1")]
#[serde(rename_all = "camelCase")]
pub struct Package {
    /// The ecosystem by its OSV name: `crates.io`, `npm`, `PyPI`, `Go`.
    pub ecosystem: String,
    /// The package's name as its ecosystem writes it.
    pub name: String,
    /// The exact version that the lock file fixes.
    pub version: String,
    /// The package URL.
    pub purl: String,
    /// Every place that names it, in the order of the walk.
    pub locations: Vec<PackageLocation>,
}

/// Where a lock file names a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PackageLocation {
    /// The lock file, relative to the root of the walk.
    pub path: String,
    /// The line in it, from 1, where it could be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// A fingerprint of the given parts, in order: 32 hexadecimal digits.
///
/// Each part is hashed with its length, so that no two lists of parts run together.
pub(crate) fn fingerprint(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hex::encode(&hasher.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_orders_by_weight_and_stops_at_info() {
        assert!(Severity::Critical > Severity::High && Severity::Low > Severity::Info);
        assert_eq!(Severity::Critical.lowered(2), Severity::Medium);
        assert_eq!(Severity::Low.lowered(9), Severity::Info);
    }

    #[test]
    fn fingerprints_keep_the_parts_apart() {
        assert_ne!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"a", b"bc"]));
        assert_eq!(fingerprint(&[b"ab"]).len(), 32);
    }
}
