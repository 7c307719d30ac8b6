//! Running the rules over bytes.

use std::io::Read;

use aho_corasick::AhoCorasick;
use regex::bytes::{Captures, Regex, RegexBuilder};

use super::super::paths::{PathClass, classify};
use super::checks::{Candidate, Verdict};
use super::random;
use super::rules::{Kind, RULES, Rule};
use crate::contract::{Finding, Severity, fingerprint};

/// Bytes that are looked at in one go; few in tests, so that these cross many borders.
const WINDOW: usize = if cfg!(test) {
    256 * 1024
} else {
    4 * 1024 * 1024
};
/// The end of a window is looked at again with what follows it.
const OVERLAP: usize = 32 * 1024;
/// What stands before a window, so that a token's left neighbour can be seen.
const LEFT: usize = 512;
/// How far from its keyword a token may begin and end, within its line.
const REACH_BACK: usize = 384;
const REACH_ON: usize = 2048;
/// How far a block may go on after its keyword, over line ends.
const REACH_BLOCK: usize = 17 * 1024;
/// Assignments on lines longer than this are code that a machine wrote.
const MAX_ASSIGNMENT_LINE: usize = 1024;

/// Bounds of a scan.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScanOptions {
    /// Bytes of a file that are read; the rest is left and the report says so.
    pub max_file_bytes: u64,
    /// Findings that one file may give; the rest is counted.
    pub max_findings_per_file: usize,
    /// Scan lock files, minified and vendored code as well.
    pub include_vendored: bool,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            max_file_bytes: 64 * 1024 * 1024,
            max_findings_per_file: 200,
            include_vendored: false,
        }
    }
}

/// What was found in one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanReport {
    /// The findings in the order of the file.
    pub findings: Vec<Finding>,
    /// Secrets on lines that carry `shipsec:allow` or `gitleaks:allow`.
    pub allowed: u64,
    /// Whether the path was of a kind that is not scanned.
    pub skipped: bool,
    /// Bytes that were looked at.
    pub scanned_bytes: u64,
    /// What the limits left out, one line each.
    pub warnings: Vec<String>,
}

/// The compiled rules; make one and use it for every file.
///
/// # Examples
/// ```
/// use shipsec_components::source::{ScanOptions, SecretScanner};
/// let scanner = SecretScanner::new();
/// let key = concat!("token = 'ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17'");
/// let report = scanner.scan("src/main.py", key.as_bytes(), &ScanOptions::default());
/// assert_eq!(report.unwrap().findings[0].rule_id, "secret.github-token");
/// ```
#[derive(Debug)]
pub struct SecretScanner {
    keywords: AhoCorasick,
    /// The rule of each keyword of the automaton.
    owners: Vec<usize>,
    patterns: Vec<Regex>,
}

impl Default for SecretScanner {
    fn default() -> Self {
        Self::new()
    }
}

/// A match that passed its check.
struct Hit {
    start: usize,
    end: usize,
    rule: usize,
    severity: Severity,
    proven: bool,
}

/// Where a window stands in its file.
#[derive(Default, Clone, Copy)]
struct Place {
    lines: u32,
    column: u32,
}

impl Place {
    fn advance(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                self.lines = self.lines.saturating_add(1);
                self.column = 0;
            } else if byte & 0xc0 != 0x80 {
                // Continuation bytes of UTF-8 belong to the code point before.
                self.column = self.column.saturating_add(1);
            }
        }
    }
}

impl SecretScanner {
    /// Compiles the rules.
    ///
    /// # Panics
    /// Never with the rules that ship: a test compiles each of them.
    #[must_use]
    pub fn new() -> Self {
        let (mut words, mut owners) = (Vec::new(), Vec::new());
        for (index, rule) in RULES.iter().enumerate() {
            for keyword in rule.keywords {
                words.push(*keyword);
                owners.push(index);
            }
        }
        let compile = |rule: &Rule| {
            RegexBuilder::new(rule.pattern)
                .unicode(false)
                .size_limit(64 << 20)
                .build()
        };
        let patterns = RULES
            .iter()
            .map(|rule| compile(rule).unwrap_or_else(|error| panic!("rule {}: {error}", rule.id)))
            .collect();
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(words)
            .unwrap_or_else(|error| panic!("keywords of the secret rules: {error}"));
        Self {
            keywords,
            owners,
            patterns,
        }
    }

    /// Scans one file; `path` is relative to the root of the walk.
    ///
    /// Reads in windows, so that memory does not grow with the file. UTF-16 with a byte
    /// order mark is decoded; any other bytes are taken as they are.
    ///
    /// # Errors
    /// Only what reading gives.
    pub fn scan(
        &self,
        path: &str,
        content: impl Read,
        options: &ScanOptions,
    ) -> std::io::Result<ScanReport> {
        let mut report = ScanReport::default();
        let class = classify(path);
        if class.skipped && !options.include_vendored {
            report.skipped = true;
            return Ok(report);
        }
        let mut source = content.take(options.max_file_bytes.saturating_add(1));
        let mut buffer = Vec::new();
        let mut accept_from = 0;
        let mut place = Place::default();
        let mut occurrences = std::collections::HashMap::new();
        let mut left_out = 0_usize;
        loop {
            let wanted = WINDOW + OVERLAP - buffer.len().min(WINDOW);
            let got = source
                .by_ref()
                .take(wanted as u64)
                .read_to_end(&mut buffer)?;
            report.scanned_bytes += got as u64;
            let last = got < wanted;
            if report.scanned_bytes <= buffer.len() as u64
                && let Some(text) = decode_utf16(&buffer)
            {
                buffer = text;
            }
            let accept_to = if last {
                buffer.len()
            } else {
                buffer.len() - OVERLAP
            };
            let hits = self.hits(&buffer, class, accept_from, accept_to);
            for hit in hits {
                let line = line_around(&buffer, hit.start, hit.end);
                if is_allowed(&buffer[line.clone()]) {
                    report.allowed += 1;
                    continue;
                }
                if report.findings.len() >= options.max_findings_per_file {
                    left_out += 1;
                    continue;
                }
                let mut at = place;
                at.advance(&buffer[..hit.start]);
                report
                    .findings
                    .push(finding(path, &buffer, &hit, line, at, &mut occurrences));
            }
            if last {
                break;
            }
            let keep_from = accept_to - LEFT;
            place.advance(&buffer[..keep_from]);
            buffer.drain(..keep_from);
            accept_from = LEFT;
        }
        if report.scanned_bytes > options.max_file_bytes {
            report.warnings.push(format!(
                "only the first {} bytes were scanned for secrets",
                options.max_file_bytes
            ));
        }
        if left_out > 0 {
            report.warnings.push(format!(
                "{left_out} more findings in this file were left out"
            ));
        }
        Ok(report)
    }

    /// Every secret that begins in `accept_from..accept_to`, in order, none inside another.
    fn hits(
        &self,
        bytes: &[u8],
        class: PathClass,
        accept_from: usize,
        accept_to: usize,
    ) -> Vec<Hit> {
        let mut hits = Vec::new();
        // How far each rule has looked, so that near keywords share one look.
        let mut looked: Vec<usize> = vec![0; RULES.len()];
        let mut regions: Vec<(usize, usize, usize)> = Vec::new();
        let mut open: Vec<Option<usize>> = vec![None; RULES.len()];
        for found in self.keywords.find_overlapping_iter(bytes) {
            let rule = self.owners[found.pattern().as_usize()];
            let (start, end) = reach(bytes, found.start(), found.end(), RULES[rule].kind);
            if let Some(at) = open[rule]
                && regions[at].2 >= start
            {
                regions[at].2 = regions[at].2.max(end);
            } else {
                open[rule] = Some(regions.len());
                regions.push((rule, start, end));
            }
        }
        for (rule, start, end) in regions {
            let start = start.max(looked[rule]);
            if start >= end {
                continue;
            }
            looked[rule] = end;
            for captures in self.patterns[rule].captures_iter(&bytes[start..end]) {
                if let Some(hit) = examine(bytes, start, rule, &captures, class)
                    && (accept_from..accept_to).contains(&hit.start)
                {
                    hits.push(hit);
                }
            }
        }
        settle(hits)
    }
}

/// The bytes around a keyword in which its rule looks.
fn reach(bytes: &[u8], start: usize, end: usize, kind: Kind) -> (usize, usize) {
    if kind == Kind::Block {
        let back = start.saturating_sub(64);
        return (back, (end + REACH_BLOCK).min(bytes.len()));
    }
    let back = start.saturating_sub(REACH_BACK);
    let on = (end + REACH_ON).min(bytes.len());
    let from = bytes[back..start]
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(back, |at| back + at + 1);
    let to = bytes[end..on]
        .iter()
        .position(|b| *b == b'\n')
        .map_or(on, |at| end + at);
    (from, to)
}

/// Puts one match through the gates after the pattern.
fn examine(
    bytes: &[u8],
    offset: usize,
    index: usize,
    captures: &Captures<'_>,
    class: PathClass,
) -> Option<Hit> {
    let rule = &RULES[index];
    let group = |name: &str| {
        captures
            .name(name)
            .map_or(&b""[..], |found| found.as_bytes())
    };
    let secret = captures.name("secret").or_else(|| captures.name("bare"))?;
    let (start, end) = (offset + secret.start(), offset + secret.end());
    if rule.kind == Kind::Token {
        let word =
            |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let opened = rule.shown > 0 || secret.start() == captures.get(0)?.start();
        if word(bytes.get(end)) || (opened && start > 0 && word(bytes.get(start - 1))) {
            return None;
        }
    }
    if rule.entropy > 0.0 && random::entropy(secret.as_bytes()) < rule.entropy {
        return None;
    }
    let line = line_around(bytes, start, start);
    if rule.kind == Kind::Assignment && line.len() > MAX_ASSIGNMENT_LINE {
        return None;
    }
    let comment = is_comment(&bytes[line]);
    let candidate = Candidate {
        secret: secret.as_bytes(),
        key: group("key"),
        scheme: group("scheme"),
        user: group("user"),
        host: group("host"),
        tail: group("tail"),
        quoted: !group("quote").is_empty(),
        comment,
        path: class,
    };
    let verdict = (rule.check)(&candidate);
    let severity = match verdict {
        Verdict::Reject => return None,
        Verdict::KeepAt(severity) => severity,
        Verdict::Keep | Verdict::Proven => rule.severity,
    };
    // In a test or a manual most "secrets" were made up for the purpose.
    let secondary = class.secondary || (class.rust && follows_test_module(&bytes[..start]));
    let steps = match (secondary, verdict, rule.kind) {
        (false, ..) => 0,
        (true, Verdict::Proven, Kind::Token) => 1,
        (true, _, Kind::Token | Kind::Assignment) => 2,
        (true, _, Kind::Block) => 3,
    };
    let proven = verdict == Verdict::Proven;
    Some(Hit {
        start,
        end,
        rule: index,
        severity: severity.lowered(steps),
        proven,
    })
}

/// Drops what lies inside or over another hit: strict rules win over assignments, then the
/// one that begins first, then the longer.
fn settle(mut hits: Vec<Hit>) -> Vec<Hit> {
    let rank = |hit: &Hit| (RULES[hit.rule].kind == Kind::Assignment, !hit.proven);
    hits.sort_by_key(|hit| (rank(hit), hit.start, usize::MAX - hit.end, hit.rule));
    let mut kept: std::collections::BTreeMap<usize, Hit> = std::collections::BTreeMap::new();
    for hit in hits {
        let before = kept.range(..hit.end).next_back();
        if before.is_none_or(|(_, other)| other.end <= hit.start) {
            kept.insert(hit.start, hit);
        }
    }
    kept.into_values().collect()
}

/// The line that holds the range, without its end; at most 4 KiB to either side.
fn line_around(bytes: &[u8], start: usize, end: usize) -> std::ops::Range<usize> {
    let back = start.saturating_sub(4096);
    let on = (end + 4096).min(bytes.len());
    let from = bytes[back..start]
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(back, |at| back + at + 1);
    let to = bytes[end..on]
        .iter()
        .position(|b| *b == b'\n')
        .map_or(on, |at| end + at);
    from..to
}

/// Whether a Rust file's test module has begun; by custom it is the last item.
fn follows_test_module(before: &[u8]) -> bool {
    const MARK: &[u8] = b"#[cfg(test)]";
    before.windows(MARK.len()).any(|at| at == MARK)
}

fn is_allowed(line: &[u8]) -> bool {
    let holds = |mark: &[u8]| line.windows(mark.len()).any(|at| at == mark);
    holds(b"shipsec:allow") || holds(b"gitleaks:allow")
}

fn is_comment(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    [&b"//"[..], b"#", b"/*", b"* ", b"--", b";", b"<!--", b"%"]
        .iter()
        .any(|m| line.starts_with(m))
}

fn decode_utf16(bytes: &[u8]) -> Option<Vec<u8>> {
    let unit: fn([u8; 2]) -> u16 = match bytes.get(..2)? {
        [0xff, 0xfe] => u16::from_le_bytes,
        [0xfe, 0xff] => u16::from_be_bytes,
        _ => return None,
    };
    let units = bytes[2..]
        .chunks_exact(2)
        .map(|pair| unit([pair[0], pair[1]]));
    Some(String::from_utf16_lossy(&units.collect::<Vec<_>>()).into_bytes())
}

fn finding(
    path: &str,
    bytes: &[u8],
    hit: &Hit,
    line: std::ops::Range<usize>,
    at: Place,
    occurrences: &mut std::collections::HashMap<String, u32>,
) -> Finding {
    let rule = &RULES[hit.rule];
    let secret = &bytes[hit.start..hit.end];
    // A long random secret cannot be found again from its hash; a password could be, so
    // there the line around it stands in for it.
    let holds_password = matches!(
        rule.id,
        "secret.url-password" | "secret.docker-auth" | "secret.authorization-header"
    );
    let identity = if rule.kind == Kind::Assignment || holds_password {
        let masked = [
            &bytes[line.start..hit.start],
            b"*",
            &bytes[hit.end..line.end],
        ]
        .concat();
        fingerprint(&[
            b"shipsec.secret.v1",
            rule.id.as_bytes(),
            path.as_bytes(),
            &masked,
        ])
    } else {
        fingerprint(&[
            b"shipsec.secret.v1",
            rule.id.as_bytes(),
            path.as_bytes(),
            secret,
        ])
    };
    let times = occurrences.entry(identity.clone()).or_insert(0);
    *times += 1;
    let identity = match *times {
        1 => identity,
        n => fingerprint(&[identity.as_bytes(), &n.to_le_bytes()]),
    };
    let advice = if rule.kind == Kind::Block {
        "Replace the key pair, then remove the key from the file and its history"
    } else {
        "Revoke it where it was issued, then remove it from the file and its history"
    };
    let sure = if hit.proven {
        ", confirmed by its checksum or content"
    } else {
        ""
    };
    Finding {
        rule_id: rule.id.to_owned(),
        title: rule.title.to_owned(),
        severity: hit.severity,
        path: path.to_owned(),
        line: Some(at.lines.saturating_add(1)),
        column: Some(at.column.saturating_add(1)),
        message: format!("{}{sure}. {advice}.", rule.title),
        fingerprint: identity,
        preview: Some(preview(rule, secret)),
        package: None,
        aliases: Vec::new(),
        help_uri: Some(rule.source.to_owned()),
    }
}

/// The fixed prefix that everybody's token has, then stars and a length.
fn preview(rule: &Rule, secret: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&secret[..rule.shown.min(secret.len())]);
    format!("{shown}**** ({} characters)", secret.len())
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "rules_tests.rs"]
mod rules_tests;
