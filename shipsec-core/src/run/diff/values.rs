//! Two trees of JSON, compared as data.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use serde_json::{Map, Value as Json};

use crate::workflow::canonical;

/// The fields by which an item of a list is the same as one of another list, the first that all
/// items of both have, each once.
pub const IDENTITIES: [&str; 8] = [
    "fingerprint",
    "bom-ref",
    "purl",
    "id",
    "key",
    "path",
    "url",
    "name",
];

/// Is told of each place that differs: the path, what was there, what is there.
pub(super) type Tell<'a> = dyn FnMut(&[String], Option<&Json>, Option<&Json>) + 'a;

/// Tells where two trees differ.
pub(super) fn compare(a: &Json, b: &Json, path: &mut Vec<String>, tell: &mut Tell<'_>) {
    match (a, b) {
        // A file is its content: it differs as a whole, or not at all.
        (Json::Object(before), Json::Object(after)) if is_file(before) && is_file(after) => {
            if before.get("sha256") != after.get("sha256") {
                tell(path, Some(a), Some(b));
            }
        }
        (Json::Object(a), Json::Object(b)) => objects(a, b, path, tell),
        (Json::Array(a), Json::Array(b)) => lists(a, b, path, tell),
        (a, b) if a == b => {}
        (a, b) => tell(path, Some(a), Some(b)),
    }
}

/// Whether it refers to a file in artifact storage.
fn is_file(fields: &Map<String, Json>) -> bool {
    ["sha256", "location", "size"]
        .iter()
        .all(|field| fields.contains_key(*field))
}

fn objects(
    a: &Map<String, Json>,
    b: &Map<String, Json>,
    path: &mut Vec<String>,
    tell: &mut Tell<'_>,
) {
    for (key, before) in a {
        path.push(key.clone());
        match b.get(key) {
            Some(after) => compare(before, after, path, tell),
            None => tell(path, Some(before), None),
        }
        path.pop();
    }
    for (key, after) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
        path.push(key.clone());
        tell(path, None, Some(after));
        path.pop();
    }
}

fn lists(a: &[Json], b: &[Json], path: &mut Vec<String>, tell: &mut Tell<'_>) {
    if a == b {
        return;
    }
    if let Some((key, a, b)) = identified(a, b) {
        for (id, before) in &a {
            path.push(format!("{key}={id}"));
            match b.get(id) {
                Some(after) => compare(before, after, path, tell),
                None => tell(path, Some(before), None),
            }
            path.pop();
        }
        for (id, after) in b.iter().filter(|(id, _)| !a.contains_key(*id)) {
            path.push(format!("{key}={id}"));
            tell(path, None, Some(after));
            path.pop();
        }
        return;
    }
    // What stands in both as often is there in both, wherever.
    let mut left: HashMap<Vec<u8>, i64> = HashMap::with_capacity(a.len());
    for item in a {
        *left.entry(text(item)).or_default() += 1;
    }
    let mut only_b = Vec::new();
    for (at, item) in b.iter().enumerate() {
        match left.get_mut(&text(item)) {
            Some(count) if *count > 0 => *count -= 1,
            _ => only_b.push((at, item)),
        }
    }
    let mut only_a = Vec::new();
    for (at, item) in a.iter().enumerate().rev() {
        if let Some(count) = left.get_mut(&text(item)).filter(|count| **count > 0) {
            *count -= 1;
            only_a.push((at, item));
        }
    }
    only_a.reverse();
    if only_a.is_empty() && only_b.is_empty() {
        path.push("(order)".to_owned());
        tell(
            path,
            Some(&Json::Array(a.to_vec())),
            Some(&Json::Array(b.to_vec())),
        );
        path.pop();
        return;
    }
    // Items that changed where they stand are compared in depth; others came or went.
    if only_a.len() == only_b.len() && only_a.iter().zip(&only_b).all(|(a, b)| a.0 == b.0) {
        for ((at, before), (_, after)) in only_a.into_iter().zip(only_b) {
            path.push(at.to_string());
            compare(before, after, path, tell);
            path.pop();
        }
        return;
    }
    for (at, before) in only_a {
        path.push(at.to_string());
        tell(path, Some(before), None);
        path.pop();
    }
    for (at, after) in only_b {
        path.push(at.to_string());
        tell(path, None, Some(after));
        path.pop();
    }
}

type ById<'a> = BTreeMap<String, &'a Json>;

/// The items of both lists by their identity, where they have one.
fn identified<'a>(a: &'a [Json], b: &'a [Json]) -> Option<(&'static str, ById<'a>, ById<'a>)> {
    IDENTITIES.into_iter().find_map(|key| {
        let by_id = |items: &'a [Json]| {
            let mut all = ById::new();
            for item in items {
                let id = match item.get(key)? {
                    Json::String(text) => text.clone(),
                    Json::Number(number) => number.to_string(),
                    _ => return None,
                };
                if all.insert(id, item).is_some() {
                    return None;
                }
            }
            Some(all)
        };
        Some((key, by_id(a)?, by_id(b)?))
    })
}

fn text(item: &Json) -> Vec<u8> {
    let mut text = Vec::new();
    canonical(item, &mut text);
    text
}
