use super::*;
use proptest::prelude::*;

const GITHUB: &str = concat!("ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17");

pub(super) fn scan(path: &str, text: &str) -> Vec<Finding> {
    let scanner = SecretScanner::new();
    scanner
        .scan(path, text.as_bytes(), &ScanOptions::default())
        .unwrap()
        .findings
}

pub(super) fn ids(path: &str, text: &str) -> Vec<String> {
    scan(path, text)
        .into_iter()
        .map(|finding| finding.rule_id)
        .collect()
}

#[test]
fn rules_are_well_formed() {
    let mut seen = std::collections::HashSet::new();
    for rule in RULES {
        assert!(seen.insert(rule.id), "{} twice", rule.id);
        assert!(
            rule.id.starts_with("secret.") && rule.source.starts_with("https://"),
            "{}",
            rule.id
        );
        assert!(rule.pattern.contains("(?P<secret>"), "{}", rule.id);
        for keyword in rule.keywords {
            assert_eq!(*keyword, keyword.to_ascii_lowercase(), "{}", rule.id);
        }
    }
    assert_eq!(SecretScanner::new().patterns.len(), RULES.len());
}

#[test]
fn provider_tokens_are_found() {
    let hex32 = concat!("9f86d081884c7d65", "9a2feaa0c55ad015");
    let cases = [
        (format!("token: {GITHUB}"), "secret.github-token"),
        (
            format!("id = {}", concat!("AKIA", "QYLPMN5HHHFPZAM2")),
            "secret.aws-access-key-id",
        ),
        (
            format!(
                "aws_secret_access_key = {}",
                concat!("Zk8/v1Qp+3xYt7Lm9sRw", "2BnD4hJ6gFaU5cE0iXoK")
            ),
            "secret.aws-secret-access-key",
        ),
        (
            format!("k={}", concat!("glpat-", "q7Zp2Lk9Vx4TnB8sRw3Y")),
            "secret.gitlab-token",
        ),
        (
            format!(
                "k={}",
                concat!(
                    "xoxb-",
                    "1726384059182-2847561930475-q7Zp2Lk9Vx4TnB8sRw3YcD5f"
                )
            ),
            "secret.slack-token",
        ),
        (
            format!("k={}", concat!("sk_live_", "q7Zp2Lk9Vx4TnB8sRw3YcD5f")),
            "secret.stripe-key",
        ),
        (
            format!(
                "k={}",
                concat!("AIza", "SyQ7Zp2Lk9Vx4TnB8sRw3YcD5fGh1JkMn2o")
            ),
            "secret.google-api-key",
        ),
        (
            format!(
                "k={}",
                concat!(
                    "SG.",
                    "q7Zp2Lk9Vx4TnB8sRw3YcD.",
                    "q7Zp2Lk9Vx4TnB8sRw3YcD5fGh1JkM_2oPqRsTuVw3Y"
                )
            ),
            "secret.sendgrid-key",
        ),
        (
            format!("TWILIO_AUTH_TOKEN={hex32}"),
            "secret.twilio-auth-token",
        ),
        (
            format!("k={}{hex32}{hex32}", concat!("dop_", "v1_")),
            "secret.digitalocean-token",
        ),
        (
            format!(
                "db = {}",
                concat!("postgres://app:", "t7Qz-9pLw@db.acme.io:5432/main")
            ),
            "secret.url-password",
        ),
    ];
    for (line, id) in cases {
        assert_eq!(ids("src/app.py", &line), [id], "{line}");
        assert_eq!(
            ids("src/app.py", &format!("x\n  '{line}',\n")),
            [id],
            "{line}"
        );
    }
}

#[test]
fn a_wrong_checksum_is_no_token() {
    let wrong = GITHUB.replace("0mLq17", "0mLq18");
    assert!(ids("src/app.py", &format!("token: {wrong}")).is_empty());
    assert!(
        ids("src/app.py", &format!("x{GITHUB}")).is_empty(),
        "inside a longer word"
    );
}

#[test]
fn generic_assignments_need_randomness() {
    let random = concat!("q7Zp2Lk9Vx", "4TnB8sRw3Y");
    assert_eq!(
        ids("src/a.py", &format!("API_KEY = \"{random}\"")),
        ["secret.generic-key"]
    );
    assert_eq!(
        ids("src/a.rs", &format!("const API_KEY: &str = \"{random}\";")),
        ["secret.generic-key"]
    );
    assert_eq!(
        ids("src/a.js", &format!("{{ clientSecret: '{random}' }}")),
        ["secret.generic-key"]
    );
    assert_eq!(
        ids(".env", &format!("SERVICE_TOKEN={random}")),
        ["secret.generic-key"]
    );
    for harmless in [
        "api_key = os.environ[\"SERVICE_API_KEY_NAME\"]".to_owned(),
        "token = \"mySecretTokenValue1\"".to_owned(),
        "password = \"changeme-please-1234\"".to_owned(),
        format!("token_url = \"{random}\""),
        format!("public_key = \"{random}\""),
        format!("key = \"{random}\""),
        format!("token = compute({random})"),
        "API_KEY=${SERVICE_API_KEY_2}".to_owned(),
        "secret = \"123e4567-e89b-12d3-a456-426614174000\"".to_owned(),
    ] {
        assert_eq!(
            ids("src/a.py", &harmless),
            Vec::<String>::new(),
            "{harmless}"
        );
    }
}

#[test]
fn tests_weigh_less_than_the_product() {
    let line = format!("let t = \"{GITHUB}\";\n");
    assert_eq!(scan("src/a.rs", &line)[0].severity, Severity::Critical);
    assert_eq!(scan("tests/a.rs", &line)[0].severity, Severity::High);
    let in_module = format!("{line}#[cfg(test)]\nmod tests {{\n{line}}}\n");
    let severities: Vec<_> = scan("src/a.rs", &in_module)
        .iter()
        .map(|f| f.severity)
        .collect();
    assert_eq!(severities, [Severity::Critical, Severity::High]);
}

#[test]
fn passwords_in_configuration() {
    let line = concat!("db_password: ", "Tr0ub4dor&3x");
    assert_eq!(ids("config/prod.yml", line), ["secret.config-password"]);
    for harmless in [
        "db_password: postgres",
        "password: ${DB_PASSWORD}",
        "password: P@ssw0rd!",
        "# password: Tr0ub4dor&3x",
    ] {
        assert!(ids("config/prod.yml", harmless).is_empty(), "{harmless}");
    }
    assert!(ids("src/main.rs", line).is_empty(), "not configuration");
    assert!(ids("locales/en.yml", line).is_empty(), "a translation");
}

#[test]
fn passwords_and_keys_in_code() {
    let (password, random) = (
        concat!("gH7!kd9", "2Lm#q"),
        concat!("q7Zp2Lk9Vx", "4TnB8sRw3Y"),
    );
    let auth = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("bob:{random}"))
    };
    for (path, line, id) in [
        (
            "a.js",
            format!("db: {{ password: '{password}' }},"),
            "secret.source-password",
        ),
        (
            "A.java",
            format!("String dbPassword = \"{password}\";"),
            "secret.source-password",
        ),
        (
            "a.php",
            format!("define('DB_PASSWORD', '{password}');"),
            "secret.source-password",
        ),
        (
            "a.php",
            format!("define( 'AUTH_KEY', '{random}' );"),
            "secret.generic-key",
        ),
        (
            "a.go",
            format!("h.Set(\"X-Api-Key\", \"{random}\")"),
            "secret.generic-key",
        ),
        (
            "a.sh",
            format!("export GITLAB_TOKEN={random}"),
            "secret.generic-key",
        ),
        (
            "main.tf",
            format!("  password = \"{password}\""),
            "secret.config-password",
        ),
        (
            "a.js",
            format!("{{ Authorization: 'Bearer {random}' }}"),
            "secret.authorization-header",
        ),
        (
            "a.sh",
            format!("curl -H 'Authorization: token {random}'"),
            "secret.authorization-header",
        ),
        (
            "A.java",
            format!("\"jdbc:mysql://db.acme.io/app?user=app&password={random}\""),
            "secret.connection-password",
        ),
        (
            "a.cs",
            format!("\"Server=db.acme.io;User ID=sa;Password={password};\""),
            "secret.connection-password",
        ),
        (
            "a.js",
            format!("{{ Authorization: 'Basic {auth}' }}"),
            "secret.authorization-header",
        ),
        (
            ".netrc",
            format!("machine api.acme.io login bob password {random}"),
            "secret.netrc-password",
        ),
        (
            "config.json",
            format!("{{\"auth\": \"{auth}\"}}"),
            "secret.docker-auth",
        ),
    ] {
        assert_eq!(ids(path, &line), [id], "{line}");
    }
    for (path, harmless) in [
        ("a.js", "password: 'Passwort vergessen'"),
        ("a.js", "password: 'forgot_password_2'"),
        ("a.js", "password: 'a/b/c?x=1'"),
        ("a.py", "password = '%s:%d!' % x"),
        ("a.py", "errors('password', 'Choose at least 8!')"),
        ("a.js", "passwordPattern = '^[a-z0-9!]+$'"),
        ("a.py", "'http://user:pass%20pass@complex.url.com/path'"),
        ("main.tf", "password = random_password.db1.Result2"),
        ("config.json", "{\"auth\": \"c29tZXRoaW5nIGVsc2U=\"}"),
        (
            "a.js",
            "Authorization: 'Bearer your-access-token-goes-here-1'",
        ),
        (
            "a.json",
            "\"nextToken\": \"1w41l63U0xa8q7smH50vCxyTQqdxo69O3EmK28Bi\"",
        ),
        (
            "a.json",
            "\"password\": \"pbkdf2_sha256$10000$LUyhxJjuLwXF$f6Zbpnx1L5dPze8m0itB\"",
        ),
    ] {
        assert_eq!(ids(path, harmless), Vec::<String>::new(), "{harmless}");
    }
    let published = format!(
        "access_token = \"{}\"",
        concat!("2YotnFZFEjr", "1zCsicMWpAA")
    );
    assert!(ids("a.py", &published).is_empty());
}

/// A key of the right form that opens nothing: DER of zeros behind a sequence header.
fn made_up_key() -> String {
    use base64::Engine as _;
    let mut der = vec![0x30, 0x82, 0x01, 0x00];
    der.extend((0..256_u32).map(|i| (i * 7 + 3) as u8));
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = body
        .as_bytes()
        .chunks(64)
        .map(|l| String::from_utf8_lossy(l))
        .collect();
    let kind = concat!("RSA PRIV", "ATE KEY");
    format!(
        "-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n",
        lines.join("\n")
    )
}

#[test]
fn private_keys_need_a_body() {
    let key = made_up_key();
    let found = scan("deploy/id", &key);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].rule_id.as_str(), found[0].severity),
        ("secret.private-key", Severity::Critical)
    );
    assert_eq!(scan("tests/id", &key)[0].severity, Severity::Low);
    let in_json = format!("{{\"private_key\": \"{}\"}}", key.replace('\n', "\\n"));
    assert_eq!(ids("sa.json", &in_json), ["secret.private-key"]);
    let placeholder = concat!(
        "-----BEGIN PRIV",
        "ATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC...\nyour key goes here, base64 encoded\n-----END PRIV",
        "ATE KEY-----"
    );
    assert!(ids("sa.pem", placeholder).is_empty());
}

#[test]
fn jwt_must_decode() {
    use base64::Engine as _;
    let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let signature = concat!("q7Zp2Lk9Vx4TnB8sRw3YcD5f", "Gh1JkMn2oPqRsTuVw3Y");
    let token = |payload: &str| {
        format!(
            "{}.{}.{signature}",
            part(r#"{"alg":"HS256"}"#),
            part(payload)
        )
    };
    assert_eq!(
        ids("a.py", &token(r#"{"sub":"alice","iat":1}"#)),
        ["secret.jwt"]
    );
    assert!(ids("a.py", &token(r#"{"sub":"1234567890","name":"John Doe"}"#)).is_empty());
    assert!(
        ids(
            "a.py",
            &format!("eyJhbGciOiJIUzI1NiJ9.eyJub3QganNvbiBhdCBhbGw.{signature}")
        )
        .is_empty()
    );
}

#[test]
fn allowed_lines_and_skipped_paths_say_nothing() {
    let scanner = SecretScanner::new();
    let allowed = format!("a = '{GITHUB}' # shipsec:allow\nb = '{GITHUB}' # gitleaks:allow\n");
    let report = scanner
        .scan("a.py", allowed.as_bytes(), &ScanOptions::default())
        .unwrap();
    assert_eq!((report.findings.len(), report.allowed), (0, 2));
    let report = scanner
        .scan("Cargo.lock", GITHUB.as_bytes(), &ScanOptions::default())
        .unwrap();
    assert!(report.skipped && report.findings.is_empty());
    let all = ScanOptions {
        include_vendored: true,
        ..ScanOptions::default()
    };
    assert_eq!(
        scanner
            .scan("Cargo.lock", GITHUB.as_bytes(), &all)
            .unwrap()
            .findings
            .len(),
        1
    );
}

#[test]
fn findings_tell_the_place_and_never_the_secret() {
    let text = format!("first\nzwölf = 'ü' + '{GITHUB}' + '{GITHUB}'\n");
    let found = scan("src/a.py", &text);
    assert_eq!((found[0].line, found[0].column), (Some(2), Some(16)));
    assert_eq!(
        found[0].preview.as_deref(),
        Some("ghp_**** (40 characters)")
    );
    assert_eq!(found.len(), 2);
    assert_ne!(found[0].fingerprint, found[1].fingerprint);
    let moved = scan("src/a.py", &format!("a\nb\n{text}"));
    assert_eq!(moved[0].fingerprint, found[0].fingerprint);
    let json = serde_json::to_string(&found).unwrap();
    assert!(!json.contains(&GITHUB[4..12]));
}

#[test]
fn windows_neither_lose_nor_double() {
    let mut text = String::new();
    let mut expected = 0;
    while text.len() < WINDOW * 2 + 100_000 {
        text.push_str(&"filler line without anything to see\n".repeat(1000));
        text.push_str(&format!("key = {GITHUB}\n"));
        expected += 1;
    }
    // One across each border, besides.
    for border in [WINDOW, WINDOW + OVERLAP, WINDOW * 2] {
        let at = text[..border - 60].rfind('\n').unwrap() + 1;
        text.insert_str(
            at,
            &format!("{}\nborder {GITHUB}\n", " ".repeat(border - 30 - at)),
        );
        expected += 1;
    }
    let options = ScanOptions {
        max_findings_per_file: usize::MAX,
        ..ScanOptions::default()
    };
    let report = SecretScanner::new()
        .scan("a.py", text.as_bytes(), &options)
        .unwrap();
    assert_eq!(report.findings.len(), expected);
    for found in &report.findings {
        let line = text.lines().nth(found.line.unwrap() as usize - 1).unwrap();
        assert_eq!(line.find("ghp_"), Some(found.column.unwrap() as usize - 1));
    }
}

#[test]
fn limits_are_said() {
    let text = format!("{GITHUB}\n").repeat(5);
    let options = ScanOptions {
        max_findings_per_file: 2,
        max_file_bytes: 150,
        ..ScanOptions::default()
    };
    let report = SecretScanner::new()
        .scan("a.py", text.as_bytes(), &options)
        .unwrap();
    assert_eq!((report.findings.len(), report.warnings.len()), (2, 2));
}

#[test]
fn utf16_is_read() {
    let bytes: Vec<u8> = std::iter::once(0xfeff)
        .chain(format!("token {GITHUB}").encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let report = SecretScanner::new()
        .scan("a.txt", &bytes[..], &ScanOptions::default())
        .unwrap();
    assert_eq!(report.findings.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..2000), cut in 0..40_usize) {
        let scanner = SCANNER.get_or_init(SecretScanner::new);
        let mut mixed = bytes.clone();
        mixed.extend_from_slice(&GITHUB.as_bytes()[..cut]);
        mixed.extend_from_slice(b"-----BEGIN PRIVATE KEY-----\\n+eyJ.eyJ://:@password=\"");
        mixed.extend_from_slice(&bytes);
        let report = scanner.scan("x.env", &mixed[..], &ScanOptions::default()).unwrap();
        prop_assert_eq!(report.scanned_bytes, mixed.len() as u64);
    }
}

static SCANNER: std::sync::OnceLock<SecretScanner> = std::sync::OnceLock::new();
