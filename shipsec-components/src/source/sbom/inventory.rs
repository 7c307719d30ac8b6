//! Finding the lock files of a walk and joining what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use super::{Ecosystem, LockFile, cargo, gaps, golang, npm, python};
use crate::contract::{Package, PackageLocation, SourceFile};
use crate::source::{files, paths};

/// A lock file beyond this size is not read.
const MAX_LOCK_BYTES: u64 = 64 * 1024 * 1024;

/// What the lock files of a source tree name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inventory {
    /// The packages, ordered by ecosystem, name and version.
    pub packages: Vec<Package>,
    /// The lock files that were read.
    pub lock_files: Vec<String>,
    /// Lock files that could not be read, and what they leave open; each names its file.
    pub warnings: Vec<String>,
}

type Parser = fn(&str) -> Result<LockFile, String>;

/// How the file is read, if it is a lock file.
fn parser_of(path: &str) -> Option<(Ecosystem, Parser)> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    Some(match name {
        "Cargo.lock" => (Ecosystem::Cargo, cargo::cargo_lock),
        "package-lock.json" | "npm-shrinkwrap.json" => (Ecosystem::Npm, npm::package_lock),
        "yarn.lock" => (Ecosystem::Npm, npm::yarn_lock),
        "pnpm-lock.yaml" => (Ecosystem::Npm, npm::pnpm_lock),
        "poetry.lock" | "uv.lock" | "pdm.lock" => (Ecosystem::PyPi, python::toml_lock),
        "Pipfile.lock" => (Ecosystem::PyPi, python::pipfile_lock),
        "go.mod" => (Ecosystem::Go, golang::go_mod),
        "go.sum" => (Ecosystem::Go, golang::go_sum),
        _ => {
            let stem = name.strip_suffix(".txt")?;
            let listed = stem.starts_with("requirements")
                || stem.ends_with("requirements")
                || folder.rsplit('/').next() == Some("requirements");
            if !listed {
                return None;
            }
            (Ecosystem::PyPi, python::requirements)
        }
    })
}

/// Reads every lock file among `files`, which are relative to `root`, a canonical path.
///
/// Vendored folders are passed over: what they lock is not what this tree builds on.
/// `read` is told after each lock file how many of how many are done; it returns `false` to
/// stop.
#[must_use]
pub fn inventory(
    root: &Path,
    files: &[SourceFile],
    read: &mut dyn FnMut(u64, u64) -> bool,
) -> Inventory {
    let modules: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.path.strip_suffix("go.mod"))
        .collect();
    let mut locks: Vec<_> = files
        .iter()
        .filter(|file| !paths::is_vendored(&file.path))
        .filter(|file| {
            !file
                .path
                .strip_suffix("go.sum")
                .is_some_and(|folder| modules.contains(folder))
        })
        .filter_map(|file| Some((file, parser_of(&file.path)?)))
        .collect();

    let mut found = Inventory::default();
    let mut packages: BTreeMap<(&str, String, String), Package> = BTreeMap::new();
    let mut done = 0;
    while let Some((file, (ecosystem, parse))) = locks.get(done).copied() {
        done += 1;
        let shown = crate::source::files::one_line(&file.path);
        match read_text(root, &file.path).and_then(|text| parse(&text)) {
            Ok(lock) => {
                found.lock_files.push(file.path.clone());
                for note in &lock.notes {
                    found.warnings.push(format!("{shown}: {note}"));
                }
                for include in &lock.includes {
                    let path = beside(&file.path, include);
                    let there = |file: &&SourceFile| path.as_deref() == Some(&*file.path);
                    match files.iter().find(there) {
                        None => found.warnings.push(format!(
                            "{shown}: {} is not in this tree; its packages are missing here",
                            crate::source::files::one_line(include)
                        )),
                        Some(other) if locks.iter().any(|(lock, _)| lock.path == other.path) => {}
                        Some(other) => locks.push((other, (ecosystem, parse))),
                    }
                }
                let odd = add(&mut packages, ecosystem, &file.path, lock);
                if odd > 0 {
                    found.warnings.push(format!(
                        "{shown}: {odd} entries have a name or version that no registry allows and were left out"
                    ));
                }
            }
            Err(reason) => found.warnings.push(format!(
                "{shown}: not a usable lock file ({reason}); its packages are missing here"
            )),
        }
        if !read(done as u64, locks.len() as u64) {
            break;
        }
    }
    found.packages = packages.into_values().collect();
    found.warnings.extend(gaps::warnings(files));
    found
}

/// The path of a file that another names, relative to the root; `None` where it leads out of it.
fn beside(path: &str, named: &str) -> Option<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    if named.starts_with('/') {
        return None;
    }
    for part in named.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Adds the entries; gives how many had to be left out.
fn add(
    packages: &mut BTreeMap<(&'static str, String, String), Package>,
    ecosystem: Ecosystem,
    path: &str,
    lock: LockFile,
) -> usize {
    let mut odd = 0;
    for entry in lock.entries {
        let sane = |text: &str| {
            (1..=256).contains(&text.len())
                && text
                    .chars()
                    .all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | '`'))
        };
        if !sane(&entry.name) || !sane(&entry.version) {
            odd += 1;
            continue;
        }
        let Ok(purl) = ecosystem.purl(&entry.name, &entry.version) else {
            odd += 1;
            continue;
        };
        let location = PackageLocation {
            path: path.to_owned(),
            line: entry.line,
        };
        let package = packages
            .entry((
                ecosystem.osv_name(),
                entry.name.clone(),
                entry.version.clone(),
            ))
            .or_insert_with(|| Package {
                ecosystem: ecosystem.osv_name().to_owned(),
                name: entry.name,
                version: entry.version,
                purl,
                locations: Vec::new(),
            });
        // npm installs one version in many folders; a file is named once.
        if package
            .locations
            .last()
            .is_none_or(|last| last.path != path)
        {
            package.locations.push(location);
        }
    }
    odd
}

fn read_text(root: &Path, path: &str) -> Result<String, String> {
    let file = files::open_inside(root, path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(MAX_LOCK_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_LOCK_BYTES {
        return Err(format!("larger than {MAX_LOCK_BYTES} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

#[cfg(test)]
#[path = "inventory_tests.rs"]
mod tests;
