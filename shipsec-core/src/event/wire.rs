//! Events as JSON, in both directions.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap};
use serde_json::{Map, Value as Json};

use super::{
    CompletedPayload, Event, EventKind, Level, MaskNote, NodeRef, OutputNotes, Outputs, Record,
    Timestamp, UnknownPayload, ValueRef,
};
use crate::{NodeId, PortId, RunId, SecretName, component::PortValues, value::Value};

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
    /// that does not fit it, is kept as it came in [`EventKind::Unknown`].
    ///
    /// # Errors
    ///
    /// The payload is no JSON.
    pub fn from_wire(event_type: &str, payload: &str) -> serde_json::Result<Self> {
        use serde_json::from_str;
        let known = match event_type {
            "WORKFLOW_STATUS" => from_str(payload).map(Self::WorkflowStatus),
            "NODE_STARTED" => from_str(payload).map(Self::NodeStarted),
            "NODE_LOG" => from_str(payload).map(Self::NodeLog),
            "NODE_PROGRESS" => from_str(payload).map(Self::NodeProgress),
            "NODE_ARTIFACT" => from_str(payload).map(Self::NodeArtifact),
            "NODE_AWAITING_INPUT" => from_str(payload).map(Self::NodeAwaitingInput),
            "NODE_COMPLETED" => from_str(payload).map(Self::NodeCompleted),
            "NODE_FAILED" => from_str(payload).map(Self::NodeFailed),
            "NODE_SKIPPED" => from_str(payload).map(Self::NodeSkipped),
            "NODE_CANCELLED" => from_str(payload).map(Self::NodeCancelled),
            _ => return Self::kept(event_type, payload),
        };
        known.or_else(|_| Self::kept(event_type, payload))
    }

    fn kept(event_type: &str, payload: &str) -> serde_json::Result<Self> {
        Ok(Self::Unknown(Box::new(UnknownPayload {
            event_type: event_type.to_owned(),
            payload: serde_json::from_str(payload)?,
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

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &format_args!("{}:{}", self.run_id, self.sequence))?;
        map.serialize_entry("runId", &self.run_id)?;
        map.serialize_entry("sequence", &self.sequence)?;
        map.serialize_entry("type", self.kind.type_name())?;
        map.serialize_entry("level", &self.level)?;
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
        map.serialize_entry("payload", &self.kind)?;
        for (key, value) in self.extra.iter().flat_map(|extra| extra.iter()) {
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
    level: Level,
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
        let kind = EventKind::from_wire(&wire.event_type, &wire.payload.to_string())
            .map_err(|error| D::Error::custom(format!("{} payload: {error}", wire.event_type)))?;
        Ok(Self {
            run_id: wire.run_id,
            sequence: wire.sequence,
            record: Record {
                timestamp: wire.timestamp,
                node: wire.node_id.map(NodeRef::new),
                attempt: wire.attempt,
                counter: wire.counter,
                level: wire.level,
                message: wire.message,
                kind,
                extra: (!wire.extra.is_empty()).then(|| Box::new(wire.extra)),
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
        assert!(EventKind::from_wire("NODE_LOG", "{").is_err());
    }
}
