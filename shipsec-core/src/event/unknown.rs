//! What a newer writer says inside a payload: kept by its place when read, and put back when written.

use std::cell::RefCell;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value as Json};

use super::EventKind;
use crate::{pointer, value::Nesting};

/// Where [`Record::extra`](super::Record::extra) keeps what is unknown inside the payload.
pub(super) const PAYLOAD: &str = "payload";
/// Where it keeps a level that is not known.
pub(super) const LEVEL: &str = "level";

type Reader<'a> = serde_json::Deserializer<serde_json::de::StrRead<'a>>;

/// Reads JSON that may be nested deeper than `serde_json` allows by itself: a value of as many
/// levels as it allows stands some levels deep in an event.
pub(super) fn deep<'a, T>(
    text: &'a str,
    read: impl Fn(&mut Reader<'a>) -> serde_json::Result<T>,
) -> serde_json::Result<T> {
    const DEEPEST: usize = 256;
    let mut reader = Reader::from_str(text);
    let result = read(&mut reader).and_then(|value| reader.end().map(|()| value));
    match result {
        Err(error) if error.is_syntax() && (128..=DEEPEST).contains(&depth(text)) => {
            let mut reader = Reader::from_str(text);
            reader.disable_recursion_limit();
            let value = read(&mut reader)?;
            reader.end()?;
            Ok(value)
        }
        result => result,
    }
}

/// How deep JSON is nested, at most.
fn depth(text: &str) -> usize {
    let mut nesting = Nesting::default();
    nesting.take(text.as_bytes());
    nesting.deepest()
}

/// Reads a payload, and keeps what its type does not know by its place.
pub(super) fn read<T: DeserializeOwned>(
    payload: &str,
    unknown: &mut Map<String, Json>,
) -> serde_json::Result<T> {
    let ignored = RefCell::new(Vec::new());
    let value = deep(payload, |reader| {
        ignored.borrow_mut().clear();
        serde_ignored::deserialize(reader, |path| {
            ignored.borrow_mut().push(pointer::of_ignored(&path));
        })
    })?;
    let ignored = ignored.into_inner();
    if !ignored.is_empty() {
        let mut tree: Json = deep(payload, |reader| Json::deserialize(reader))?;
        for place in ignored {
            if let Some(value) = tree.pointer_mut(&place) {
                unknown.insert(place, value.take());
            }
        }
    }
    Ok(value)
}

/// A payload with what is unknown in it at its place.
pub(super) fn with_unknown<E: serde::ser::Error>(
    kind: &EventKind,
    unknown: &Map<String, Json>,
) -> Result<Json, E> {
    let mut tree = serde_json::to_value(kind).map_err(E::custom)?;
    for (place, value) in unknown {
        let Some((parent, key)) = place.rsplit_once('/') else {
            continue;
        };
        if let Some(Json::Object(fields)) = tree.pointer_mut(parent) {
            let key = key.replace("~1", "/").replace("~0", "~");
            fields.entry(key).or_insert_with(|| value.clone());
        }
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::{Event, Level};

    fn event(event_type: &str, payload: &Json) -> Json {
        json!({
            "id": "r:1", "runId": "r", "sequence": 1, "type": event_type, "level": "info",
            "timestamp": "2025-10-16T09:12:03.123456Z", "nodeId": "n", "attempt": 1,
            "counter": 1, "payload": payload,
        })
    }

    #[test]
    fn what_is_unknown_inside_a_payload_is_kept_at_its_place() {
        let definition = json!({
            "version": 1, "workflowId": "w", "title": "W", "entrypoint": {"ref": "s", "new": 1},
            "nodes": {"s/1": {"ref": "s/1", "joinStrategy": "all", "color": "red"}}, "edges": [],
            "dependencyCounts": {}, "config": {"failurePolicy": "finish", "new": {}},
            "actions": [{"ref": "s/1", "componentId": "c", "componentVersion": "1.0.0",
                "params": {"anything": [1]}, "dependsOn": [], "priority": 7,
                "retry": {"maxAttempts": 2, "jitter": 0.5}}],
        });
        let payloads = [
            (
                "WORKFLOW_STATUS",
                json!({"status": "QUEUED", "definition": definition, "a~/b": [null]}),
            ),
            (
                "NODE_STARTED",
                json!({"componentId": "c", "componentVersion": "1.0.0",
                "joinStrategy": "any", "host": {"cpu": 4}}),
            ),
            (
                "NODE_LOG",
                json!({"stream": "stdout", "fields": {"k": 1}, "encoding": "utf-8"}),
            ),
            (
                "NODE_PROGRESS",
                json!({"done": 1, "source": "tool", "rate": 1.5}),
            ),
            (
                "NODE_COMPLETED",
                json!({"outputs": {"x": {"deep": 1}}, "durationMs": 0.5,
                "outputRefs": {"y": {"location": "l", "size": 1, "sha256": "s", "new": true}}}),
            ),
            (
                "NODE_FAILED",
                json!({"error": {"kind": "ServiceError", "message": "m",
                "retryable": true, "hint": "wait"}, "willRetry": false}),
            ),
            (
                "NODE_SKIPPED",
                json!({"reason": "upstream-failed", "cause": "n", "note": "n"}),
            ),
            ("NODE_CANCELLED", json!({"reason": "asked", "by": "me"})),
        ];
        for (event_type, payload) in payloads {
            let wire = event(event_type, &payload);
            let read: Event = serde_json::from_value(wire.clone()).unwrap();
            assert!(!matches!(&read.kind, EventKind::Unknown(_)), "{event_type}");
            assert_eq!(serde_json::to_value(&read).unwrap(), wire);
            // Also when a store keeps payload and extra apart.
            let kept = serde_json::to_string(&read.kind).unwrap();
            let mut extra = read.extra.clone();
            let kind = EventKind::from_wire(event_type, &kept, &mut extra).unwrap();
            assert_eq!((&kind, &extra), (&read.kind, &read.extra));
        }
    }

    #[test]
    fn a_level_that_is_not_known_is_kept() {
        let mut wire = event("NODE_LOG", &json!({"stream": "log"}));
        wire["level"] = json!("notice");
        let read: Event = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(read.level, Level::Info);
        assert_eq!(serde_json::to_value(&read).unwrap(), wire);
    }

    #[test]
    fn values_of_any_depth_that_can_be_read_can_be_read_back() {
        let value = |depth: usize| format!("{}7{}", "[".repeat(depth), "]".repeat(depth));
        // The most that serde_json reads.
        assert!(serde_json::from_str::<Json>(&value(127)).is_ok());
        for (depth, fits) in [
            (1, true),
            (127, true),
            (250, true),
            (254, false),
            (100_000, false),
        ] {
            let payload = format!(r#"{{"outputs":{{"x":{}}},"durationMs":1.0}}"#, value(depth));
            let read = EventKind::from_wire("NODE_COMPLETED", &payload, &mut None);
            assert_eq!(read.is_ok(), depth + 2 <= 256, "{depth}");
            let text = event("NODE_COMPLETED", &json!(null)).to_string();
            let text = text.replace("null", &payload);
            let read = Event::from_json(&text);
            assert_eq!(read.is_ok(), fits, "{depth}");
            if let Ok(read) = read {
                assert!(matches!(read.kind, EventKind::NodeCompleted(_)), "{depth}");
                assert_eq!(serde_json::to_string(&read.kind).unwrap(), payload);
            }
        }
        assert_eq!(depth(r#"{"a[\"[": [{}, "]"]}"#), 3);
    }

    proptest::proptest! {
        #[test]
        fn numbers_survive(float in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL, int: i64, whole: u64) {
            let payload = json!({"outputs": {"f": float, "i": int, "u": whole}, "durationMs": float});
            let text = event("NODE_COMPLETED", &payload).to_string();
            let read = Event::from_json(&text).unwrap();
            proptest::prop_assert_eq!(serde_json::to_value(&read.kind).unwrap(), payload);
            let EventKind::NodeCompleted(read) = &read.kind else { panic!() };
            proptest::prop_assert_eq!(read.duration_ms.to_bits(), float.to_bits());
        }
    }
}
