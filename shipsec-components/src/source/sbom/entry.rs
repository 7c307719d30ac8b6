//! What every lock-file parser gives.

use std::collections::HashMap;

use purl::GenericPurlBuilder;

/// Where packages come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ecosystem {
    Cargo,
    Npm,
    PyPi,
    Go,
}

impl Ecosystem {
    /// The name in OSV's list of ecosystems.
    pub(super) fn osv_name(self) -> &'static str {
        match self {
            Self::Cargo => "crates.io",
            Self::Npm => "npm",
            Self::PyPi => "PyPI",
            Self::Go => "Go",
        }
    }

    /// The package URL of a package.
    ///
    /// # Errors
    /// Where the name or version cannot stand in a package URL.
    pub(super) fn purl(self, name: &str, version: &str) -> Result<String, String> {
        let kind = match self {
            Self::Cargo => "cargo",
            Self::Npm => "npm",
            Self::PyPi => "pypi",
            Self::Go => "golang",
        };
        let (namespace, name) = match self {
            Self::Npm | Self::Go => name.rsplit_once('/').unwrap_or(("", name)),
            Self::Cargo | Self::PyPi => ("", name),
        };
        GenericPurlBuilder::new(kind.to_owned(), name)
            .with_namespace(namespace)
            .with_version(version)
            .build()
            .map(|purl| purl.to_string())
            .map_err(|error| error.to_string())
    }
}

/// One package that a lock file fixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LockEntry {
    pub(super) name: String,
    pub(super) version: String,
    /// From 1, where it could be told.
    pub(super) line: Option<u32>,
}

/// What one lock file gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LockFile {
    pub(super) entries: Vec<LockEntry>,
    /// What the reader of the report should know, each a sentence without the file's name.
    pub(super) notes: Vec<String>,
    /// Files that belong to it, as it names them: relative to its folder.
    pub(super) includes: Vec<String>,
}

impl LockFile {
    pub(super) fn push(
        &mut self,
        name: impl Into<String>,
        version: impl Into<String>,
        line: Option<u32>,
    ) {
        self.entries.push(LockEntry {
            name: name.into(),
            version: version.into(),
            line,
        });
    }
}

/// Where each `[[package]]` of a TOML lock file stands: by name and version.
///
/// The writers of these files put `name` and `version` on lines of their own.
pub(super) fn toml_lines(text: &str) -> HashMap<(String, String), u32> {
    let mut found = HashMap::new();
    let mut named: Option<(String, u32)> = None;
    let value = |line: &str, key: &str| {
        let rest = line.strip_prefix(key)?.trim_start().strip_prefix('=')?;
        Some(rest.trim().trim_matches('"').to_owned())
    };
    for (number, line) in (1_u32..).zip(text.lines()) {
        if line.starts_with("[[") {
            named = None;
        } else if let Some(name) = value(line, "name") {
            named = Some((name, number));
        } else if let Some(version) = value(line, "version")
            && let Some((name, at)) = named.take()
        {
            found.entry((name, version)).or_insert(at);
        }
    }
    found
}

/// A first line of an error, short enough for a warning.
pub(super) fn brief(error: impl std::fmt::Display) -> String {
    let text = error.to_string();
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("cannot be read");
    line.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(200)
        .collect()
}
