//! `package-lock.json`, `npm-shrinkwrap.json`, `yarn.lock` and `pnpm-lock.yaml`.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::LockFile;
use super::entry::brief;

/// Versions 1, 2 and 3.
pub(super) fn package_lock(text: &str) -> Result<LockFile, String> {
    let root: Map<String, Value> = serde_json::from_str(text).map_err(brief)?;
    let lines = key_lines(text);
    let mut found = LockFile::default();
    if let Some(packages) = root.get("packages").and_then(Value::as_object) {
        for (key, package) in packages {
            // The root is "", members of the workspace lie outside node_modules.
            let Some((_, folder)) = key.rsplit_once("node_modules/") else {
                continue;
            };
            let text = |field: &str| package.get(field).and_then(Value::as_str);
            if package.get("link").and_then(Value::as_bool) == Some(true) {
                continue;
            }
            let name = text("name").unwrap_or(folder);
            if let Some(version) = text("version").and_then(registry_version) {
                found.push(name, version, lines.get(key.as_str()).copied());
            }
        }
        return Ok(found);
    }
    let Some(dependencies) = root.get("dependencies").and_then(Value::as_object) else {
        // A project without dependencies has neither member.
        return if root.contains_key("lockfileVersion") || root.contains_key("version") {
            Ok(found)
        } else {
            Err("has neither \"packages\" nor \"dependencies\"".to_owned())
        };
    };
    let mut open = vec![dependencies];
    while let Some(dependencies) = open.pop() {
        for (key, package) in dependencies {
            let version = package
                .get("version")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let line = lines.get(key.as_str()).copied();
            if let Some((name, version)) = alias(version) {
                found.push(name, version, line);
            } else if let Some(version) = registry_version(version) {
                found.push(key, version, line);
            }
            open.extend(package.get("dependencies").and_then(Value::as_object));
        }
    }
    Ok(found)
}

/// `npm:other@1.2.3`, as lock files write a package that goes under another name.
fn alias(version: &str) -> Option<(&str, &str)> {
    let (name, version) = version.strip_prefix("npm:")?.rsplit_once('@')?;
    (!name.is_empty()).then_some((name, registry_version(version)?))
}

/// The version, unless it is an address or a folder.
fn registry_version(version: &str) -> Option<&str> {
    semver::Version::parse(version).is_ok().then_some(version)
}

/// The line of each object member, by its key: the first one where a key comes twice.
fn key_lines(text: &str) -> HashMap<&str, u32> {
    let mut lines = HashMap::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        if let Some(key) = line
            .trim()
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix("\": {"))
        {
            lines.entry(key).or_insert(number);
        }
    }
    lines
}

/// Classic and berry, by the crate `yarn-lock-parser`.
pub(super) fn yarn_lock(text: &str) -> Result<LockFile, String> {
    let text = text.replace("\r\n", "\n");
    let lock = yarn_lock_parser::parse_str(&text).map_err(brief)?;
    let mut lines: HashMap<&str, Vec<u32>> = HashMap::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        if !line.starts_with([' ', '#']) && line.ends_with(':') {
            let first = line.trim_start_matches('"');
            let end = first
                .char_indices()
                .skip(1)
                .find(|(_, c)| *c == '@')
                .map_or(0, |(at, _)| at);
            lines.entry(&first[..end]).or_default().push(number);
        }
    }
    let mut found = LockFile::default();
    let mut used: HashMap<&str, usize> = HashMap::new();
    for entry in &lock.entries {
        let nth = used.entry(entry.name).or_insert(0);
        let line = lines.get(entry.name).and_then(|all| all.get(*nth)).copied();
        *nth += 1;
        let local = ["@workspace:", "@link:", "@portal:", "@file:"]
            .iter()
            .any(|mark| entry.resolved.contains(mark));
        if local {
            continue;
        }
        if let Some(version) = registry_version(entry.version) {
            found.push(
                yarn_name(entry.resolved).unwrap_or(entry.name),
                version,
                line,
            );
        }
    }
    Ok(found)
}

/// The true name behind an alias, from where the package was resolved to.
fn yarn_name(resolved: &str) -> Option<&str> {
    if let Some((name, _)) = resolved.split_once("@npm:") {
        return (!name.is_empty()).then_some(name);
    }
    let (address, _) = resolved.split_once("/-/")?;
    let (rest, name) = address.rsplit_once('/')?;
    let (_, scope) = rest.rsplit_once('/')?;
    if scope.starts_with('@') {
        Some(&address[rest.len() - scope.len()..])
    } else {
        Some(name)
    }
}

/// The keys of `packages` in any version of the format.
///
/// pnpm writes this file itself, always in the same layout, so that reading the lines is
/// enough and a YAML parser with its anchors and tags can stay out.
pub(super) fn pnpm_lock(text: &str) -> Result<LockFile, String> {
    if !text
        .lines()
        .take(20)
        .any(|line| line.starts_with("lockfileVersion:"))
    {
        return Err("has no lockfileVersion".to_owned());
    }
    let mut found = LockFile::default();
    let mut inside = false;
    for (number, line) in (1_u32..).zip(text.lines()) {
        if !line.starts_with([' ', '#']) && !line.trim().is_empty() {
            inside = line.trim_end() == "packages:";
            continue;
        }
        if !inside || !line.starts_with("  ") || line.starts_with("   ") {
            continue;
        }
        let Some((key, _)) = line
            .trim()
            .split_once(": ")
            .or(line.trim().strip_suffix(':').map(|key| (key, "")))
        else {
            continue;
        };
        if let Some((name, version)) = pnpm_key(key.trim_matches(['\'', '"'])) {
            found.push(name, version, Some(number));
        }
    }
    Ok(found)
}

/// `name@1.0.0(peer@2.0.0)`, `/name@1.0.0` or `/name/1.0.0_peer@2.0.0`.
fn pnpm_key(key: &str) -> Option<(&str, &str)> {
    let key = key.strip_prefix('/').unwrap_or(key);
    let key = key.split('(').next().unwrap_or(key);
    let at = key
        .char_indices()
        .skip(1)
        .find(|(_, c)| *c == '@')
        .map(|(at, _)| at);
    let scoped = usize::from(key.starts_with('@'));
    if let Some(at) = at
        && key[..at].matches('/').count() <= scoped
        && let Some(version) = registry_version(&key[at + 1..])
    {
        return Some((&key[..at], version));
    }
    let end = key.match_indices('/').nth(scoped)?.0;
    let version = key[end + 1..].split(['_', '/']).next()?;
    Some((&key[..end], registry_version(version)?))
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
    fn package_lock_v3_leaves_out_root_links_and_addresses() {
        let text = r#"{
  "name": "app", "lockfileVersion": 3,
  "packages": {
    "": { "version": "1.0.0" },
    "packages/ui": { "version": "2.0.0" },
    "node_modules/ui": { "resolved": "packages/ui", "link": true },
    "node_modules/lodash": {
      "version": "4.17.20"
    },
    "node_modules/a/node_modules/@babel/core": {
      "version": "7.0.0"
    },
    "node_modules/alias": { "name": "real", "version": "3.0.0" },
    "node_modules/git": { "version": "git+ssh://git@github.com/x/y.git#abc" }
  }
}"#;
        let found = package_lock(text).unwrap();
        let mut got = names(&found);
        got.sort();
        assert_eq!(
            got,
            ["@babel/core@7.0.0 10", "lodash@4.17.20 7", "real@3.0.0 0"]
        );
    }

    #[test]
    fn package_lock_v1_goes_down() {
        let text = r#"{"lockfileVersion": 1, "dependencies": {
  "a": {
    "version": "1.0.0", "dependencies": {
      "b": {
        "version": "npm:c@2.0.0" }, "d": { "version": "file:../d" } } } } }"#;
        assert_eq!(
            names(&package_lock(text).unwrap()),
            ["a@1.0.0 2", "c@2.0.0 4"]
        );
        assert!(package_lock("{}").is_err());
        assert!(package_lock(&"[".repeat(100_000)).is_err());
        let deep = format!(
            "{{\"dependencies\":{}",
            "{\"a\":{\"dependencies\":".repeat(50_000)
        );
        assert!(package_lock(&deep).is_err());
    }

    #[test]
    fn yarn_classic_and_berry() {
        let classic = "# THIS IS AN AUTOGENERATED FILE. DO NOT EDIT THIS FILE DIRECTLY.\n# yarn lockfile v1\n\n\n\"@babel/core@^7.0.0\":\n  version \"7.1.0\"\n  resolved \"https://registry.yarnpkg.com/@babel/core/-/core-7.1.0.tgz#abc\"\n  integrity sha512-x\n\nshort@npm:lodash@^4.0.0:\n  version \"4.17.20\"\n  resolved \"https://registry.yarnpkg.com/lodash/-/lodash-4.17.20.tgz#abc\"\n  integrity sha512-x\n";
        assert_eq!(
            names(&yarn_lock(classic).unwrap()),
            ["@babel/core@7.1.0 5", "lodash@4.17.20 10"]
        );
        let berry = "# This file is generated by running \"yarn install\" inside your project.\n# Manual changes might be lost - proceed with caution!\n\n__metadata:\n  version: 6\n  cacheKey: 8\n\n\"app@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"app@workspace:.\"\n  languageName: unknown\n  linkType: soft\n\n\"ms@npm:^2.0.0\":\n  version: 2.1.3\n  resolution: \"ms@npm:2.1.3\"\n  checksum: aa\n  languageName: node\n  linkType: hard\n";
        assert_eq!(names(&yarn_lock(berry).unwrap()), ["ms@2.1.3 14"]);
    }

    #[test]
    fn pnpm_in_three_versions() {
        let text = "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies: {}\n\npackages:\n\n  '@babel/core@7.1.0':\n    resolution: {integrity: x}\n\n  lodash@4.17.20(react@18.0.0):\n    resolution: {integrity: x}\n\n  /ms@2.0.0:\n    dev: true\n\n  /@types/node/18.0.0_typescript@5.0.0:\n    dev: true\n\n  file:../local:\n    dev: true\n\nsnapshots:\n\n  lodash@9.9.9: {}\n";
        assert_eq!(
            names(&pnpm_lock(text).unwrap()),
            [
                "@babel/core@7.1.0 10",
                "lodash@4.17.20 13",
                "ms@2.0.0 16",
                "@types/node@18.0.0 19"
            ]
        );
        assert!(pnpm_lock("nothing").is_err());
    }
}
