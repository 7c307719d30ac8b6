//! Telling random strings from names, words and placeholders.

/// Shannon entropy in bits per byte; 0 for an empty slice.
pub(super) fn entropy(bytes: &[u8]) -> f32 {
    if bytes.is_empty() {
        return 0.0;
    }
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total = bytes.len() as f32;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = *count as f32 / total;
            -share * share.log2()
        })
        .sum()
}

/// Words that nobody's real secret contains by chance, in lower case.
const PLACEHOLDER_WORDS: &[&str] = &[
    "example",
    "sample",
    "dummy",
    "fake",
    "placeholder",
    "change",
    "your",
    "xxxx",
    "todo",
    "insert",
    "replace",
    "redacted",
    "masked",
    "foobar",
    "foo-bar",
    "foo_bar",
    "test",
    "demo",
    "mock",
    "password",
    "passwd",
    "secret",
    "token",
    "credential",
    "default",
    "value",
    "string",
    "hello",
    "hunter2",
    "notreal",
    "invalid",
    "random",
    "here",
    "enter_",
    "undefined",
    "null",
    "none",
    "letmein",
    "qwerty",
    "abcdef",
    "012345",
    "123456",
    "654321",
    "987654",
    "deadbeef",
    "cafebabe",
    "s3cr3t",
    "passw0rd",
    "p@ssw0rd",
    "....",
    "****",
    "----",
    "lorem",
    "ipsum",
];

/// Values that standards and manuals print, so that they turn up in everybody's code.
const PUBLISHED: &[&str] = &[
    // RFC 5849, OAuth 1.0.
    concat!("ad180jjd", "733klru7"),
    concat!("kkk9d7dh", "3k39sjv7"),
    concat!("nnch734d", "00sl2jdk"),
    concat!("pfkkdhi9", "sl3r4s00"),
    concat!("dpf43f3p", "2l4k3l03"),
    concat!("kd94hf93", "k423kf44"),
    concat!("hh5s93j4", "hdidpola"),
    concat!("9djdj82h", "48djs9d2"),
    // RFC 6749, OAuth 2.0.
    concat!("2YotnFZFEjr", "1zCsicMWpAA"),
    concat!("tGzv3JOkF0X", "G5Qx2TlKWIA"),
    concat!("SplxlOBeZQQ", "YbYS6WxSbIA"),
    concat!("7Fjfp0ZBr1K", "tDRbnfVdmIw"),
    concat!("czZCaGRSa3F0", "MzpnWDFmQmF0M2JW"),
    // Microsoft's storage emulator.
    concat!(
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsu",
        "Fq2UVErCz4I6tq"
    ),
];

/// Whether the value begins as one that a standard or a manual prints.
pub(super) fn is_published(value: &[u8]) -> bool {
    PUBLISHED
        .iter()
        .any(|known| value.starts_with(known.as_bytes()))
}

/// Whether a person would say that this stands in for something else.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let holds = |word: &str| lower.windows(word.len()).any(|at| at == word.as_bytes());
    PLACEHOLDER_WORDS.iter().any(|word| holds(word)) || is_monotonous(value) || is_reference(value)
}

/// Like [`is_placeholder`], for tokens whose form is strict: only what cannot be chance.
pub(super) fn is_dummy_token(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let holds = |word: &str| lower.windows(word.len()).any(|at| at == word.as_bytes());
    [
        "example",
        "xxxxx",
        "abcdef",
        "123456",
        "placeholder",
        "redacted",
        "dummy",
        "replace",
    ]
    .iter()
    .any(|word| holds(word))
        || is_monotonous(value)
}

/// Few distinct characters, or one of them many times over.
pub(super) fn is_monotonous(value: &[u8]) -> bool {
    let mut seen = [false; 256];
    let mut distinct = 0;
    let (mut run, mut longest, mut last) = (0, 0, None);
    for byte in value {
        if !seen[usize::from(*byte)] {
            seen[usize::from(*byte)] = true;
            distinct += 1;
        }
        run = if last == Some(*byte) { run + 1 } else { 1 };
        longest = longest.max(run);
        last = Some(*byte);
    }
    distinct < 5.min(value.len()) || longest >= 6
}

/// A reference to a value that is kept elsewhere: `${VAR}`, `{{ var }}`, `%(var)s`, `<var>`.
pub(super) fn is_reference(value: &[u8]) -> bool {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|p| value.starts_with(p.as_bytes()));
    let holds = |part: &str| value.windows(part.len()).any(|at| at == part.as_bytes());
    starts(&[
        "$",
        "{",
        "%",
        "<",
        "[",
        "(",
        "@",
        "!",
        "&",
        "*",
        "env.",
        "env:",
        "process.env",
        "os.environ",
        "var.",
        "vault:",
        "ref:",
        "secretref:",
    ]) || ["${", "$(", "{{", "}}", "%(", "%s", "%d", "<%", "{}", "#{"]
        .iter()
        .any(|part| holds(part))
}

/// How many of the four classes (lower, upper, digit, other) occur.
pub(super) fn classes(value: &[u8]) -> usize {
    let has = |test: fn(&u8) -> bool| usize::from(value.iter().any(test));
    has(u8::is_ascii_lowercase)
        + has(u8::is_ascii_uppercase)
        + has(u8::is_ascii_digit)
        + has(|byte| !byte.is_ascii_alphanumeric())
}

/// Whether the value looks drawn by a generator rather than thought of by a person.
///
/// Names are made of words; a random string cut where the kind of character changes falls
/// into pieces of two characters or so. Demands digits, letters and entropy besides.
pub(super) fn looks_random(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    let others = value.len() - digits - letters;
    if digits < 2 || letters < 3 || others * 4 > value.len() {
        return false;
    }
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    let needed = if hex {
        3.0
    } else {
        0.80 * (value.len().min(64) as f32).log2()
    };
    if entropy(value) < needed || (hex && value.len() < 24) {
        return false;
    }
    // Parts joined by dashes, dots or underscores are short by themselves.
    let longest = if others >= 3 { 2.3 } else { 3.0 };
    (letters + digits) as f32 / (pieces(value) as f32) < longest
}

/// Whether the value falls into so few pieces that it must be words. Of random strings of 40 characters
/// not one in 10,000 does.
pub(super) fn is_made_of_words(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let all = value.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let all = all.count();
    let longest = match all == value.len() && digits <= 2 {
        true => 3.6,
        false => 4.4,
    };
    all as f32 / pieces(value) as f32 >= longest
}

/// Into how many pieces the value falls: `[A-Z]?[a-z]+`, `[A-Z]+`, `[0-9]+`.
fn pieces(value: &[u8]) -> usize {
    #[derive(PartialEq, Clone, Copy)]
    enum Class {
        Lower,
        Upper,
        Digit,
        Other,
    }
    let class = |byte: u8| match byte {
        b'a'..=b'z' => Class::Lower,
        b'A'..=b'Z' => Class::Upper,
        b'0'..=b'9' => Class::Digit,
        _ => Class::Other,
    };
    let mut count = 0;
    let mut before = Class::Other;
    let mut run = 0;
    for byte in value {
        let now = class(*byte);
        let same = now == before || (before == Class::Upper && now == Class::Lower && run == 1);
        if now != Class::Other && !same {
            count += 1;
            run = 0;
        }
        run += 1;
        before = now;
    }
    count.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_of_known_strings() {
        assert_eq!(entropy(b""), 0.0);
        assert_eq!(entropy(b"aaaa"), 0.0);
        assert!((entropy(b"abcd") - 2.0).abs() < 1e-6);
    }

    #[test]
    fn words_are_not_random_and_random_is() {
        for name in [
            "mySecretTokenValue1",
            "user_password_field_2",
            "sha256_of_the_file",
            "com.acme.security.Token2",
            "AccessTokenV2Handler",
            "1.2.3-beta.4.build.5",
            "arn_aws_iam_role_42x",
            "some-kebab-case-name-12",
        ] {
            assert!(!looks_random(name.as_bytes()), "{name}");
        }
        for random in [
            concat!("q7Zp2Lk9Vx", "4TnB8sRw3Y"),
            concat!("9f86d081884c7d65", "9a2feaa0c55ad015"),
            concat!("k3j9x2m5q8", "w1z7v4b6n0"),
            concat!("Zk8/v1Qp+3xYt7Lm", "9sRw2BnD4hJ6gF=="),
        ] {
            assert!(looks_random(random.as_bytes()), "{random}");
        }
    }

    #[test]
    fn placeholders_are_known() {
        for value in [
            "changeme",
            "your-api-key-goes-here",
            "xxxxxxxxxxxxxxxx",
            "${DB_PASSWORD}",
            "{{ vault.key }}",
            "%(password)s",
            "<api-key>",
            "aaaaaaaabbbbbbbb",
            "1234567890abcdef",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        assert!(!is_placeholder(
            concat!("q7Zp2Lk9Vx", "4TnB8sRw3Y").as_bytes()
        ));
    }
}
