use super::super::{Audit, NotChecked, Walked, sarif};
use super::*;
use crate::contract::Package;
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

fn secret(path: &str) -> Finding {
    Finding {
        rule_id: "secret.github-token".into(),
        title: "GitHub token".into(),
        severity: Severity::Critical,
        path: path.into(),
        line: Some(3),
        column: Some(9),
        message: "GitHub token, confirmed by its checksum or content. Revoke it.".into(),
        fingerprint: "0123456789abcdef0123456789abcdef".into(),
        preview: Some("ghp_**** (40 characters)".into()),
        package: None,
        aliases: Vec::new(),
        help_uri: Some("https://docs.github.com/tokens".into()),
    }
}

fn advisory() -> Finding {
    Finding {
        rule_id: "GHSA-35jh-r3h4-6jhm".into(),
        title: "Command Injection in lodash".into(),
        severity: Severity::High,
        path: "web/package-lock.json".into(),
        line: None,
        column: None,
        message: "lodash 4.17.20: Command Injection in lodash. Fixed in 4.17.21.".into(),
        fingerprint: "fedcba9876543210fedcba9876543210".into(),
        preview: None,
        package: Some("pkg:npm/lodash@4.17.20".into()),
        aliases: vec!["CVE-2021-23337".into()],
        help_uri: Some("https://github.com/advisories/GHSA-35jh-r3h4-6jhm".into()),
    }
}

fn package() -> Package {
    Package {
        ecosystem: "npm".into(),
        name: "lodash".into(),
        version: "4.17.20".into(),
        purl: "pkg:npm/lodash@4.17.20".into(),
        locations: Vec::new(),
    }
}

fn valid_sarif(audit: &Audit<'_>) -> serde_json::Value {
    let document: serde_json::Value = serde_json::from_slice(&sarif(audit).unwrap()).unwrap();
    let mut schema: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/data/sarif-schema-2.1.0.json")).unwrap();
    // The published schema has patterns here that are no regular expressions.
    for holder in ["run", "toolComponent"] {
        let language = format!("/definitions/{holder}/properties/language");
        if let Some(language) = schema
            .pointer_mut(&language)
            .and_then(|v| v.as_object_mut())
        {
            language.remove("pattern");
        }
    }
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|e| format!("{} at {}", e, e.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    document
}

#[test]
fn a_full_audit() {
    let (secrets, advisories, packages) = ([secret("src/a b.py")], [advisory()], [package()]);
    let warnings = ["broken/Cargo.lock: not a usable lock file (line 1)".to_owned()];
    let audit = Audit {
        walked: Some(Walked::new(127, 1_234_567)),
        secrets: Some(&secrets),
        advisories: Some(&advisories),
        packages: Some(&packages),
        warnings: &warnings,
        ..Audit::new("app")
    };
    insta::assert_snapshot!("full_markdown", markdown(&audit, 100));
    insta::assert_json_snapshot!("full_sarif", valid_sarif(&audit));
    assert_eq!(sarif(&audit).unwrap(), sarif(&audit).unwrap());
}

#[test]
fn what_was_not_checked_is_said() {
    let missing = [NotChecked::new(
        "Known vulnerabilities",
        "NetworkError: POST https://api.osv.dev/v1/querybatch",
    )];
    let audit = Audit {
        secrets: Some(&[]),
        not_checked: &missing,
        ..Audit::new("app")
    };
    insta::assert_snapshot!("not_checked_markdown", markdown(&audit, 100));
    let document = valid_sarif(&audit);
    assert_eq!(
        document["runs"][0]["invocations"][0]["executionSuccessful"],
        false
    );
}

#[test]
fn long_lists_are_cut_and_counted() {
    let secrets: Vec<_> = (0..5).map(|i| secret(&format!("f{i}"))).collect();
    let audit = Audit {
        secrets: Some(&secrets),
        ..Audit::new("app")
    };
    let text = markdown(&audit, 2);
    assert!(text.contains("- **GitHub token** in 2 places"), "{text}");
    let places = text.lines().filter(|line| line.starts_with("  - `f"));
    assert_eq!(places.count(), 2);
    assert!(text.contains("3 more are in the SARIF report"));
}

/// What a reader's program would make of the report.
fn shape(text: &str) -> (usize, usize, usize, Vec<String>) {
    let (mut headings, mut items, mut markup, mut links) = (0, 0, 0, Vec::new());
    for event in Parser::new_ext(text, Options::all()) {
        match event {
            Event::Start(Tag::Heading { .. }) => headings += 1,
            Event::Start(Tag::Item) => items += 1,
            Event::Start(Tag::Link { dest_url, .. }) => links.push(dest_url.to_string()),
            Event::Start(
                Tag::Image { .. }
                | Tag::CodeBlock(_)
                | Tag::BlockQuote(_)
                | Tag::FootnoteDefinition(_),
            )
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::FootnoteReference(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::Rule => markup += 1,
            _ => {}
        }
    }
    (headings, items, markup, links)
}

fn hostile(text: &str) -> Finding {
    Finding {
        title: text.into(),
        message: format!("{text} {text}"),
        preview: Some(text.into()),
        aliases: vec![text.into()],
        help_uri: Some(text.into()),
        rule_id: text.into(),
        ..secret(text)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn text_never_becomes_markup(
        text in proptest::collection::vec(prop_oneof![
            Just("`".to_owned()), Just("\n\n# ".to_owned()), Just("<img src=x onerror=1>".to_owned()),
            Just("](https://evil.test)".to_owned()), Just("![x](y)".to_owned()), Just("|".to_owned()),
            Just("\\".to_owned()), Just("$x$".to_owned()), Just("[^1]: ".to_owned()), Just("\n---\n".to_owned()),
            Just("- ".to_owned()), Just("1. ".to_owned()), Just("> ".to_owned()), Just("    ".to_owned()), Just("2) ".to_owned()), Just("# ".to_owned()),
            Just("=== ".to_owned()), Just(": ".to_owned()), Just("+ ".to_owned()), ".{0,5}",
        ], 0..6).prop_map(|parts| parts.concat())
    ) {
        let calm = shape(&markdown(&Audit {
            secrets: Some(&[hostile("calm"), hostile("calm")]), packages: Some(&[package()]),
            warnings: &["calm".to_owned()], not_checked: &[NotChecked::new("calm", "calm")], ..Audit::new("calm")
        }, 10));
        let packages = [Package { ecosystem: text.clone(), ..package() }];
        let got = shape(&markdown(&Audit {
            secrets: Some(&[hostile(&text), hostile(&text)]), packages: Some(&packages),
            warnings: std::slice::from_ref(&text), not_checked: &[NotChecked::new(&text, &text)], ..Audit::new(&text)
        }, 10));
        prop_assert_eq!(got, calm);
    }
}

#[test]
fn text_is_escaped_where_it_would_be_markup_and_nowhere_else() {
    let shown = |given| super::super::escape::text(given);
    assert_eq!(shown("a-b 1.2 (c): d=e!"), "a-b 1.2 (c): d=e!");
    assert_eq!(shown("1. - # +"), r"1\. \- \# \+");
    assert_eq!(
        shown("http://a.b WWW.c.d x@y"),
        "http\\://a.b WWW\\.c.d x@\u{200b}y"
    );
}

#[test]
fn hostile_text_gives_valid_sarif() {
    for text in [
        "",
        "../../etc/passwd",
        "/abs",
        "javascript:alert(1)",
        "a\u{202e}b\n[x](y) {0}",
        "\u{0}",
        "ü/日本 #?%",
    ] {
        let findings = [hostile(text)];
        let document = valid_sarif(&Audit {
            secrets: Some(&findings),
            ..Audit::new(text)
        });
        let uri = document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            .as_str()
            .unwrap();
        assert!(
            !uri.starts_with('/') && !uri.contains([':', ' ', '#', '?']),
            "{uri}"
        );
    }
}
