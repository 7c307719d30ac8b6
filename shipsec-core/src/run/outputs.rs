//! Outputs for people and programs: values, references and secrets told apart.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::RunView;
use crate::{
    NodeId, PortId, RunId, SecretName,
    event::{MaskNote, Outputs, ValueRef, WorkflowStatus},
    value::Value,
};

/// What an output port holds. The kind stands beside the value, so that no value can be mistaken
/// for a reference or a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "kind",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum PortOutput {
    /// The value itself.
    Value {
        /// Its JSON.
        value: Value,
        /// Places inside it where a secret stood.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        masked: Vec<MaskNote>,
    },
    /// A value in artifact storage.
    Reference {
        /// Where it is.
        #[serde(flatten)]
        reference: ValueRef,
        /// Places inside it where a secret stood.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        masked: Vec<MaskNote>,
    },
    /// A secret, which is never shown.
    Secret {
        /// The name by which the secret source knows it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<SecretName>,
    },
    /// A value of this process that has no JSON.
    Unreadable {
        /// Why.
        message: String,
    },
}

/// The ports of a node's outputs, by id.
///
/// ```
/// use shipsec_core::{event::Outputs, run::{PortOutput, ports}};
///
/// let outputs: Outputs = serde_json::from_value(serde_json::json!({
///     "outputs": { "count": 3 },
///     "secretOutputs": { "token": "GITHUB_TOKEN" },
/// })).unwrap();
/// let ports = ports(&outputs);
/// assert!(matches!(ports["count"], PortOutput::Value { .. }));
/// assert!(matches!(&ports["token"], PortOutput::Secret { name: Some(name) } if *name == "GITHUB_TOKEN"));
/// ```
pub fn ports(outputs: &Outputs) -> BTreeMap<PortId, PortOutput> {
    let mut ports = BTreeMap::new();
    let notes = outputs.notes.as_deref();
    let masked = |port: &PortId| -> Vec<MaskNote> {
        let notes = notes.iter().flat_map(|notes| &notes.masked);
        notes.filter(|note| note.port == *port).cloned().collect()
    };
    for (port, value) in outputs.iter() {
        let output = match value.json() {
            Ok(_) => PortOutput::Value {
                value: value.clone(),
                masked: masked(port),
            },
            Err(error) => PortOutput::Unreadable {
                message: error.to_string(),
            },
        };
        ports.insert(port.clone(), output);
    }
    // What a note says goes before what stands in its place.
    for (port, reference) in notes.iter().flat_map(|notes| &notes.refs) {
        let output = PortOutput::Reference {
            reference: reference.clone(),
            masked: masked(port),
        };
        ports.insert(port.clone(), output);
    }
    for (port, name) in notes.iter().flat_map(|notes| &notes.secrets) {
        ports.insert(port.clone(), PortOutput::Secret { name: name.clone() });
    }
    ports
}

pub(super) fn serialize<S: Serializer>(
    outputs: &Option<std::sync::Arc<Outputs>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    outputs
        .as_deref()
        .map(ports)
        .unwrap_or_default()
        .serialize(serializer)
}

/// All outputs of a run so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunOutputs {
    /// The run.
    pub run_id: RunId,
    /// Its status.
    pub status: WorkflowStatus,
    /// The run's own outputs: those of the nodes that nothing depends on.
    pub outputs: BTreeMap<NodeId, BTreeMap<PortId, PortOutput>>,
    /// The outputs of every node that has completed.
    pub nodes: BTreeMap<NodeId, BTreeMap<PortId, PortOutput>>,
}

impl From<&RunView> for RunOutputs {
    fn from(view: &RunView) -> Self {
        let nodes: BTreeMap<_, _> = view
            .outputs()
            .into_iter()
            .map(|(id, outputs)| (id.clone(), ports(outputs)))
            .collect();
        let outputs = view
            .run_outputs()
            .into_iter()
            .map(|(id, outputs)| (id.clone(), ports(outputs)))
            .collect();
        Self {
            run_id: view.run_id.clone(),
            status: view.status,
            outputs,
            nodes,
        }
    }
}
