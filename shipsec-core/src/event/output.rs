//! A node's outputs as the log holds them.

use std::{collections::BTreeMap, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{PortId, SecretName, component::PortValues, value::Value};

/// A value that is too large for an event: where artifact storage keeps its JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValueRef {
    /// Path inside artifact storage.
    pub location: String,
    /// Bytes of the JSON text.
    pub size: u64,
    /// SHA-256 of the JSON text in lower-case hex.
    pub sha256: String,
}

/// A place inside an output where a secret stood. It stands beside the value, so that no text
/// inside a value can be mistaken for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MaskNote {
    /// The output port.
    pub port: PortId,
    /// JSON Pointer (RFC 6901) to the text inside the port's value.
    pub pointer: String,
    /// Byte offset in the masked text where the mask begins.
    pub offset: usize,
    /// How the secret was written there: `plain`; `base64` or `base64url`, with `+1` or `+2` where
    /// it began at the second or third byte of a group; `hex` or `HEX`; `url`, `url-lower` (lower-case
    /// escapes), `url-unreserved` (as RFC 3986 asks), `form`; `json` or `json-slash` (`/` escaped);
    /// `number` where the value was a number; `key` where it stood in the name of a field.
    pub encoding: String,
    /// The name by which the secret source knows it.
    pub secret: Option<SecretName>,
}

/// What the values of a node's outputs do not say by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutputNotes {
    /// Ports whose value is in artifact storage.
    pub refs: BTreeMap<PortId, ValueRef>,
    /// Ports whose value is a secret, by the name that the secret source knows.
    pub secrets: BTreeMap<PortId, Option<SecretName>>,
    /// Places where a secret stood inside another value.
    pub masked: Vec<MaskNote>,
}

/// A node's outputs: a value for each port that has one, a note where the value is elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    /// The ports, in order.
    pub ports: Arc<[PortId]>,
    /// Their values, in the same order; `None` where there is none, or a note tells where it is.
    pub values: PortValues,
    /// References, secrets and masks.
    pub notes: Option<Box<OutputNotes>>,
}

impl Outputs {
    /// Outputs without notes.
    pub fn new(ports: Arc<[PortId]>, values: PortValues) -> Self {
        Self {
            ports,
            values,
            notes: None,
        }
    }

    /// The value of a port, where it is inline.
    pub fn get(&self, port: &str) -> Option<&Value> {
        self.values
            .get(self.ports.iter().position(|id| id == port)?)
    }

    /// Ports that have an inline value, with it.
    pub fn iter(&self) -> impl Iterator<Item = (&PortId, &Value)> {
        self.ports
            .iter()
            .zip(self.values.iter())
            .filter_map(|(port, value)| Some((port, value?)))
    }
}

/// A node's outputs on their way to its dependents and into the log. The value of an only port
/// goes by itself: most nodes have one, and need no [`Outputs`] then until somebody reads them.
#[derive(Debug, Clone)]
pub(crate) enum Given {
    One(Value),
    Several(Arc<Outputs>),
}

impl Given {
    /// The value of the port at `index`.
    pub(crate) fn get(&self, index: usize) -> Option<&Value> {
        match self {
            Self::One(value) => (index == 0).then_some(value),
            Self::Several(outputs) => outputs.values.get(index),
        }
    }

    /// As the log shows them, of a node with these ports.
    pub(crate) fn outputs(&self, ports: &Arc<[PortId]>) -> Arc<Outputs> {
        match self {
            Self::One(value) => {
                let values = PortValues::from_iter([Some(value.clone())]);
                Arc::new(Outputs::new(ports.clone(), values))
            }
            Self::Several(outputs) => outputs.clone(),
        }
    }
}

impl PartialEq for Outputs {
    fn eq(&self, other: &Self) -> bool {
        self.notes.as_deref().unwrap_or(&OutputNotes::default())
            == other.notes.as_deref().unwrap_or(&OutputNotes::default())
            && self.iter().collect::<BTreeMap<_, _>>().len() == other.iter().count()
            && self
                .iter()
                .all(|(port, value)| other.get(port.as_str()) == Some(value))
    }
}
