//! `go.mod` and `go.sum`.

use std::collections::BTreeMap;

use super::LockFile;

/// The modules that a `go.mod` requires, after its replacements.
pub(super) fn go_mod(text: &str) -> Result<LockFile, String> {
    let mut block = String::new();
    let mut required: BTreeMap<String, (String, u32)> = BTreeMap::new();
    // A replacement goes to another module, or (None) to a folder.
    let mut replaced: Vec<(String, Option<String>, Option<Target>)> = Vec::new();
    let (mut has_module, mut pruned) = (false, false);
    for (number, line) in (1_u32..).zip(text.lines()) {
        let line = line.split("//").next().unwrap_or(line).trim();
        if line == ")" {
            block.clear();
            continue;
        }
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if let [verb, "("] = words[..] {
            block = verb.to_owned();
            continue;
        }
        let verb = match (block.is_empty(), words.first()) {
            (_, None) => continue,
            (true, Some(_)) => words.remove(0).to_owned(),
            (false, Some(_)) => block.clone(),
        };
        let plain = |word: &str| word.trim_matches(['"', '`']).to_owned();
        match (verb.as_str(), &words[..]) {
            ("module", [_]) => has_module = true,
            ("go", [version]) => {
                let mut numbers = version.split('.').map(|n| n.parse::<u32>().unwrap_or(0));
                pruned = (numbers.next(), numbers.next().unwrap_or(0)) >= (Some(1), 17);
            }
            ("require", [path, version]) => {
                required.insert(plain(path), (plain(version), number));
            }
            ("replace", [from, "=>", to @ ..]) => replaced.push((plain(from), None, target(to))),
            ("replace", [from, version, "=>", to @ ..]) => {
                replaced.push((plain(from), Some(plain(version)), target(to)));
            }
            _ => {}
        }
    }
    if !has_module && required.is_empty() {
        return Err("has no module line".to_owned());
    }
    let mut found = LockFile::default();
    for (path, (version, line)) in required {
        let replacement = replaced
            .iter()
            .find(|(from, only, _)| *from == path && only.as_ref().is_none_or(|v| *v == version));
        match replacement {
            Some((_, _, None)) => {}
            Some((_, _, Some((to, version)))) => found.push(to, bare(version), Some(line)),
            None => found.push(path, bare(&version), Some(line)),
        }
    }
    if !pruned && !found.entries.is_empty() {
        found.notes.push(
            "was written for a Go older than 1.17, so it names direct requirements only".to_owned(),
        );
    }
    Ok(found)
}

/// A module and its version.
type Target = (String, String);

fn target(words: &[&str]) -> Option<Target> {
    match words {
        [path, version] => Some(((*path).to_owned(), (*version).to_owned())),
        _ => None,
    }
}

/// Go writes `v1.2.3`; the advisories write `1.2.3`.
fn bare(version: &str) -> &str {
    version.strip_prefix('v').unwrap_or(version)
}

/// The modules whose content a `go.sum` vouches for: the best there is without a `go.mod`.
pub(super) fn go_sum(text: &str) -> Result<LockFile, String> {
    let mut found = LockFile::default();
    for (number, line) in (1_u32..).zip(text.lines()) {
        if let [path, version, _] = line.split_whitespace().collect::<Vec<_>>()[..]
            && !version.ends_with("/go.mod")
        {
            found.push(path, bare(version), Some(number));
        }
    }
    if !found.entries.is_empty() {
        found.notes.push(
            "has no go.mod beside it, so versions that are not built may be listed".to_owned(),
        );
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements_and_blocks() {
        let text = "module example.com/app\n\ngo 1.21\n\nrequire github.com/pkg/errors v0.9.1\n\nrequire (\n\tgolang.org/x/text v0.3.0 // indirect\n\texample.com/local v1.0.0\n\texample.com/old v1.0.0\n)\n\nreplace example.com/local => ../local\n\nreplace (\n\texample.com/old v1.0.0 => example.com/new v2.0.0+incompatible\n)\n";
        let found = go_mod(text).unwrap();
        let got: Vec<_> = found
            .entries
            .iter()
            .map(|e| (e.name.as_str(), e.version.as_str(), e.line))
            .collect();
        assert_eq!(
            got,
            [
                ("example.com/new", "2.0.0+incompatible", Some(10)),
                ("github.com/pkg/errors", "0.9.1", Some(5)),
                ("golang.org/x/text", "0.3.0", Some(8)),
            ]
        );
        assert!(found.notes.is_empty());
        assert_eq!(
            go_mod("module m\nrequire a.b/c v1.0.0\n")
                .unwrap()
                .notes
                .len(),
            1
        );
        assert!(go_mod("nonsense").is_err());
    }

    #[test]
    fn sums_skip_the_hashes_of_go_mod_files() {
        let found = go_sum("a.b/c v1.0.0 h1:x=\na.b/c v1.0.0/go.mod h1:y=\n").unwrap();
        assert_eq!(found.entries.len(), 1);
        assert_eq!(found.entries[0].version, "1.0.0");
    }
}
