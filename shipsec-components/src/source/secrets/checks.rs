//! The last gate of each rule: what the pattern alone cannot tell.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};

use super::super::paths::PathClass;
use super::random;
use crate::contract::Severity;

/// What a pattern matched, and where.
pub(super) struct Candidate<'a> {
    /// The bytes of the group `secret` (or `bare`).
    pub(super) secret: &'a [u8],
    /// The groups `key`, `scheme`, `user`, `host`; empty where the pattern has none.
    pub(super) key: &'a [u8],
    /// As above.
    pub(super) scheme: &'a [u8],
    /// As above.
    pub(super) user: &'a [u8],
    /// As above.
    pub(super) host: &'a [u8],
    /// What follows the secret, where the rule asks.
    pub(super) tail: &'a [u8],
    /// Whether the value stood in quotes.
    pub(super) quoted: bool,
    /// Whether the line is a comment.
    pub(super) comment: bool,
    /// What the path says.
    pub(super) path: PathClass,
}

/// What a check makes of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No secret.
    Reject,
    /// A secret, as far as its form tells.
    Keep,
    /// A secret beyond doubt: its checksum or its content proves it.
    Proven,
    /// A secret that weighs less than the rule says.
    KeepAt(Severity),
}

pub(super) fn keep_if(condition: bool) -> Verdict {
    if condition {
        Verdict::Keep
    } else {
        Verdict::Reject
    }
}

/// The form is strict; only obvious dummies are turned away.
pub(super) fn plausible(candidate: &Candidate<'_>) -> Verdict {
    keep_if(!random::is_dummy_token(candidate.secret))
}

/// The prefix is short; digits and letters must mix as they do by chance.
pub(super) fn mixed(candidate: &Candidate<'_>) -> Verdict {
    let secret = candidate.secret;
    keep_if(!random::is_dummy_token(secret) && random::looks_random(secret))
}

/// The name says what it is, and the length is right: whatever chance may draw is kept, so that only
/// names, digests and stand-ins are turned away.
pub(super) fn aws_secret(candidate: &Candidate<'_>) -> Verdict {
    let secret = candidate.secret;
    let lower = secret.to_ascii_lowercase();
    let holds = |word: &str| lower.windows(word.len()).any(|at| at == word.as_bytes());
    let stands_in = [
        "example",
        "abcdef",
        "123456",
        "placeholder",
        "redacted",
        "replace",
    ]
    .iter()
    .any(|word| holds(word));
    let digest = secret.iter().all(u8::is_ascii_hexdigit);
    keep_if(
        !stands_in
            && !digest
            && !random::is_monotonous(secret)
            && !random::is_made_of_words(secret),
    )
}

/// Letters only, but of both cases and well shuffled.
pub(super) fn both_cases(candidate: &Candidate<'_>) -> Verdict {
    let body = &candidate.secret[candidate.secret.len().min(3)..];
    let upper = body.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    let changes = body
        .windows(2)
        .filter(|pair| pair[0].is_ascii_uppercase() != pair[1].is_ascii_uppercase())
        .count();
    keep_if(
        !random::is_dummy_token(candidate.secret)
            && (6..=body.len().saturating_sub(6)).contains(&upper)
            && changes >= body.len() / 4,
    )
}

/// The key that Microsoft publishes for its storage emulator is no secret.
pub(super) fn not_the_azure_emulator(candidate: &Candidate<'_>) -> Verdict {
    keep_if(!random::is_published(candidate.secret))
}

/// Base 64 whose padding may be missing.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// GitHub and npm: the last six characters are the CRC-32 of the thirty before, in base 62.
pub(super) fn crc32_base62(candidate: &Candidate<'_>) -> Verdict {
    let secret = candidate.secret;
    let Some((_, body)) = secret
        .iter()
        .position(|b| *b == b'_')
        .map(|at| secret.split_at(at + 1))
    else {
        return Verdict::Reject;
    };
    if body.len() <= 6 {
        return Verdict::Reject;
    }
    let (random, checksum) = body.split_at(body.len() - 6);
    let mut rest = crc32fast::hash(random);
    let mut expected = [b'0'; 6];
    for digit in expected.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    if expected == checksum {
        Verdict::Proven
    } else {
        Verdict::Reject
    }
}

/// A header that names an algorithm, a payload that is an object, and not the one from the
/// documentation of every library.
pub(super) fn jwt(candidate: &Candidate<'_>) -> Verdict {
    let mut parts = candidate.secret.split(|byte| *byte == b'.');
    let mut object = || {
        let bytes = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).ok()
    };
    let (Some(header), Some(payload)) = (object(), object()) else {
        return Verdict::Reject;
    };
    let text = |key: &str| {
        payload
            .get(key)
            .and_then(|value| value.as_str())
            .unwrap_or_default()
    };
    let from_a_manual = text("sub").starts_with("1234567890")
        || matches!(text("name"), "John Doe" | "Jane Doe")
        || matches!(text("iss"), "joe" | "example.com" | "https://example.com");
    let signed = header
        .get("alg")
        .and_then(|alg| alg.as_str())
        .is_some_and(|alg| alg != "none");
    match (signed && !from_a_manual, text("role")) {
        (false, _) => Verdict::Reject,
        // The key that Supabase means for browsers.
        (true, "anon") => Verdict::KeepAt(Severity::Info),
        (true, "service_role") => Verdict::KeepAt(Severity::Critical),
        (true, _) => Verdict::Keep,
    }
}

/// What a block of PEM holds, decoded as far as it goes, and whether it says that it is encrypted.
fn key_of(block: &[u8], cut: bool) -> Option<(String, Vec<u8>, bool)> {
    let text = String::from_utf8_lossy(block);
    // A string literal may write its line ends as `\n`, and JSON inside JSON as `\\n`.
    let text = text
        .replace("\\\\n", "\n")
        .replace("\\n", "\n")
        .replace("\\r", "");
    let encrypted = text.contains("ENCRYPTED");
    let mut body = String::new();
    for line in text.lines().flat_map(|line| line.split("-----")) {
        let line = line.trim_matches(|c: char| {
            c.is_whitespace()
                || matches!(
                    c,
                    '"' | '\'' | '`' | ',' | ';' | '\\' | '#' | '*' | '|' | '>'
                )
        });
        let line = line.strip_suffix('+').map_or(line, |rest| {
            // `"…" +` glues lines of source code; within quotes a plus belongs to the key.
            if rest.ends_with(['"', '\'', ' ']) {
                rest.trim_end_matches(['"', '\'', ' '])
            } else {
                line
            }
        });
        if line.starts_with("BEGIN ") || line.starts_with("END ") || line.contains(": ") {
            continue;
        }
        if line.starts_with('=') && line.len() == 5 {
            continue; // the checksum line of PGP armour
        }
        body.push_str(line);
    }
    body.retain(|c| !c.is_whitespace());
    if cut {
        body.truncate(body.len() / 4 * 4);
    }
    let key = LENIENT.decode(&body).ok()?;
    Some((text, key, encrypted))
}

const OPENSSH: &[u8] = b"openssh-key-v1\0";

/// A body that decodes, and begins as a key of its kind begins.
pub(super) fn private_key(candidate: &Candidate<'_>) -> Verdict {
    let Some((text, key, mut encrypted)) = key_of(candidate.secret, false) else {
        return Verdict::Reject;
    };
    let openssh = key.starts_with(OPENSSH);
    // The cipher's name is the first string after the magic.
    encrypted |= openssh && !key[15..].starts_with(b"\0\0\0\x04none");
    let der = key.len() >= 40 && key[0] == 0x30 && key[1] & 0x7f != 0;
    let pgp = text.contains("PGP PRIVATE KEY") && key.len() > 100 && key[0] & 0x80 != 0;
    match (openssh || der || pgp, encrypted) {
        (false, _) => Verdict::Reject,
        (true, true) => Verdict::KeepAt(Severity::Medium),
        (true, false) => Verdict::Proven,
    }
}

/// The same without its end. The page of a manual shows two lines and an ellipsis: there must be more of
/// it than that, and nothing that says that something was left out.
pub(super) fn private_key_cut(candidate: &Candidate<'_>) -> Verdict {
    const LEAST: usize = 96;
    if !candidate.tail.is_empty() {
        return Verdict::Reject;
    }
    let Some((text, key, encrypted)) = key_of(candidate.secret, true) else {
        return Verdict::Reject;
    };
    let openssh = key.starts_with(OPENSSH);
    // A sequence whose first item is the version, 0 or 1.
    let content = match key.get(..2) {
        Some([0x30, 0x82]) => key.get(4..),
        Some([0x30, 0x81]) => key.get(3..),
        Some([0x30, 0..=0x7f]) => key.get(2..),
        _ => None,
    };
    let version = |content: &[u8]| matches!(content, [2, 1, 0 | 1, ..]);
    let der = content.is_some_and(|content| version(content) || encrypted);
    let pgp = text.contains("PGP PRIVATE KEY") && key.first().is_some_and(|tag| tag & 0x80 != 0);
    match (openssh || der || pgp, encrypted) {
        _ if key.len() < LEAST => Verdict::Reject,
        (false, _) => Verdict::Reject,
        (true, true) => Verdict::KeepAt(Severity::Low),
        (true, false) => Verdict::Keep,
    }
}

/// Ends of names that hold something about a secret, not the secret.
const ABOUT: &[&str] = &[
    "name",
    "id",
    "ids",
    "type",
    "url",
    "uri",
    "path",
    "file",
    "filename",
    "field",
    "label",
    "header",
    "param",
    "length",
    "size",
    "len",
    "regex",
    "pattern",
    "prefix",
    "suffix",
    "format",
    "class",
    "message",
    "msg",
    "text",
    "hint",
    "help",
    "ref",
    "count",
    "expiry",
    "expires",
    "hash",
    "digest",
    "sha256",
    "checksum",
    "fingerprint",
    "version",
    "algorithm",
    "alg",
    "arn",
    "env",
    "var",
    "kind",
    "title",
    "description",
    "error",
    "color",
    "scope",
    "scopes",
    "endpoint",
    "address",
    "topic",
    "bucket",
    "table",
    "column",
    "store",
    "provider",
    "public",
    "salt",
    "mint",
];

/// A value that only a generator writes, under a name that says it is secret.
pub(super) fn generic_key(candidate: &Candidate<'_>) -> Verdict {
    if candidate.path.translation || (!candidate.quoted && !candidate.path.config) {
        return Verdict::Reject;
    }
    let key = String::from_utf8_lossy(candidate.key).to_ascii_lowercase();
    let last = key.rsplit(['_', '.', '-']).next().unwrap_or_default();
    let camel = String::from_utf8_lossy(candidate.key);
    let about = ABOUT.iter().any(|word| {
        last == *word
            || (camel.len() > word.len()
                && camel.is_char_boundary(camel.len() - word.len())
                && camel[camel.len() - word.len()..]
                    .chars()
                    .next()
                    .is_some_and(char::is_uppercase)
                && key.ends_with(word))
    });
    let other = [
        "public",
        "tokenize",
        "csrf",
        "integrity",
        "checksum",
        "digest",
        "sha256",
        "sha512",
        // Where a listing goes on, and where something is kept.
        "nexttoken",
        "next_token",
        "pagetoken",
        "page_token",
        "paginationtoken",
        "continuationtoken",
        "continuation_token",
        "synctoken",
        "sync_token",
        "cache_key",
        "cachekey",
        "cached_",
    ]
    .iter()
    .any(|part| key.contains(part));
    let secret = candidate.secret;
    let path_like = secret.starts_with(b"/")
        || secret.starts_with(b"./")
        || secret.starts_with(b"~")
        || secret.starts_with(b"sha")
        || secret.starts_with(b"--");
    let uuid = secret.len() == 36 && secret.iter().filter(|byte| **byte == b'-').count() == 4;
    keep_if(
        !about
            && !other
            && !path_like
            && !uuid
            && !candidate.comment
            && !random::is_placeholder(secret)
            && !random::is_published(secret)
            && !is_password_hash(secret)
            && random::looks_random(secret),
    )
}

/// What a password was hashed to is no password.
fn is_password_hash(value: &[u8]) -> bool {
    [
        "pbkdf2_", "pbkdf2:", "bcrypt", "argon2", "scrypt", "{ssha", "md5$", "sha1$",
    ]
    .iter()
    .any(|start| value.to_ascii_lowercase().starts_with(start.as_bytes()))
}

/// `module.database.password`: a reference, not a value.
fn is_dotted_name(value: &[u8]) -> bool {
    let name = |part: &[u8]| {
        part.first()
            .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
            && part.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    value.contains(&b'.') && value.split(|b| *b == b'.').all(name)
}

/// A password as people choose them, in a file that configures something.
pub(super) fn config_password(candidate: &Candidate<'_>) -> Verdict {
    keep_if(
        candidate.path.config
            && !candidate.path.translation
            && !candidate.comment
            && (candidate.quoted || !is_dotted_name(candidate.secret))
            && is_chosen(candidate.secret),
    )
}

/// The same, where the form of the line leaves no doubt of what it is.
pub(super) fn chosen_password(candidate: &Candidate<'_>) -> Verdict {
    keep_if(!candidate.comment && is_chosen(candidate.secret))
}

/// The same in the midst of code, where only what no name looks like is believed.
pub(super) fn source_password(candidate: &Candidate<'_>) -> Verdict {
    let secret = candidate.secret;
    let strange = |byte: &u8| byte.is_ascii_punctuation() && !b"_-.:/%=".contains(byte);
    let in_place = !candidate.comment && !candidate.path.translation;
    let strong = secret.iter().any(strange)
        && secret.iter().any(u8::is_ascii_digit)
        && secret.iter().any(u8::is_ascii_alphabetic);
    keep_if(in_place && strong && is_chosen(secret))
}

/// A header that is not there to show what such headers look like.
pub(super) fn authorization(candidate: &Candidate<'_>) -> Verdict {
    if candidate.comment || random::is_published(candidate.secret) {
        return Verdict::Reject;
    }
    if candidate.scheme.eq_ignore_ascii_case(b"basic") {
        return basic_auth(candidate);
    }
    mixed(candidate)
}

/// The base 64 of `user:password`.
pub(super) fn basic_auth(candidate: &Candidate<'_>) -> Verdict {
    let Ok(pair) = LENIENT.decode(candidate.secret) else {
        return Verdict::Reject;
    };
    let printable = pair.iter().all(u8::is_ascii_graphic);
    let password = pair
        .iter()
        .position(|byte| *byte == b':')
        .map(|at| &pair[at + 1..]);
    match password {
        Some(password) if printable && password.len() >= 6 => {
            keep_if(!random::is_placeholder(password) && random::classes(password) >= 2)
        }
        _ => Verdict::Reject,
    }
}

/// Whether somebody may have chosen this as a password: neither code nor a word nor a stand-in.
fn is_chosen(secret: &[u8]) -> bool {
    let code = secret.iter().any(|byte| {
        matches!(
            byte,
            b'(' | b')'
                | b'{'
                | b'}'
                | b'<'
                | b'>'
                | b'['
                | b']'
                | b'|'
                | b';'
                | b','
                | b'\\'
                | b'`'
                | b'/'
        )
    }) || secret
        .windows(2)
        .any(|pair| pair == b"::" || pair == b"->" || pair == b"=>");
    let digits = secret.iter().any(u8::is_ascii_digit);
    let symbols = secret
        .iter()
        .any(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-' | b'.' | b':'));
    // Words joined by dots, dashes or underscores are names; a digit alone proves little.
    let chosen = digits && (symbols || random::classes(secret) >= 3);
    !code
        && chosen
        && !random::is_placeholder(secret)
        && !random::is_published(secret)
        && !is_password_hash(secret)
        && !secret.to_ascii_lowercase().starts_with(b"http")
}
