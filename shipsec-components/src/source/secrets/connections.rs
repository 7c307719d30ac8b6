//! Passwords in connection strings: which of them somebody could use, and how much they weigh.

use super::checks::{Candidate, Verdict, keep_if};
use super::random;
use crate::contract::Severity;

/// A password before a host that could be real.
pub(super) fn url_password(candidate: &Candidate<'_>) -> Verdict {
    let secret = candidate.secret;
    let host = candidate.host.to_ascii_lowercase();
    let ends = |suffixes: &[&str]| suffixes.iter().any(|s| host.ends_with(s.as_bytes()));
    let starts = |prefixes: &[&str]| prefixes.iter().any(|p| host.starts_with(p.as_bytes()));
    let this_machine = starts(&["localhost", "127.", "0.0.0.0", "[::1]"]);
    let manual = ends(&[
        ".example",
        ".example.com",
        "example.com",
        "example.org",
        "example.net",
        ".test",
        ".invalid",
    ]) || host.windows(7).any(|at| at == b"example")
        || starts(&["1.2.3.4"]);
    let neighbour = starts(&["10.", "192.168."])
        || ends(&[".local", ".localhost", ".localdomain", ".internal"]);
    let stand_in = starts(&["host", "server", "my"]);
    let lower = secret.to_ascii_lowercase();
    let placeholder = secret.len() < 6
        || random::is_placeholder(secret)
        || secret.eq_ignore_ascii_case(candidate.user)
        || lower.starts_with(b"pass%")
        || random::is_reference(candidate.user);
    if manual || placeholder {
        return Verdict::Reject;
    }
    let holds = |bytes: &[u8]| secret.iter().any(|byte| bytes.contains(byte));
    let mixed = random::classes(secret) >= 2;
    let dotted = host.contains(&b'.');
    if !is_store(candidate.scheme) {
        let template = holds(b"${}()[]\\*|,;@");
        let nowhere = this_machine
            || stand_in
            || starts(&["10.", "192.168."])
            || ends(&[".local", ".localhost", ".localdomain"]);
        return keep_if(dotted && mixed && !template && !nowhere);
    }
    // What a compose file and a manual say instead of a password.
    let template =
        holds(b"{}()[]\\|") || (holds(b"$*,;") && !secret.iter().any(u8::is_ascii_digit));
    if template || is_common(&lower, candidate.scheme) || (stand_in && !dotted) {
        return Verdict::Reject;
    }
    match (mixed, dotted) {
        // Letters alone are a password that somebody thought of, or the name of something.
        (false, _) if secret.len() < 8 || this_machine => Verdict::Reject,
        (false, false) => Verdict::Reject,
        _ if this_machine => Verdict::KeepAt(Severity::Info),
        // A bare name is a neighbour in a compose file.
        (true, false) => Verdict::KeepAt(Severity::Low),
        _ if neighbour => Verdict::KeepAt(Severity::Medium),
        (false, true) => Verdict::KeepAt(Severity::Medium),
        (true, true) => Verdict::Keep,
    }
}

/// Whether it connects to something that keeps or carries data, whatever driver it names besides.
fn is_store(scheme: &[u8]) -> bool {
    let scheme = scheme.to_ascii_lowercase();
    let store = scheme.split(|byte| *byte == b'+').next();
    matches!(
        store.unwrap_or_default(),
        b"postgres"
            | b"postgresql"
            | b"pgsql"
            | b"mysql"
            | b"mariadb"
            | b"mongodb"
            | b"redis"
            | b"rediss"
            | b"amqp"
            | b"amqps"
            | b"mssql"
            | b"sqlserver"
            | b"clickhouse"
            | b"cockroachdb"
    )
}

/// Passwords that everybody's examples have, with whatever digits and signs at their end.
fn is_common(lower: &[u8], scheme: &[u8]) -> bool {
    let end = lower
        .iter()
        .rposition(u8::is_ascii_alphabetic)
        .map_or(0, |at| at + 1);
    let word = &lower[..end];
    word.is_empty()
        || scheme.to_ascii_lowercase().starts_with(word)
        || [
            "admin",
            "root",
            "user",
            "username",
            "guest",
            "pass",
            "passw",
            "mypass",
            "userpass",
            "dbpass",
            "pw",
            "pwd",
            "mypw",
            "postgres",
            "mysql",
            "mongo",
            "mongodb",
            "redis",
            "rabbit",
            "rabbitmq",
            "docker",
            "dev",
            "develop",
            "development",
            "local",
            "welcome",
            "master",
            "app",
            "db",
            "database",
            "abc",
            "foo",
            "bar",
            "baz",
            "asdf",
            "service",
        ]
        .iter()
        .any(|known| word == known.as_bytes())
}
