//! How grave an advisory is, from whatever its database says of that.

use super::record::{Affected, Record, Score};
use crate::contract::Severity;

/// The gravest CVSS score wins; without one, the database's own word; without that, medium.
pub(super) fn of(record: &Record, affected: &Affected) -> Severity {
    if record.id.starts_with("MAL-") {
        return Severity::Critical;
    }
    let informational = affected
        .database_specific
        .informational
        .as_deref()
        .or(record.database_specific.informational.as_deref());
    match informational {
        Some("unsound") => return Severity::Low,
        Some(_) => return Severity::Info,
        None => {}
    }
    let scores = affected.severity.iter().chain(&record.severity);
    let word = || {
        let own = &affected.database_specific.severity;
        own.as_deref()
            .or(record.database_specific.severity.as_deref())
            .and_then(by_name)
    };
    scores
        .filter_map(by_vector)
        .max()
        .or_else(word)
        .unwrap_or(Severity::Medium)
}

fn by_vector(score: &Score) -> Option<Severity> {
    if !score.kind.starts_with("CVSS") {
        return by_name(&score.score);
    }
    Some(match score.score.parse::<cvss::Cvss>().ok()?.severity() {
        cvss::Severity::None => Severity::Info,
        cvss::Severity::Low => Severity::Low,
        cvss::Severity::Medium => Severity::Medium,
        cvss::Severity::High => Severity::High,
        cvss::Severity::Critical => Severity::Critical,
    })
}

fn by_name(name: &str) -> Option<Severity> {
    Some(match name.to_ascii_lowercase().as_str() {
        "critical" => Severity::Critical,
        "high" | "important" => Severity::High,
        "medium" | "moderate" => Severity::Medium,
        "low" => Severity::Low,
        "none" | "negligible" | "unimportant" => Severity::Info,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn severity(members: &str) -> Severity {
        let record: Record = serde_json::from_str(&format!(r#"{{"id":"X-1",{members}}}"#)).unwrap();
        of(&record, &record.affected[0])
    }

    #[test]
    fn vectors_then_words_then_medium() {
        let v3 = r#""severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]"#;
        let v4 = r#""severity":[{"type":"CVSS_V4","score":"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:L/SC:N/SI:N/SA:N"}]"#;
        assert_eq!(
            severity(&format!(r#"{v3},"affected":[{{}}]"#)),
            Severity::Critical
        );
        assert_eq!(
            severity(&format!(r#"{v4},"affected":[{{}}]"#)),
            Severity::Medium
        );
        assert_eq!(
            severity(r#""database_specific":{"severity":"MODERATE"},"affected":[{}]"#),
            Severity::Medium
        );
        assert_eq!(
            severity(r#""database_specific":{"severity":"LOW"},"affected":[{}]"#),
            Severity::Low
        );
        assert_eq!(
            severity(r#""database_specific":{"severity":7},"affected":[{}]"#),
            Severity::Medium
        );
        assert_eq!(
            severity(r#""affected":[{"database_specific":{"informational":"unmaintained"}}]"#),
            Severity::Info
        );
    }

    proptest! {
        #[test]
        fn no_vector_panics(tail in ".{0,60}", version in "[234].[01]") {
            let score = Score { kind: "CVSS_V3".into(), score: format!("CVSS:{version}/{tail}") };
            prop_assert!(by_vector(&score).is_none_or(|severity| severity <= Severity::Critical));
        }
    }
}
