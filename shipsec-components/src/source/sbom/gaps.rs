//! What a bill of materials leaves open: manifests that nothing locks, and lock files of kinds that
//! are not read.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::SourceFile;
use crate::source::{files::one_line, paths};

/// Manifests, and the files that lock what they ask for.
const MANIFESTS: &[(&str, &[&str])] = &[
    ("Cargo.toml", &["Cargo.lock"]),
    (
        "package.json",
        &[
            "package-lock.json",
            "npm-shrinkwrap.json",
            "yarn.lock",
            "pnpm-lock.yaml",
            "bun.lock",
        ],
    ),
    ("pyproject.toml", PYTHON),
    ("setup.py", PYTHON),
    ("Pipfile", &["Pipfile.lock"]),
    ("composer.json", &["composer.lock"]),
    ("Gemfile", &["Gemfile.lock"]),
    ("pom.xml", &[]),
    ("build.gradle", &["gradle.lockfile"]),
    ("build.gradle.kts", &["gradle.lockfile"]),
];

const PYTHON: &[&str] = &[
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "Pipfile.lock",
    "requirements.txt",
];

/// Lock files of kinds that are not read.
const UNREAD: &[&str] = &[
    "bun.lock",
    "composer.lock",
    "deno.lock",
    "Gemfile.lock",
    "gradle.lockfile",
    "mix.lock",
    "Package.resolved",
    "packages.lock.json",
    "Podfile.lock",
    "pubspec.lock",
];

/// How many paths a warning names before it only counts.
const NAMED: usize = 3;

/// One line for each kind of gap.
pub(super) fn warnings(files: &[SourceFile]) -> Vec<String> {
    let mut folders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let (mut unread, mut manifests) = (Vec::new(), Vec::new());
    for file in files {
        let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        folders.entry(folder).or_default().insert(name);
        if paths::is_vendored(&file.path) || paths::is_in_secondary_folder(&file.path) {
            continue;
        }
        if UNREAD.contains(&name) {
            unread.push(file.path.as_str());
        } else if let Some((_, locks)) = MANIFESTS.iter().find(|(manifest, _)| *manifest == name) {
            manifests.push((file.path.as_str(), folder, *locks));
        }
    }
    let locked = |folder: &str, locks: &[&str]| {
        let mut at = Some(folder);
        while let Some(here) = at {
            let names = folders.get(here);
            if names.is_some_and(|names| locks.iter().any(|lock| names.contains(lock))) {
                return true;
            }
            at = (!here.is_empty()).then(|| here.rsplit_once('/').map_or("", |(above, _)| above));
        }
        false
    };
    let open: Vec<&str> = manifests
        .into_iter()
        .filter(|(_, folder, locks)| !locked(folder, locks))
        .map(|(path, ..)| path)
        .collect();
    let mut warnings = Vec::new();
    if !unread.is_empty() {
        warnings.push(format!(
            "lock files of kinds that are not read, so their packages are missing here: {}",
            named(&unread)
        ));
    }
    if !open.is_empty() {
        warnings.push(format!(
            "manifests without a lock file beside or above them, so what they ask for is missing \
             here: {}",
            named(&open)
        ));
    }
    warnings
}

fn named(paths: &[&str]) -> String {
    let first: Vec<_> = paths
        .iter()
        .take(NAMED)
        .map(|path| one_line(path))
        .collect();
    match paths.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(paths: &[&str]) -> Vec<String> {
        let file = |path: &&str| SourceFile {
            path: (*path).to_owned(),
            size: 1,
        };
        warnings(&paths.iter().map(file).collect::<Vec<_>>())
    }

    #[test]
    fn a_lock_file_beside_or_above_locks() {
        let none: [&str; 0] = [];
        assert_eq!(
            gaps(&[
                "Cargo.lock",
                "Cargo.toml",
                "a/b/Cargo.toml",
                "py/requirements.txt",
                "py/setup.py"
            ]),
            none
        );
        assert_eq!(
            gaps(&["tests/x/package.json", "node_modules/y/package.json"]),
            none
        );
    }

    #[test]
    fn what_is_open_is_named_and_counted() {
        let found = gaps(&[
            "a/Cargo.lock",
            "Cargo.toml",
            "ab/Cargo.toml",
            "Gemfile",
            "Gemfile.lock",
        ]);
        assert_eq!(found.len(), 2);
        assert!(found[0].ends_with(": Gemfile.lock"), "{}", found[0]);
        assert!(
            found[1].ends_with(": Cargo.toml, ab/Cargo.toml"),
            "{}",
            found[1]
        );
        let many = gaps(&[
            "a/pom.xml",
            "b/pom.xml",
            "c/pom.xml",
            "d/pom.xml",
            "e/pom.xml",
        ]);
        assert!(
            many[0].ends_with(": a/pom.xml, b/pom.xml, c/pom.xml and 2 more"),
            "{}",
            many[0]
        );
    }
}
