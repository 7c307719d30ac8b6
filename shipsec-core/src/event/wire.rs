//! Events as JSON, in both directions.

use std::{borrow::Cow, cell::RefCell, collections::BTreeMap, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _},
    ser::SerializeMap,
};
use serde_json::{Map, Value as Json};

use super::{
    CompletedPayload, ComponentRef, Event, EventKind, Level, MaskNote, NodeRef, OutputNotes,
    Outputs, Record, StartedPayload, Timestamp, UnknownPayload, ValueRef,
};
use crate::{
    ComponentId, NodeId, PortId, RunId, SecretName, component::PortValues, pointer, schedule::Join,
    value::Value,
};

impl EventKind {
    /// The `type` on the wire.
    pub fn type_name(&self) -> &str {
        match self {
            Self::WorkflowStatus(_) => "WORKFLOW_STATUS",
            Self::NodeStarted(_) => "NODE_STARTED",
            Self::NodeLog(_) => "NODE_LOG",
            Self::NodeProgress(_) => "NODE_PROGRESS",
            Self::NodeArtifact(_) => "NODE_ARTIFACT",
            Self::NodeAwaitingInput(_) => "NODE_AWAITING_INPUT",
            Self::NodeCompleted(_) => "NODE_COMPLETED",
            Self::NodeFailed(_) => "NODE_FAILED",
            Self::NodeSkipped(_) => "NODE_SKIPPED",
            Self::NodeCancelled(_) => "NODE_CANCELLED",
            Self::Unknown(unknown) => &unknown.event_type,
        }
    }

    /// Whether it is a fact, which is never dropped; logs and progress are observations.
    pub fn is_fact(&self) -> bool {
        !matches!(self, Self::NodeLog(_) | Self::NodeProgress(_))
    }

    /// Reads a payload of the given type. A type that is not known, and a payload of a known type
    /// that does not fit it, is kept as it came in [`EventKind::Unknown`]. Fields inside a payload
    /// that this version does not know are put into `extra`, the [`Record::extra`] of the event.
    ///
    /// # Errors
    ///
    /// The payload is no JSON, or is nested deeper than 256 levels.
    pub fn from_wire(
        event_type: &str,
        payload: &str,
        extra: &mut Option<Box<Map<String, Json>>>,
    ) -> serde_json::Result<Self> {
        let mut unknown = Map::new();
        let keep = &mut unknown;
        let known = match event_type {
            "WORKFLOW_STATUS" => read(payload, keep).map(Self::WorkflowStatus),
            "NODE_STARTED" => read(payload, keep).map(Self::NodeStarted),
            "NODE_LOG" => read(payload, keep).map(Self::NodeLog),
            "NODE_PROGRESS" => read(payload, keep).map(Self::NodeProgress),
            "NODE_ARTIFACT" => read(payload, keep).map(Self::NodeArtifact),
            "NODE_AWAITING_INPUT" => read(payload, keep).map(Self::NodeAwaitingInput),
            "NODE_COMPLETED" => read(payload, keep).map(Self::NodeCompleted),
            "NODE_FAILED" => read(payload, keep).map(Self::NodeFailed),
            "NODE_SKIPPED" => read(payload, keep).map(Self::NodeSkipped),
            "NODE_CANCELLED" => read(payload, keep).map(Self::NodeCancelled),
            _ => return Self::kept(event_type, payload),
        };
        let Ok(known) = known else {
            return Self::kept(event_type, payload);
        };
        if !unknown.is_empty() {
            let extra = extra.get_or_insert_default();
            match extra.get_mut(PAYLOAD) {
                Some(Json::Object(kept)) => kept.extend(unknown),
                _ => {
                    extra.insert(PAYLOAD.to_owned(), Json::Object(unknown));
                }
            }
        }
        Ok(known)
    }

    fn kept(event_type: &str, payload: &str) -> serde_json::Result<Self> {
        Ok(Self::Unknown(Box::new(UnknownPayload {
            event_type: event_type.to_owned(),
            payload: deep(payload, |reader| Json::deserialize(reader))?,
        })))
    }
}

/// Where [`Record::extra`] keeps what is unknown inside the payload.
const PAYLOAD: &str = "payload";
/// Where it keeps a level that is not known.
const LEVEL: &str = "level";

type Reader<'a> = serde_json::Deserializer<serde_json::de::StrRead<'a>>;

/// Reads JSON that may be nested deeper than `serde_json` allows by itself: a value of as many
/// levels as it allows stands some levels deep in an event.
fn deep<'a, T>(
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
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Reads a payload, and keeps what its type does not know by its place.
fn read<T: DeserializeOwned>(
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
fn with_unknown<E: serde::ser::Error>(
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

impl Serialize for EventKind {
    /// The payload alone; the type stands beside it in the event.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::WorkflowStatus(payload) => payload.serialize(serializer),
            Self::NodeStarted(payload) => payload.serialize(serializer),
            Self::NodeLog(payload) => payload.serialize(serializer),
            Self::NodeProgress(payload) => payload.serialize(serializer),
            Self::NodeArtifact(payload) => payload.serialize(serializer),
            Self::NodeAwaitingInput(payload) => payload.serialize(serializer),
            Self::NodeCompleted(payload) => payload.serialize(serializer),
            Self::NodeFailed(payload) => payload.serialize(serializer),
            Self::NodeSkipped(payload) => payload.serialize(serializer),
            Self::NodeCancelled(payload) => payload.serialize(serializer),
            Self::Unknown(unknown) => unknown.payload.serialize(serializer),
        }
    }
}

struct Values<'a>(&'a Outputs);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputsOut<'a> {
    outputs: Values<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_refs: Option<&'a BTreeMap<PortId, ValueRef>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_outputs: Option<&'a BTreeMap<PortId, Option<SecretName>>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    masked: &'a [MaskNote],
}

impl<'a> From<&'a Outputs> for OutputsOut<'a> {
    fn from(outputs: &'a Outputs) -> Self {
        let notes = outputs.notes.as_deref();
        Self {
            outputs: Values(outputs),
            output_refs: notes
                .map(|notes| &notes.refs)
                .filter(|refs| !refs.is_empty()),
            secret_outputs: notes
                .map(|notes| &notes.secrets)
                .filter(|names| !names.is_empty()),
            masked: notes
                .map(|notes| notes.masked.as_slice())
                .unwrap_or_default(),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OutputsIn {
    #[serde(default)]
    outputs: BTreeMap<PortId, Json>,
    #[serde(default)]
    output_refs: BTreeMap<PortId, ValueRef>,
    #[serde(default)]
    secret_outputs: BTreeMap<PortId, Option<SecretName>>,
    #[serde(default)]
    masked: Vec<MaskNote>,
}

impl From<OutputsIn> for Outputs {
    fn from(wire: OutputsIn) -> Self {
        let notes = OutputNotes {
            refs: wire.output_refs,
            secrets: wire.secret_outputs,
            masked: wire.masked,
        };
        Self {
            ports: wire.outputs.keys().cloned().collect(),
            values: wire
                .outputs
                .into_values()
                .map(|json| Some(Value::from(json)))
                .collect::<PortValues>(),
            notes: (notes != OutputNotes::default()).then(|| Box::new(notes)),
        }
    }
}

impl Serialize for Outputs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        OutputsOut::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Outputs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        OutputsIn::deserialize(deserializer).map(Self::from)
    }
}

impl JsonSchema for Outputs {
    fn schema_name() -> Cow<'static, str> {
        "Outputs".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        OutputsIn::json_schema(generator)
    }
}

impl Serialize for CompletedPayload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Out<'a> {
            #[serde(flatten)]
            outputs: OutputsOut<'a>,
            #[serde(skip_serializing_if = "Option::is_none")]
            active_ports: &'a Option<Box<[PortId]>>,
            duration_ms: f64,
        }
        Out {
            outputs: OutputsOut::from(&*self.outputs),
            active_ports: &self.active_ports,
            duration_ms: self.duration_ms,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CompletedPayload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct In {
            #[serde(default)]
            outputs: BTreeMap<PortId, Json>,
            #[serde(default)]
            output_refs: BTreeMap<PortId, ValueRef>,
            #[serde(default)]
            secret_outputs: BTreeMap<PortId, Option<SecretName>>,
            #[serde(default)]
            masked: Vec<MaskNote>,
            active_ports: Option<Box<[PortId]>>,
            duration_ms: f64,
        }
        let wire = In::deserialize(deserializer)?;
        let outputs = OutputsIn {
            outputs: wire.outputs,
            output_refs: wire.output_refs,
            secret_outputs: wire.secret_outputs,
            masked: wire.masked,
        };
        Ok(Self {
            outputs: Arc::new(outputs.into()),
            active_ports: wire.active_ports,
            duration_ms: wire.duration_ms,
        })
    }
}

impl<'de> Deserialize<'de> for StartedPayload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Field by field: a flattened struct would swallow what is not known.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct In {
            component_id: ComponentId,
            component_version: Arc<str>,
            #[serde(default)]
            triggered_by: Option<NodeId>,
            join_strategy: Join,
        }
        let wire = In::deserialize(deserializer)?;
        Ok(Self {
            component: Arc::new(ComponentRef {
                component_id: wire.component_id,
                component_version: wire.component_version,
            }),
            triggered_by: wire.triggered_by,
            join_strategy: wire.join_strategy,
        })
    }
}

impl Event {
    /// Reads an event from JSON. Unlike serde_json by itself it reads all that is written: an event
    /// holds a value of any depth that a component can have read some levels deep.
    ///
    /// # Errors
    ///
    /// The text is no event, or is nested deeper than 256 levels.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        deep(text, |reader| Self::deserialize(reader))
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &format_args!("{}:{}", self.run_id, self.sequence))?;
        map.serialize_entry("runId", &self.run_id)?;
        map.serialize_entry("sequence", &self.sequence)?;
        map.serialize_entry("type", self.kind.type_name())?;
        let extra = self.extra.as_deref();
        match extra.and_then(|extra| extra.get(LEVEL)) {
            Some(level) => map.serialize_entry("level", level)?,
            None => map.serialize_entry("level", &self.level)?,
        }
        map.serialize_entry("timestamp", &self.timestamp)?;
        if let Some(node) = &self.node {
            map.serialize_entry("nodeId", &node.id)?;
        }
        if self.attempt > 0 {
            map.serialize_entry("attempt", &self.attempt)?;
        }
        map.serialize_entry("counter", &self.counter)?;
        if let Some(message) = &self.message {
            map.serialize_entry("message", message)?;
        }
        match extra.and_then(|extra| extra.get(PAYLOAD)) {
            Some(Json::Object(unknown)) => {
                map.serialize_entry("payload", &with_unknown(&self.kind, unknown)?)?;
            }
            _ => map.serialize_entry("payload", &self.kind)?,
        }
        let fields = extra.into_iter().flatten();
        for (key, value) in fields.filter(|(key, _)| *key != PAYLOAD && *key != LEVEL) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EventIn {
    run_id: RunId,
    sequence: u64,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default)]
    #[schemars(with = "Level")]
    level: Option<String>,
    timestamp: Timestamp,
    node_id: Option<NodeId>,
    #[serde(default)]
    attempt: u32,
    #[serde(default)]
    counter: u32,
    message: Option<Arc<str>>,
    #[serde(default)]
    payload: Json,
    #[serde(flatten)]
    extra: Map<String, Json>,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut wire = EventIn::deserialize(deserializer)?;
        wire.extra.remove("id");
        let mut level = Level::default();
        if let Some(name) = wire.level {
            match Level::from_wire(&name) {
                Some(known) => level = known,
                None => {
                    wire.extra.insert(LEVEL.to_owned(), name.into());
                }
            }
        }
        let mut extra = (!wire.extra.is_empty()).then(|| Box::new(wire.extra));
        let payload = wire.payload.to_string();
        let kind = EventKind::from_wire(&wire.event_type, &payload, &mut extra)
            .map_err(|error| D::Error::custom(format!("{} payload: {error}", wire.event_type)))?;
        Ok(Self {
            run_id: wire.run_id,
            sequence: wire.sequence,
            record: Record {
                timestamp: wire.timestamp,
                node: wire.node_id.map(NodeRef::new),
                attempt: wire.attempt,
                counter: wire.counter,
                level,
                message: wire.message,
                kind,
                extra,
            },
        })
    }
}

impl JsonSchema for Event {
    fn schema_name() -> Cow<'static, str> {
        "Event".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        EventIn::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_newer_writer_says_is_kept_as_it_came() {
        let payloads = [
            ("NODE_DANCED", json!({"x": [1, null]})),
            (
                "WORKFLOW_STATUS",
                json!({"status": "PAUSED", "by": "somebody"}),
            ),
            (
                "NODE_SKIPPED",
                json!({"reason": "out-of-budget", "cause": "n"}),
            ),
        ];
        for (event_type, payload) in payloads {
            let wire = json!({
                "id": "r:1", "runId": "r", "sequence": 1, "type": event_type, "level": "info",
                "timestamp": "2025-10-16T09:12:03.123456Z", "nodeId": "n", "attempt": 1,
                "counter": 1, "payload": payload, "mood": "good",
            });
            let event: Event = serde_json::from_value(wire.clone()).unwrap();
            assert!(matches!(&event.kind, EventKind::Unknown(_)), "{event_type}");
            assert_eq!(serde_json::to_value(&event).unwrap(), wire);
        }
        assert!(EventKind::from_wire("NODE_LOG", "{", &mut None).is_err());
    }

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
