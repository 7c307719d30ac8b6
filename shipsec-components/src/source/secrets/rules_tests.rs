use super::tests::{ids, scan};
use super::*;

/// Numbers that are the same each time, and look like chance.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn whatever_chance_draws_for_aws_is_found() {
    const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const DRAWN: usize = 100_000;
    const ID: &str = "secret.aws-secret-access-key";
    let rule = RULES.iter().find(|rule| rule.id == ID).unwrap();
    let mut state = 7;
    let mut text = String::new();
    let mut written = 0;
    let mut missed = 0;
    for at in 0..DRAWN {
        let secret: Vec<u8> = (0..40)
            .map(|_| BASE64[(random(&mut state) % 64) as usize])
            .collect();
        let candidate = Candidate {
            secret: &secret,
            key: b"",
            scheme: b"",
            user: b"",
            host: b"",
            tail: b"",
            quoted: false,
            comment: false,
            path: classify("a.env"),
        };
        let random = random::entropy(&secret) >= rule.entropy;
        if !random || (rule.check)(&candidate) != Verdict::Keep {
            missed += 1;
        } else if at % 1000 < 4 {
            let secret = String::from_utf8(secret).unwrap();
            written += 1;
            text.push_str(&match at % 4 {
                0 => format!("AWS_SECRET_ACCESS_KEY={secret}\n"),
                1 => format!("aws_secret_access_key: {secret}\n"),
                2 => format!("aws_secret_access_key   = \"{secret}\"\n"),
                _ => format!("  \"SecretAccessKey\": \"{secret}\",\n"),
            });
        }
    }
    assert!(missed <= DRAWN / 10_000, "{missed} of {DRAWN} were missed");
    let options = ScanOptions {
        max_findings_per_file: usize::MAX,
        ..ScanOptions::default()
    };
    let report = SecretScanner::new()
        .scan("deploy/a.env", text.as_bytes(), &options)
        .unwrap();
    let found = report.findings.iter().filter(|found| found.rule_id == ID);
    assert_eq!(found.count(), written);
}

#[test]
fn names_and_manuals_are_no_keys_of_aws() {
    for harmless in [
        concat!("wJalrXUtnFEMI/K7MDENG/", "bPxRfiCYEXAMPLEKEY").to_owned(),
        concat!("je7MtGbClwBF/2Zp9Utk/", "h3yCo8nvbEXAMPLEKEY").to_owned(),
        "TheSecretAccessKeyOfTheUserWhoDeploysIt1".to_owned(),
        "arn/of/the/secret/in/the/account/eu/west".to_owned(),
        "0123456789abcdefghijABCDEFGHIJ0123456789".to_owned(),
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".to_owned(),
        "da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned(),
    ] {
        assert_eq!(harmless.len(), 40);
        let line = format!("aws_secret_access_key = {harmless}");
        let found = ids("deploy/a.env", &line);
        assert!(
            !found.contains(&"secret.aws-secret-access-key".to_owned()),
            "{line}"
        );
    }
    // Longer than a key is no key.
    let long = format!(
        "aws_secret_access_key = {}/more",
        concat!("Zk8/v1Qp+3xYt7Lm9sRw", "2BnD4hJ6gFaU5cE0iXoK")
    );
    let found = ids("deploy/a.env", &long);
    assert!(
        !found.contains(&"secret.aws-secret-access-key".to_owned()),
        "{found:?}"
    );
}

#[test]
fn a_private_key_that_is_cut_off_is_one() {
    use base64::Engine as _;
    let mut der = vec![0x30, 0x82, 0x01, 0x00, 2, 1, 0];
    der.extend((0..256_u32).map(|i| (i * 7 + 3) as u8));
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let kind = concat!("RSA PRIV", "ATE KEY");
    let lines = |length: usize| {
        let lines = body.as_bytes()[..length]
            .chunks(64)
            .map(String::from_utf8_lossy);
        lines.collect::<Vec<_>>().join("\n")
    };
    let cut = |length: usize| format!("-----BEGIN {kind}-----\n{}", lines(length));
    let id = "secret.private-key-cut";
    for text in [
        cut(body.len()),
        cut(201),
        format!("{}\n", cut(256)),
        format!("{{\"key\": \"{}", cut(256).replace('\n', "\\n")),
        format!("A=1\n{}\n\nB=2\n", cut(300)),
    ] {
        let found = scan("deploy/id", &text);
        assert_eq!((found.len(), found[0].rule_id.as_str()), (1, id), "{text}");
        assert_eq!(found[0].severity, Severity::High);
    }
    assert_eq!(scan("docs/id.md", &cut(300))[0].severity, Severity::Info);
    let whole = format!("{}\n-----END {kind}-----\n", cut(body.len()));
    assert_eq!(ids("deploy/id", &whole), ["secret.private-key"]);
    for harmless in [
        format!("-----BEGIN {kind}-----"),
        format!("starts_with(\"-----BEGIN {kind}-----\")"),
        cut(64),
        format!("{}...", cut(192)),
        format!("{}\n…\n", cut(192)),
        format!("{}\n[snip]\n", cut(192)),
        format!(
            "-----BEGIN {kind}-----\n{}",
            "words that are none of a key ".repeat(10)
        ),
        format!(
            "-----BEGIN {kind}-----\n{}",
            "notakeybutalongword".repeat(10)
        ),
    ] {
        assert!(ids("deploy/id", &harmless).is_empty(), "{harmless}");
    }
}

#[test]
fn passwords_in_connection_strings() {
    let (strong, letters) = (concat!("t7Qz-", "9pLw"), concat!("winter", "palace"));
    let secret = |text: &str| text.replace("S1", strong).replace("L1", letters);
    for (url, severity) in [
        ("postgres://app:S1@db.acme.io/main", Severity::High),
        (
            "postgresql+psycopg2://app:S1@db.acme.io/main",
            Severity::High,
        ),
        ("mysql://app:S1@db.acme.io:3306/main", Severity::High),
        (
            "mongodb+srv://app:S1@c0.ab1cd.mongodb.net/main",
            Severity::High,
        ),
        ("redis://:S1@cache.acme.io:6379/0", Severity::High),
        ("amqp://app:S1@queue.acme.io/v", Severity::High),
        ("postgres://app:pa$$S1@db.acme.io/main", Severity::High),
        ("postgres://app:L1@db.acme.io/main", Severity::Medium),
        ("postgres://app:S1@10.0.0.7/main", Severity::Medium),
        ("postgres://app:S1@db/main", Severity::Low),
        ("postgres://app:S1@localhost/main", Severity::Info),
        ("postgres://app:S1@127.0.0.1:5432/main", Severity::Info),
        ("https://app:S1@git.acme.io/repo", Severity::High),
    ] {
        let found = scan("deploy/app.yml", &format!("url: {}", secret(url)));
        let found: Vec<_> = found
            .iter()
            .map(|f| (f.rule_id.as_str(), f.severity))
            .collect();
        assert_eq!(found, [("secret.url-password", severity)], "{url}");
    }
    for harmless in [
        "postgres://user:password@db.acme.io/main",
        "postgres://user:${PASSWORD}@db.acme.io/main",
        "postgres://user:$PASSWORD@db.acme.io/main",
        "postgres://user:<password>@db.acme.io/main",
        "postgres://user:{password}@db.acme.io/main",
        "postgres://user:%(password)s@db.acme.io/main",
        "postgres://user:changeme@db.acme.io/main",
        "postgres://user:changeme123@db.acme.io/main",
        "postgres://app:admin123!@db.acme.io/main",
        "mysql://mysql1:mysql1@db.acme.io/main",
        "amqp://guest:guest@queue.acme.io/v",
        "postgres://app:S1@db.example.com/main",
        "postgres://app:S1@host/main",
        "postgres://app:L1@db/main",
        "postgres://app:L1@localhost/main",
        "redis://user:********@cache.acme.io",
        "https://app:L1@git.acme.io/repo",
        "https://app:S1@localhost/repo",
        "https://app.acme.io:8443/@user",
        "https://acme.io/a:b-1cdef@2x.png",
    ] {
        let line = format!("url: {}", secret(harmless));
        assert!(ids("deploy/app.yml", &line).is_empty(), "{harmless}");
    }
}
