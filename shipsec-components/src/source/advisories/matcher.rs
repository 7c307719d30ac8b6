//! Which records concern which packages.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::record::{Affected, Record, is_id};
use super::severity;
use super::version::{Affects, affects, fixes};
use crate::contract::{Finding, Package, Severity, fingerprint};
use crate::source::paths;
use crate::source::sbom::normalized_name;

/// Takes records one by one and keeps what concerns the packages it was made with.
///
/// # Examples
/// ```
/// use shipsec_components::contract::{Package, PackageLocation};
/// use shipsec_components::source::{Matcher, Record};
/// let packages = [Package {
///     ecosystem: "npm".into(),
///     name: "lodash".into(),
///     version: "4.17.20".into(),
///     purl: "pkg:npm/lodash@4.17.20".into(),
///     locations: vec![PackageLocation { path: "package-lock.json".into(), line: None }],
/// }];
/// let record = br#"{"id": "GHSA-35jh-r3h4-6jhm", "affected": [{
///     "package": {"ecosystem": "npm", "name": "lodash"},
///     "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "4.17.21"}]}]}]}"#;
/// let mut matcher = Matcher::new(&packages);
/// matcher.add(Record::from_json(record)?);
/// assert_eq!(matcher.findings()[0].rule_id, "GHSA-35jh-r3h4-6jhm");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Matcher<'a> {
    packages: &'a [Package],
    by_name: HashMap<(String, String), Vec<usize>>,
    /// By package.
    matches: BTreeMap<usize, Vec<Match>>,
    undecided: u64,
}

/// One record that concerns one package.
#[derive(Debug, Clone)]
struct Match {
    names: BTreeSet<String>,
    id: String,
    title: String,
    severity: Severity,
    fixed: Vec<String>,
    url: Option<String>,
}

impl<'a> Matcher<'a> {
    /// Prepares for these packages.
    #[must_use]
    pub fn new(packages: &'a [Package]) -> Self {
        let mut by_name: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, package) in packages.iter().enumerate() {
            by_name
                .entry(key(&package.ecosystem, &package.name))
                .or_default()
                .push(index);
        }
        Self {
            packages,
            by_name,
            matches: BTreeMap::new(),
            undecided: 0,
        }
    }

    /// Weighs one record. Withdrawn ones count for nothing.
    pub fn add(&mut self, record: Record) {
        if record.withdrawn.is_some() {
            return;
        }
        let mut undecided = false;
        for affected in &record.affected {
            let ecosystem = affected
                .package
                .ecosystem
                .split(':')
                .next()
                .unwrap_or_default();
            let Some(indices) = self.by_name.get(&key(ecosystem, &affected.package.name)) else {
                continue;
            };
            for index in indices {
                match affects(affected, ecosystem, &self.packages[*index].version) {
                    Affects::Yes => {
                        let found = found(&record, affected, &self.packages[*index]);
                        self.matches.entry(*index).or_default().push(found);
                    }
                    Affects::Unknown => undecided = true,
                    Affects::No => {}
                }
            }
        }
        self.undecided += u64::from(undecided);
    }

    /// How many records named one of the packages with versions that could not be compared.
    #[must_use]
    pub fn undecided(&self) -> u64 {
        self.undecided
    }

    /// The findings, ordered by package, place and id: one for each place that names an
    /// affected package, records that are aliases of each other joined into one.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, matches) in &self.matches {
            let package = &self.packages[*index];
            for joined in join(matches) {
                for location in &package.locations {
                    findings.push(finding(package, &joined, &location.path, location.line));
                }
            }
        }
        findings
    }
}

fn key(ecosystem: &str, name: &str) -> (String, String) {
    let name = if ecosystem == "PyPI" {
        normalized_name(name)
    } else {
        name.to_owned()
    };
    (ecosystem.to_owned(), name)
}

fn found(record: &Record, affected: &Affected, package: &Package) -> Match {
    let first_line = |text: &str| {
        let line = text
            .lines()
            .map(|line| line.trim_matches(['#', ' ']))
            .find(|line| !line.is_empty());
        line.map(|line| shortened(line, 160))
    };
    let title = first_line(&record.summary)
        .or_else(|| first_line(&record.details))
        .unwrap_or_else(|| "Known vulnerability".to_owned());
    let web = |url: &&super::record::Reference| url.url.starts_with("https://");
    let url = record
        .references
        .iter()
        .filter(web)
        .find(|reference| reference.kind == "ADVISORY")
        .or_else(|| record.references.iter().find(web))
        .map(|reference| reference.url.clone());
    Match {
        names: record
            .aliases
            .iter()
            .filter(|id| is_id(id))
            .chain([&record.id])
            .cloned()
            .collect(),
        id: record.id.clone(),
        title,
        severity: severity::of(record, affected),
        fixed: fixes(affected, &package.ecosystem, &package.version),
        url,
    }
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Joins matches that share a name, until none do.
fn join(matches: &[Match]) -> Vec<Match> {
    let mut groups: Vec<Match> = Vec::new();
    for next in matches {
        let mut next = next.clone();
        while let Some(at) = groups
            .iter()
            .position(|group| !group.names.is_disjoint(&next.names))
        {
            let other = groups.swap_remove(at);
            let (mut first, second) = if rank(&other.id) <= rank(&next.id) {
                (other, next)
            } else {
                (next, other)
            };
            first.names.extend(second.names);
            first.severity = first.severity.max(second.severity);
            if first.fixed.is_empty() {
                first.fixed = second.fixed;
            }
            first.url = first.url.or(second.url);
            next = first;
        }
        groups.push(next);
    }
    groups.sort_by(|a, b| a.id.cmp(&b.id));
    groups
}

/// The ecosystem's own database knows best what to call it.
fn rank(id: &str) -> (usize, &str) {
    const KNOWN: [&str; 6] = ["MAL-", "RUSTSEC-", "GO-", "GHSA-", "PYSEC-", "CVE-"];
    (
        KNOWN
            .iter()
            .position(|prefix| id.starts_with(prefix))
            .unwrap_or(KNOWN.len()),
        id,
    )
}

fn finding(package: &Package, found: &Match, path: &str, line: Option<u32>) -> Finding {
    let steps = if paths::is_in_secondary_folder(path) {
        2
    } else {
        0
    };
    let advice = match found.fixed.first() {
        Some(fixed) => format!("Fixed in {fixed}."),
        None => "No fixed version is known.".to_owned(),
    };
    let title = found.title.trim_end_matches('.');
    Finding {
        rule_id: found.id.clone(),
        title: found.title.clone(),
        severity: found.severity.lowered(steps),
        path: path.to_owned(),
        line,
        column: None,
        message: format!("{} {}: {title}. {advice}", package.name, package.version),
        fingerprint: fingerprint(&[
            b"shipsec.advisory.v1",
            found.id.as_bytes(),
            path.as_bytes(),
            package.purl.as_bytes(),
        ]),
        preview: None,
        package: Some(package.purl.clone()),
        aliases: found
            .names
            .iter()
            .filter(|name| **name != found.id)
            .cloned()
            .collect(),
        help_uri: Some(
            found
                .url
                .clone()
                .unwrap_or_else(|| format!("https://osv.dev/vulnerability/{}", found.id)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::PackageLocation;

    fn package(ecosystem: &str, name: &str, version: &str, paths: &[&str]) -> Package {
        Package {
            ecosystem: ecosystem.into(),
            name: name.into(),
            version: version.into(),
            purl: format!("pkg:x/{name}@{version}"),
            locations: paths
                .iter()
                .map(|path| PackageLocation {
                    path: (*path).into(),
                    line: Some(3),
                })
                .collect(),
        }
    }

    fn record(id: &str, aliases: &str, more: &str) -> Record {
        let text = format!(
            r#"{{"id":"{id}","aliases":{aliases},"summary":"Bad thing in {id}.",{more}"affected":[{{"package":{{"ecosystem":"PyPI","name":"Py_YAML"}},
            "ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},{{"fixed":"5.4"}}]}}]}}]}}"#
        );
        Record::from_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn aliases_join_and_withdrawn_records_vanish() {
        let packages = [
            package(
                "PyPI",
                "py-yaml",
                "5.3",
                &["requirements.txt", "docs/requirements.txt"],
            ),
            package("PyPI", "py-yaml", "6.0", &["requirements.txt"]),
            package("npm", "py-yaml", "1.0.0", &["package-lock.json"]),
        ];
        let mut matcher = Matcher::new(&packages);
        matcher.add(record("CVE-2020-1", r#"["X-7"]"#, ""));
        matcher.add(record("PYSEC-2021-1", r#"["CVE-2021-1"]"#, ""));
        matcher.add(record(
            "GHSA-aaaa-bbbb-cccc",
            r#"["CVE-2021-1", "not an id"]"#,
            r#""database_specific":{"severity":"HIGH"},"#,
        ));
        matcher.add(record(
            "GHSA-gone-gone-gone",
            "null",
            r#""withdrawn":"2022-01-01T00:00:00Z","#,
        ));
        let findings = matcher.findings();
        let got: Vec<_> = findings
            .iter()
            .map(|f| (f.rule_id.as_str(), f.path.as_str(), f.severity))
            .collect();
        assert_eq!(
            got,
            [
                ("CVE-2020-1", "requirements.txt", Severity::Medium),
                ("CVE-2020-1", "docs/requirements.txt", Severity::Info),
                ("GHSA-aaaa-bbbb-cccc", "requirements.txt", Severity::High),
                (
                    "GHSA-aaaa-bbbb-cccc",
                    "docs/requirements.txt",
                    Severity::Low
                ),
            ]
        );
        assert_eq!(findings[2].aliases, ["CVE-2021-1", "PYSEC-2021-1"]);
        assert_eq!(
            findings[2].message,
            "py-yaml 5.3: Bad thing in GHSA-aaaa-bbbb-cccc. Fixed in 5.4."
        );
        assert_eq!(matcher.undecided(), 0);
    }

    #[test]
    fn ids_of_odd_form_are_refused() {
        assert!(Record::from_json(br#"{"id":"../../etc"}"#).is_err());
        assert!(Record::from_json(br#"{"id":"A-1\n"}"#).is_err());
        assert!(Record::from_json(&b"[".repeat(100_000)).is_err());
        assert!(
            Record::from_json(br#"{"id":"CVE-1-2","severity":null,"references":null}"#).is_ok()
        );
    }
}
