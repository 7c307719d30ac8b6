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

/// The pins (`name==1.2.3`) of a requirements file.
pub(super) fn requirements(text: &str) -> Result<LockFile, String> {
    let mut found = LockFile::default();
    let mut loose = 0_usize;
    let mut continued = false;
    for (number, line) in (1_u32..).zip(text.lines()) {
        let whole = !continued;
        continued = line.trim_end().ends_with('\\');
        let line = line.split(" #").next().unwrap_or(line).trim();
        if !whole || line.is_empty() || line.starts_with(['#', '-']) || line.contains("://") {
            continue;
        }
        let line = line.split([';', '\\']).next().unwrap_or(line);
        let line = line.split(" --").next().unwrap_or(line).trim();
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
        match version {
            Some(version) if !name.is_empty() && Version::from_str(version).is_ok() => {
                found.push(normalized_name(name), version, Some(number));
            }
            _ => loose += 1,
        }
    }
    if loose > 0 {
        found.notes.push(format!(
            "{loose} requirements are not pinned to one version with == and were left out"
        ));
    }
    Ok(found)
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
        assert_eq!(found.notes.len(), 1);
        assert!(found.notes[0].starts_with("2 "));
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
