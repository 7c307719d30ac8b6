//! Events as JSON, in both directions.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap};
use serde_json::{Map, Value as Json};

use super::{
    CompletedPayload, ComponentRef, Event, EventKind, Level, MaskNote, NodeRef, OutputNotes,
    Outputs, Record, StartedPayload, Timestamp, UnknownPayload, ValueRef,
    unknown::{LEVEL, PAYLOAD, deep, read, with_unknown},
};
use crate::{
    ComponentId, NodeId, PortId, RunId, SecretName, component::PortValues, schedule::Join,
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
            Self::NodeInputReceived(_) => "NODE_INPUT_RECEIVED",
            Self::NodeChildStarted(_) => "NODE_CHILD_STARTED",
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
            "NODE_INPUT_RECEIVED" => read(payload, keep).map(Self::NodeInputReceived),
            "NODE_CHILD_STARTED" => read(payload, keep).map(Self::NodeChildStarted),
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
            Self::NodeInputReceived(payload) => payload.serialize(serializer),
            Self::NodeChildStarted(payload) => payload.serialize(serializer),
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
            #[serde(skip_serializing_if = "Option::is_none")]
            reused_from: &'a Option<RunId>,
            duration_ms: f64,
        }
        Out {
            outputs: OutputsOut::from(&*self.outputs),
            active_ports: &self.active_ports,
            reused_from: &self.reused_from,
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
            #[serde(default)]
            reused_from: Option<RunId>,
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
            reused_from: wire.reused_from,
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
}
