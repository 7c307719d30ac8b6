//! `requirements.txt`, `poetry.lock`, `uv.lock`, `pdm.lock` and `Pipfile.lock`.

use std::str::FromStr as _;

use pep440_rs::Version;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::LockFile;
use super::entry::{brief, toml_lines};

/// PEP 503: names are equal whatever their case and however their words are joined.
pub(crate) fn normalized_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}

/// The pins (`name==1.2.3`) of a requirements file. What is asked for and not pinned is counted, and
/// named where it has a name.
pub(super) fn requirements(text: &str) -> Result<LockFile, String> {
    let mut found = LockFile::default();
    let mut loose = Vec::new();
    let mut constraints = Vec::new();
    let mut continued = false;
    for (number, line) in (1_u32..).zip(text.lines()) {
        let whole = !continued;
        continued = line.trim_end().ends_with('\\');
        let line = line.split(" #").next().unwrap_or(line).trim();
        if !whole || line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_suffix('\\').unwrap_or(line);
        let line = line.split(" --").next().unwrap_or(line).trim_end();
        if let Some(file) = option(line, "-r", "--requirement") {
            found.includes.push(file.to_owned());
        } else if let Some(file) = option(line, "-c", "--constraint") {
            constraints.push(shown(file));
        } else if let Some(source) = option(line, "-e", "--editable") {
            loose.push(source_name(source));
        } else if line.starts_with('-') {
            // How packages are fetched, not which.
        } else if line.contains("://") || line.starts_with(['.', '/']) {
            loose.push(source_name(line));
        } else {
            match pinned(line) {
                (name, Some(version)) => found.push(normalized_name(name), version, Some(number)),
                (name, None) => loose.push(shown(name)),
            }
        }
    }
    let many = |count: usize| match count {
        1 => "1 requirement is".to_owned(),
        count => format!("{count} requirements are"),
    };
    if !loose.is_empty() {
        found.notes.push(format!(
            "{} not pinned to one version with == and left out: {}",
            many(loose.len()),
            named(&loose)
        ));
    }
    if !constraints.is_empty() {
        let files = named(&constraints);
        found
            .notes
            .push(format!("the constraints in {files} are not applied"));
    }
    Ok(found)
}

/// What an option of pip is given, in any of the ways to write it.
fn option<'a>(line: &'a str, short: &str, long: &str) -> Option<&'a str> {
    let given = match line.strip_prefix(long) {
        Some(rest) => rest.strip_prefix(['=', ' ', '\t'])?,
        None => line.strip_prefix(short)?,
    };
    Some(given.trim()).filter(|given| !given.is_empty())
}

/// The name of a requirement, and its version where it has exactly one.
fn pinned(line: &str) -> (&str, Option<&str>) {
    let line = line.split(';').next().unwrap_or(line).trim();
    let end = line
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')))
        .unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(extras) => extras
            .split_once(']')
            .map_or("", |(_, rest)| rest)
            .trim_start(),
        None => rest,
    };
    let version = rest
        .strip_prefix("===")
        .or_else(|| rest.strip_prefix("=="))
        .map(str::trim);
    let version = version.filter(|version| !name.is_empty() && Version::from_str(version).is_ok());
    (if name.is_empty() { line } else { name }, version)
}

/// What comes from elsewhere than a registry by the name it has: nothing of an address that may hold a
/// password.
fn source_name(source: &str) -> String {
    if let Some((name, _)) = source.split_once(" @ ") {
        return shown(pinned(name).0);
    }
    let (address, fragment) = source.split_once('#').unwrap_or((source, ""));
    if let Some(name) = fragment
        .split('&')
        .find_map(|part| part.strip_prefix("egg="))
    {
        return shown(name);
    }
    let Some((_, address)) = address.split_once("://") else {
        return shown(source);
    };
    let path = address.split(['?', ';', ' ']).next().unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit('/').next();
    let last = last.unwrap_or_default();
    // The last part of a path may have a branch behind it; a host alone may have a password before it.
    match path.contains('/') {
        true => shown(last.split('@').next().unwrap_or(last)),
        false => shown(last.rsplit('@').next().unwrap_or(last)),
    }
}

/// Short enough for a warning.
fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    brief(text.chars().take(LONGEST).collect::<String>())
}

/// The first of many.
fn named(all: &[String]) -> String {
    const NAMED: usize = 3;
    let first = all.iter().take(NAMED).cloned().collect::<Vec<_>>();
    match all.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[derive(Deserialize)]
struct TomlLock {
    #[serde(default)]
    package: Vec<TomlPackage>,
}

#[derive(Deserialize)]
struct TomlPackage {
    name: String,
    version: Option<String>,
    source: Option<toml::Value>,
}

/// `poetry.lock`, `uv.lock` and `pdm.lock` share their bones.
pub(super) fn toml_lock(text: &str) -> Result<LockFile, String> {
    let lock: TomlLock = toml::from_str(text).map_err(brief)?;
    let lines = toml_lines(text);
    let mut found = LockFile::default();
    for package in lock.package {
        let local = package.source.as_ref().is_some_and(|source| {
            let key = |name: &str| source.get(name).is_some();
            let kind = source
                .get("type")
                .and_then(toml::Value::as_str)
                .unwrap_or_default();
            key("virtual")
                || key("editable")
                || key("directory")
                || key("path")
                || matches!(kind, "directory" | "file")
        });
        let Some(version) = package.version.filter(|_| !local) else {
            continue;
        };
        let line = lines.get(&(package.name.clone(), version.clone())).copied();
        found.push(normalized_name(&package.name), version, line);
    }
    Ok(found)
}

/// `Pipfile.lock`.
pub(super) fn pipfile_lock(text: &str) -> Result<LockFile, String> {
    let root: Map<String, Value> = serde_json::from_str(text).map_err(brief)?;
    let mut found = LockFile::default();
    for (group, packages) in &root {
        if group == "_meta" {
            continue;
        }
        for (name, package) in packages.as_object().into_iter().flatten() {
            let version = package.get("version").and_then(Value::as_str);
            if let Some(version) = version.and_then(|version| version.strip_prefix("==")) {
                let opening = format!("\"{name}\": {{");
                let line = (1_u32..)
                    .zip(text.lines())
                    .find(|(_, line)| line.trim() == opening);
                found.push(
                    normalized_name(name),
                    version,
                    line.map(|(number, _)| number),
                );
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &LockFile) -> Vec<String> {
        found
            .entries
            .iter()
            .map(|e| format!("{}@{} {}", e.name, e.version, e.line.unwrap_or(0)))
            .collect()
    }

    #[test]
    fn requirements_take_only_pins() {
        let text = "# comment\n-r base.txt\nDjango==3.2.1 ; python_version > '3' # why\nrequests[socks] == 2.25.0 \\\n    --hash=sha256:aa\nflask>=1.0\nboto3==1.*\ngit+https://example.com/x.git\nzope.interface===5.0\n";
        let found = requirements(text).unwrap();
        assert_eq!(
            names(&found),
            [
                "django@3.2.1 3",
                "requests@2.25.0 4",
                "zope-interface@5.0 9"
            ]
        );
        assert_eq!(found.includes, ["base.txt"]);
        assert_eq!(
            found.notes,
            [
                "3 requirements are not pinned to one version with == and left out: flask, boto3, x.git"
            ]
        );
    }

    #[test]
    fn every_requirement_is_in_the_bill_or_counted() {
        let text = "-r base.txt\n--requirement=more/dev.txt\n-c limits.txt\n-i https://pypi.acme.io/simple\n--hash=sha256:aa\n\
            -e .\n-e git+https://git.acme.io/team/tool.git@main#egg=tool\n\
            lib @ https://u:hunter22@files.acme.io/lib-1.0.whl\n\
            git+https://u:hunter22@git.acme.io/team/other@v1 \\\n    --hash=sha256:bb\n\
            ./wheels/local.whl\nhttps://hunter22@acme.io\nmine @ file:///tmp/mine ; python_version > '3'\n";
        let found = requirements(text).unwrap();
        assert!(found.entries.is_empty());
        assert_eq!(found.includes, ["base.txt", "more/dev.txt"]);
        assert_eq!(
            found.notes,
            [
                "7 requirements are not pinned to one version with == and left out: ., tool, lib and 4 more",
                "the constraints in limits.txt are not applied"
            ]
        );
        let names: Vec<_> = text
            .lines()
            .filter(|line| line.contains("://"))
            .map(source_name)
            .collect();
        assert!(!names.concat().contains("hunter22"), "{names:?}");
        let one = requirements("flask\n").unwrap();
        assert!(
            one.notes[0].starts_with("1 requirement is"),
            "{}",
            one.notes[0]
        );
    }

    #[test]
    fn toml_locks_leave_out_the_project_itself() {
        let text = "version = 1\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\n\n[[package]]\nname = \"PyYAML\"\nversion = \"5.3\"\nsource = { registry = \"https://pypi.org/simple\" }\n";
        assert_eq!(names(&toml_lock(text).unwrap()), ["pyyaml@5.3 9"]);
        assert!(toml_lock("package = 3").is_err());
        assert!(toml_lock(&format!("a = {}", "[".repeat(100_000))).is_err());
    }

    #[test]
    fn pipfile_has_two_groups() {
        let text = "{\n \"_meta\": {},\n \"default\": {\n  \"requests\": {\n   \"version\": \"==2.25.0\"\n  }\n },\n \"develop\": {\"pytest\": {\"version\": \"==6.0\"}, \"local\": {\"path\": \".\"}}\n}";
        assert_eq!(
            names(&pipfile_lock(text).unwrap()),
            ["requests@2.25.0 4", "pytest@6.0 0"]
        );
    }
}
