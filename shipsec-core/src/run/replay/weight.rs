//! What an event costs to read again, by the small event.

use serde_json::Value as Json;

use crate::{
    event::{Event, EventKind},
    value::Value,
};

/// JSON values that take as long to read as a small event.
const VALUES: usize = 8;

/// Bytes of text that take as long to read as one JSON value.
const BYTES: usize = 64;

/// The weight of an event; that of a small one is 1.
pub(super) fn weight(event: &Event) -> usize {
    let payload = match &event.kind {
        EventKind::NodeCompleted(payload) => payload.outputs.iter().map(|(_, v)| of(v)).sum(),
        EventKind::NodeLog(payload) => payload.fields.values().map(json).sum(),
        EventKind::Unknown(payload) => json(&payload.payload),
        _ => 0,
    };
    let message = event
        .message
        .as_deref()
        .map_or(0, |text| text.len() / BYTES);
    1 + (payload + message) / VALUES
}

/// A value that its producer left as it was is not read again.
fn of(value: &Value) -> usize {
    value.get::<Json>().map_or(0, json)
}

fn json(value: &Json) -> usize {
    1 + match value {
        Json::String(text) => text.len() / BYTES,
        Json::Array(items) => items.iter().map(json).sum(),
        Json::Object(fields) => fields.values().map(json).sum(),
        _ => 0,
    }
}
