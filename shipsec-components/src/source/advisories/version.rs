//! Whether a version lies in the ranges of an advisory.

use std::cmp::Ordering;
use std::str::FromStr as _;

use super::record::{Affected, Event};

/// A version in the order of its ecosystem.
#[derive(Debug, Clone)]
pub(super) enum Version {
    Semver(semver::Version),
    Pep440(Box<pep440_rs::Version>),
}

impl Version {
    /// `None` where the ecosystem could not order it.
    pub(super) fn parse(ecosystem: &str, text: &str) -> Option<Self> {
        if ecosystem == "PyPI" {
            return pep440_rs::Version::from_str(text)
                .ok()
                .map(|v| Self::Pep440(Box::new(v)));
        }
        let text = text.strip_prefix('v').unwrap_or(text);
        if let Ok(version) = semver::Version::parse(text) {
            return Some(Self::Semver(version));
        }
        // Advisories write `1.2` where a lock file would write `1.2.0`.
        let (numbers, rest) = match text.find(['-', '+']) {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let missing = 3_usize.checked_sub(numbers.split('.').count())?;
        let padded = format!("{numbers}{}{rest}", ".0".repeat(missing));
        semver::Version::parse(&padded).ok().map(Self::Semver)
    }

    fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Semver(a), Self::Semver(b)) => Some(a.cmp_precedence(b)),
            (Self::Pep440(a), Self::Pep440(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    fn at_least(&self, other: &Self) -> bool {
        matches!(self.order(other), Some(Ordering::Greater | Ordering::Equal))
    }
}

/// The outcome for one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affects {
    Yes,
    No,
    /// A range or the version could not be read.
    Unknown,
}

/// The evaluation that the OSV schema prescribes: listed by itself, or in one of the ranges.
pub(super) fn affects(affected: &Affected, ecosystem: &str, version: &str) -> Affects {
    if affected.versions.iter().any(|listed| listed == version) {
        return Affects::Yes;
    }
    let ranges = affected
        .ranges
        .iter()
        .filter(|range| matches!(range.kind.as_str(), "SEMVER" | "ECOSYSTEM"));
    let mut unknown = false;
    let mut parsed = None;
    for range in ranges {
        let version = parsed.get_or_insert_with(|| Version::parse(ecosystem, version));
        let Some(version) = version else {
            return Affects::Unknown;
        };
        match in_range(&range.events, ecosystem, version) {
            Affects::Yes => return Affects::Yes,
            Affects::Unknown => unknown = true,
            Affects::No => {}
        }
    }
    // PyPI lists `1.0` where the lock file may say `1.0.0`.
    if let Some(version) = parsed.unwrap_or_else(|| Version::parse(ecosystem, version))
        && affected.versions.iter().any(|listed| {
            Version::parse(ecosystem, listed)
                .is_some_and(|listed| version.order(&listed) == Some(Ordering::Equal))
        })
    {
        return Affects::Yes;
    }
    if unknown {
        Affects::Unknown
    } else {
        Affects::No
    }
}

enum Step {
    Introduced,
    Fixed,
    LastAffected,
    Limit,
}

fn in_range(events: &[Event], ecosystem: &str, version: &Version) -> Affects {
    // Version `None` stands for "0": before everything.
    let mut steps: Vec<(Option<Version>, Step)> = Vec::new();
    for event in events {
        let members = [
            (&event.introduced, Step::Introduced),
            (&event.fixed, Step::Fixed),
            (&event.last_affected, Step::LastAffected),
            (&event.limit, Step::Limit),
        ];
        for (text, step) in members {
            let Some(text) = text else { continue };
            match (text.as_str(), step) {
                ("0", step) => steps.push((None, step)),
                ("*", Step::Limit) => {}
                (text, step) => match Version::parse(ecosystem, text) {
                    Some(at) => steps.push((Some(at), step)),
                    None => return Affects::Unknown,
                },
            }
        }
    }
    steps.sort_by(|(a, _), (b, _)| match (a, b) {
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Less,
        (_, None) => Ordering::Greater,
        (Some(a), Some(b)) => a.order(b).unwrap_or(Ordering::Equal),
    });
    let mut inside = false;
    for (at, step) in steps {
        let reached = at.as_ref().is_none_or(|at| version.at_least(at));
        match step {
            Step::Introduced if reached => inside = true,
            Step::Fixed | Step::Limit if reached => inside = false,
            Step::LastAffected if at.is_none_or(|at| !at.at_least(version)) => inside = false,
            _ => {}
        }
    }
    if inside { Affects::Yes } else { Affects::No }
}

/// The fixes that lie above the version, lowest first, each once.
pub(super) fn fixes(affected: &Affected, ecosystem: &str, version: &str) -> Vec<String> {
    let Some(version) = Version::parse(ecosystem, version) else {
        return Vec::new();
    };
    let mut found: Vec<(Version, &str)> = affected
        .ranges
        .iter()
        .filter(|range| matches!(range.kind.as_str(), "SEMVER" | "ECOSYSTEM"))
        .flat_map(|range| &range.events)
        .filter_map(|event| event.fixed.as_deref())
        .filter_map(|text| Some((Version::parse(ecosystem, text)?, text)))
        .filter(|(fixed, _)| !version.at_least(fixed))
        .collect();
    found.sort_by(|(a, _), (b, _)| a.order(b).unwrap_or(Ordering::Equal));
    found.dedup_by(|(_, a), (_, b)| a == b);
    found.into_iter().map(|(_, text)| text.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn affected(json: &str) -> Affected {
        serde_json::from_str(json).unwrap()
    }

    fn check(json: &str, ecosystem: &str, cases: &[(&str, Affects)]) {
        let affected = affected(json);
        for (version, expected) in cases {
            assert_eq!(
                affects(&affected, ecosystem, version),
                *expected,
                "{version}"
            );
        }
    }

    #[test]
    fn semver_ranges() {
        use Affects::{No, Unknown, Yes};
        let two = r#"{"ranges":[{"type":"SEMVER","events":[
            {"introduced":"2.0.0"},{"fixed":"2.3.1"},{"introduced":"0"},{"fixed":"1.9"}]}]}"#;
        check(
            two,
            "npm",
            &[
                ("0.0.1", Yes),
                ("1.8.9", Yes),
                ("1.9.0", No),
                ("1.10.0", No),
                ("2.0.0-rc.1", No),
                ("2.0.0", Yes),
                ("2.3.1-rc.1", Yes),
                ("2.3.1", No),
                ("2.3.0+build", Yes),
                ("latest", Unknown),
            ],
        );
        let last = r#"{"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"last_affected":"1.2.0"}]}]}"#;
        check(last, "crates.io", &[("1.2.0", Yes), ("1.2.1", No)]);
        let limit =
            r#"{"ranges":[{"type":"SEMVER","events":[{"introduced":"1.0.0"},{"limit":"1.5.0"}]}]}"#;
        check(limit, "Go", &[("v1.4.9", Yes), ("1.5.0", No)]);
        let git = r#"{"ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]}"#;
        check(git, "npm", &[("1.0.0", No)]);
        let odd = r#"{"ranges":[{"type":"SEMVER","events":[{"introduced":"one"}]}]}"#;
        check(odd, "npm", &[("1.0.0", Unknown)]);
    }

    #[test]
    fn python_and_go_versions() {
        use Affects::{No, Yes};
        let python = r#"{"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"5.4b1"}]}],"versions":["5.9"]}"#;
        check(
            python,
            "PyPI",
            &[
                ("5.3.1", Yes),
                ("5.4a9", Yes),
                ("5.4", No),
                ("5.9.0", Yes),
                ("1!1.0", No),
            ],
        );
        let go = r#"{"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"0.0.0-20220314234659-1baeb1ce4c0b"}]}]}"#;
        check(
            go,
            "Go",
            &[("0.0.0-20200622213623-75b288015ac9", Yes), ("0.1.0", No)],
        );
    }

    #[test]
    fn fixes_above_the_version() {
        let two = affected(
            r#"{"ranges":[{"type":"SEMVER","events":[
            {"introduced":"0"},{"fixed":"2.3.1"},{"fixed":"1.9.0"},{"fixed":"2.3.1"}]}]}"#,
        );
        assert_eq!(fixes(&two, "npm", "1.9.0"), ["2.3.1"]);
        assert_eq!(fixes(&two, "npm", "1.0.0"), ["1.9.0", "2.3.1"]);
    }

    proptest! {
        #[test]
        fn a_range_agrees_with_its_bounds(v in 0..60_u64, from in 0..60_u64, to in 0..60_u64) {
            let event = |key: &str, n: u64| format!(r#"{{"{key}":"0.{n}.0"}}"#);
            let json = format!(
                r#"{{"ranges":[{{"type":"SEMVER","events":[{},{}]}}]}}"#,
                event("fixed", from + to + 1), event("introduced", from)
            );
            let inside = (from..from + to + 1).contains(&v);
            let got = affects(&affected(&json), "npm", &format!("0.{v}.0"));
            prop_assert_eq!(got == Affects::Yes, inside);
        }

        #[test]
        fn any_text_is_survived(a in ".{0,40}", b in "[0-9.!a-z+-]{0,40}") {
            let json = serde_json::json!({"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":a},{"fixed":b}]}]});
            let affected = affected(&json.to_string());
            for ecosystem in ["PyPI", "npm"] {
                for version in [&a, &b] {
                    let _ = fixes(&affected, ecosystem, version);
                    prop_assert!(affects(&affected, ecosystem, version) != Affects::Yes || !version.is_empty());
                }
            }
        }
    }
}
