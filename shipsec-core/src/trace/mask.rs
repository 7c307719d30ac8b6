//! The one place where secrets are masked, before anything is recorded.

use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{Engine, engine::general_purpose};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;

use crate::{PortId, SecretName, event::MaskNote};

/// What stands where a secret stood.
pub(crate) const MASK: &str = "***";

/// The encodings of a secret as it is, of one that came as a number, and of one in the name of a
/// field.
const PLAIN: &str = "plain";
const NUMBER: &str = "number";
const KEY: &str = "key";

/// Secrets shorter than this are masked as they are, not in their encodings, which would be too
/// short to mean anything.
const LEAST_ENCODED: usize = 4;

/// Knows the secret values that a run has resolved, and masks them: as they are, and in base64,
/// hex, URL-encoded and JSON-escaped form.
#[derive(Default)]
pub(crate) struct Masker {
    knows: AtomicBool,
    state: RwLock<Arc<State>>,
}

#[derive(Default)]
struct State {
    secrets: Vec<(Option<SecretName>, String)>,
    patterns: Vec<(Vec<u8>, &'static str, usize)>,
    automaton: Option<AhoCorasick>,
    longest: usize,
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masker").finish_non_exhaustive()
    }
}

impl Masker {
    /// From now on masks this value.
    pub(crate) fn learn(&self, name: Option<&SecretName>, value: &str) {
        if value.is_empty() {
            return;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.secrets.iter().any(|(_, known)| known == value) {
            return;
        }
        let mut secrets = state.secrets.clone();
        secrets.push((name.cloned(), value.to_owned()));
        *state = Arc::new(State::new(secrets));
        self.knows.store(true, Ordering::Release);
    }

    fn state(&self) -> Option<Arc<State>> {
        // Most runs have no secrets: they pay for one load.
        self.knows.load(Ordering::Acquire).then(|| {
            self.state
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        })
    }

    /// Whether there is nothing to mask.
    pub(crate) fn is_idle(&self) -> bool {
        !self.knows.load(Ordering::Acquire)
    }

    /// The text with every secret masked; `None` where there is none in it.
    pub(crate) fn text(&self, text: &str) -> Option<String> {
        self.state()?.text(text, |_, _| {})
    }

    /// Masks every text inside a tree, keys too. Whether anything was masked.
    pub(crate) fn json(&self, tree: &mut Json) -> bool {
        let Some(state) = self.state() else {
            return false;
        };
        let mut masked = false;
        state.tree(tree, &mut String::new(), &mut |_, _, _, _| masked = true);
        masked
    }

    /// Masks the value of an output port and notes where and what.
    pub(crate) fn output(&self, port: &PortId, tree: &mut Json) -> Vec<MaskNote> {
        let Some(state) = self.state() else {
            return Vec::new();
        };
        let mut notes = Vec::new();
        state.tree(
            tree,
            &mut String::new(),
            &mut |pointer, offset, pattern, place| {
                let (_, encoding, secret) = &state.patterns[pattern];
                notes.push(MaskNote {
                    port: port.clone(),
                    pointer: pointer.to_owned(),
                    offset,
                    encoding: place.unwrap_or(encoding).to_owned(),
                    secret: state.secrets[*secret].0.clone(),
                });
            },
        );
        notes
    }

    /// Masks bytes that come piece by piece.
    pub(crate) fn stream(&self) -> StreamMask {
        StreamMask {
            state: self.state(),
            carry: Vec::new(),
        }
    }
}

/// Is told of a place where a secret stood.
type Note<'a> = dyn FnMut(&str, usize, usize, Option<&'static str>) + 'a;

impl State {
    fn new(secrets: Vec<(Option<SecretName>, String)>) -> Self {
        let mut patterns: Vec<(Vec<u8>, &'static str, usize)> = Vec::new();
        for (index, (_, value)) in secrets.iter().enumerate() {
            for (text, encoding) in encodings(value) {
                if !text.is_empty() && !patterns.iter().any(|(known, ..)| *known == text) {
                    patterns.push((text, encoding, index));
                }
            }
        }
        let longest = patterns
            .iter()
            .map(|(text, ..)| text.len())
            .max()
            .unwrap_or(0);
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(patterns.iter().map(|(text, ..)| text))
            .ok();
        Self {
            secrets,
            patterns,
            automaton,
            longest,
        }
    }

    fn text(&self, text: &str, mut note: impl FnMut(usize, usize)) -> Option<String> {
        let automaton = self.automaton.as_ref()?;
        let mut masked: Option<String> = None;
        let mut end = 0;
        for found in automaton.find_iter(text) {
            let out = masked.get_or_insert_with(|| String::with_capacity(text.len()));
            out.push_str(&text[end..found.start()]);
            note(out.len(), found.pattern().as_usize());
            out.push_str(MASK);
            end = found.end();
        }
        let mut out = masked?;
        out.push_str(&text[end..]);
        Some(out)
    }

    /// `note` is told the pointer, the offset in the masked text, the pattern, and what it was
    /// where it was not in a text.
    fn tree(&self, tree: &mut Json, pointer: &mut String, note: &mut Note<'_>) {
        match tree {
            Json::String(text) => {
                if let Some(masked) =
                    self.text(text, |offset, pattern| note(pointer, offset, pattern, None))
                {
                    *text = masked;
                }
            }
            Json::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    let length = pointer.len();
                    pointer.push_str(&format!("/{index}"));
                    self.tree(item, pointer, note);
                    pointer.truncate(length);
                }
            }
            Json::Object(fields) => {
                let secret_keys: Vec<_> = fields
                    .keys()
                    .filter_map(|key| Some((key.clone(), self.text(key, |_, _| {})?)))
                    .collect();
                for (key, masked) in secret_keys {
                    self.text(&key, |offset, pattern| {
                        note(pointer, offset, pattern, Some(KEY))
                    });
                    if let Some(value) = fields.remove(&key) {
                        fields.insert(masked, value);
                    }
                }
                for (key, item) in fields.iter_mut() {
                    let length = pointer.len();
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                    self.tree(item, pointer, note);
                    pointer.truncate(length);
                }
            }
            Json::Number(number) => {
                // A secret of digits may come back as a number.
                let text = number.to_string();
                if self.secrets.iter().any(|(_, value)| *value == text) {
                    self.text(&text, |offset, pattern| {
                        note(pointer, offset, pattern, Some(NUMBER));
                    });
                    *tree = Json::String(MASK.to_owned());
                }
            }
            Json::Null | Json::Bool(_) => {}
        }
    }
}

/// What a value looks like in each encoding, with the encoding's name in [`MaskNote::encoding`].
fn encodings(value: &str) -> Vec<(Vec<u8>, &'static str)> {
    let mut all = vec![(value.as_bytes().to_vec(), PLAIN)];
    if value.len() < LEAST_ENCODED {
        return all;
    }
    let mut add = |text: &[u8], encoding| all.push((text.to_vec(), encoding));
    const SHIFTS: [(&str, &str); 3] = [
        ("base64", "base64url"),
        ("base64+1", "base64url+1"),
        ("base64+2", "base64url+2"),
    ];
    for (shift, (standard, url_safe)) in SHIFTS.into_iter().enumerate() {
        let inside = base64_inside(&general_purpose::STANDARD_NO_PAD, value, shift);
        add(&inside, standard);
        let inside = base64_inside(&general_purpose::URL_SAFE_NO_PAD, value, shift);
        add(&inside, url_safe);
    }
    add(hex::encode(value).as_bytes(), "hex");
    add(hex::encode_upper(value).as_bytes(), "HEX");
    let url = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    add(url.as_bytes(), "url");
    add(lower_escapes(&url).as_bytes(), "url-lower");
    // What a URL library leaves alone: RFC 3986's unreserved characters, and a form's "+".
    const UNRESERVED: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    let gentle = utf8_percent_encode(value, UNRESERVED).to_string();
    add(gentle.as_bytes(), "url-unreserved");
    add(gentle.replace("%20", "+").as_bytes(), "form");
    let escaped = Json::String(value.to_owned()).to_string();
    let inside = &escaped[1..escaped.len() - 1];
    add(inside.as_bytes(), "json");
    add(inside.replace('/', "\\/").as_bytes(), "json-slash");
    all
}

/// Puts secrets back to where notes of [`Masker::output`] say that they stood, in the value of one
/// port.
///
/// # Errors
///
/// A sentence about the first note that cannot be followed.
pub(crate) fn unmask(
    tree: &mut Json,
    notes: &[&MaskNote],
    secret: impl Fn(&SecretName) -> Option<String>,
) -> Result<(), String> {
    // From the end of a text to its beginning: what comes before a place keeps its offset.
    let mut notes = notes.to_vec();
    notes.sort_by(|a, b| (&a.pointer, b.offset).cmp(&(&b.pointer, a.offset)));
    for note in notes {
        let at = &note.pointer;
        let name = note.secret.as_ref().ok_or_else(|| {
            format!("the secret that stood at {at:?} has no name in a secret source")
        })?;
        let value = secret(name).ok_or_else(|| format!("secret {name} was not resolved"))?;
        let place = tree
            .pointer_mut(at)
            .ok_or_else(|| format!("there is nothing at {at:?}, where secret {name} stood"))?;
        if note.encoding == NUMBER {
            let number = value.parse().map_err(|_| {
                format!("secret {name} stood at {at:?} as a number, and is none any more")
            })?;
            *place = Json::Number(number);
            continue;
        }
        let text = encodings(&value)
            .into_iter()
            .find(|(_, encoding)| *encoding == note.encoding)
            .and_then(|(text, _)| String::from_utf8(text).ok())
            .ok_or_else(|| {
                let encoding = &note.encoding;
                format!("secret {name} stood at {at:?} as {encoding}, which cannot be restored")
            })?;
        let end = note.offset + MASK.len();
        match place {
            Json::String(masked) if masked.get(note.offset..end) == Some(MASK) => {
                masked.replace_range(note.offset..end, &text);
            }
            _ => {
                return Err(format!(
                    "no mask stands at {at:?}, where secret {name} stood"
                ));
            }
        }
    }
    Ok(())
}

/// What of a value's base64 is the same whatever stands around it: three shifts of the value
/// within base64's groups of three bytes, less the characters that also encode neighbours.
fn base64_inside(engine: &impl Engine, value: &str, shift: usize) -> Vec<u8> {
    let mut bytes = vec![0; shift];
    bytes.extend_from_slice(value.as_bytes());
    let whole = bytes.len() * 8 / 6;
    let text = engine.encode(&bytes);
    let start = (shift * 8).div_ceil(6);
    text.as_bytes()
        .get(start..whole)
        .unwrap_or_default()
        .to_vec()
}

fn lower_escapes(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    let mut left = 0;
    for c in url.chars() {
        if c == '%' {
            left = 3;
        }
        out.push(if left > 0 { c.to_ascii_lowercase() } else { c });
        left = usize::saturating_sub(left, 1);
    }
    out
}

/// Masks bytes that come piece by piece, also where a secret lies across two pieces.
pub(crate) struct StreamMask {
    state: Option<Arc<State>>,
    carry: Vec<u8>,
}

impl fmt::Debug for StreamMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamMask").finish_non_exhaustive()
    }
}

impl StreamMask {
    /// Whether there is nothing to mask.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.is_none()
    }

    /// Takes a piece; gives what can be passed on.
    pub(crate) fn push<'a>(&mut self, piece: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(state) = &self.state else {
            return Cow::Borrowed(piece);
        };
        self.carry.extend_from_slice(piece);
        // The last bytes may be the beginning of a secret that the next piece ends.
        let safe = self
            .carry
            .len()
            .saturating_sub(state.longest.saturating_sub(1));
        Cow::Owned(self.drain(safe))
    }

    /// Ends the bytes; gives the rest.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.drain(self.carry.len())
    }

    /// Passes on the first `safe` bytes, and a secret that begins in them whole.
    fn drain(&mut self, safe: usize) -> Vec<u8> {
        let Some(automaton) = self
            .state
            .as_ref()
            .and_then(|state| state.automaton.as_ref())
        else {
            return std::mem::take(&mut self.carry);
        };
        let mut out = Vec::with_capacity(safe);
        let mut end = 0;
        for found in automaton.find_iter(&self.carry) {
            if found.start() >= safe {
                break;
            }
            out.extend_from_slice(&self.carry[end..found.start()]);
            out.extend_from_slice(MASK.as_bytes());
            end = found.end();
        }
        let upto = safe.max(end);
        out.extend_from_slice(&self.carry[end..upto]);
        self.carry.drain(..upto);
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn masker(secret: &str) -> Masker {
        let masker = Masker::default();
        masker.learn(Some(&"TOKEN".into()), secret);
        masker
    }

    #[test]
    fn every_form_is_masked() {
        let secret = "made-up/Hush+42 \"x\"";
        let masker = masker(secret);
        let encode = |text: &str| general_purpose::STANDARD.encode(text);
        for text in [
            secret.to_owned(),
            encode(secret),
            encode(&format!("user:{secret}")),
            encode(&format!("u:{secret}:tail")),
            general_purpose::URL_SAFE.encode(format!("ab{secret}")),
            hex::encode(secret),
            hex::encode_upper(secret),
            utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
            json!(secret).to_string(),
        ] {
            let masked = masker
                .text(&format!("<{text}>"))
                .unwrap_or_else(|| panic!("{text}"));
            assert!(masked.contains(MASK), "{text} -> {masked}");
            // Of base64 only what the neighbours share may remain: under four characters a side.
            assert!(
                masked.len() <= text.len().min(16) + MASK.len() + 10,
                "{text} -> {masked}"
            );
        }
        assert_eq!(masker.text("nothing here"), None);
    }

    #[test]
    fn a_note_tells_where_and_which() {
        let masker = masker("made-up-hush");
        let mut tree = json!({"a/b": ["x", "Bearer made-up-hush!"], "made-up-hush": 1});
        let notes = masker.output(&"out".into(), &mut tree);
        assert_eq!(tree, json!({"a/b": ["x", "Bearer ***!"], "***": 1}));
        let places: Vec<_> = notes
            .iter()
            .map(|n| (n.pointer.as_str(), n.offset))
            .collect();
        assert_eq!(places, [("", 0), ("/a~1b/1", 7)]);
        assert!(
            notes
                .iter()
                .all(|n| n.secret.as_ref().is_some_and(|s| s == "TOKEN"))
        );
    }

    proptest! {
        #[test]
        fn a_secret_across_pieces_is_masked(
            before in "[a-z ]{0,40}", after in "[a-z ]{0,40}", cuts in prop::collection::vec(1_usize..9, 1..30)
        ) {
            let secret = "HUSH-made-up-1234";
            let masker = masker(secret);
            let whole = format!("{before}{secret}{after}");
            let mut stream = masker.stream();
            let (mut out, mut at, mut cut) = (Vec::new(), 0, 0);
            while at < whole.len() {
                let end = (at + cuts[cut % cuts.len()]).min(whole.len());
                out.extend_from_slice(&stream.push(&whole.as_bytes()[at..end]));
                (at, cut) = (end, cut + 1);
            }
            out.extend_from_slice(&stream.finish());
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("{before}{MASK}{after}"));
        }
    }
}
