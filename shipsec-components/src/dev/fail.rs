//! `dev.fail`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, ErrorKind, Params, Ports, Value, component};

/// What `dev.fail` takes and gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct FailValue {
    /// Value. Passed on as it is, once an attempt succeeds.
    pub value: Option<Value>,
}

/// How `dev.fail` fails.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct FailParams {
    /// Kind. The kind of the error, which decides whether the node is tried again.
    #[serde(default = "service")]
    #[param(editor = "select")]
    pub kind: ErrorKind,
    /// Message. What the error says.
    #[serde(default = "on_purpose")]
    pub message: String,
    /// Times. How many attempts fail before one succeeds; 0 for all.
    #[serde(default)]
    #[param(editor = "number")]
    pub times: u32,
}

fn service() -> ErrorKind {
    ErrorKind::Service
}

fn on_purpose() -> String {
    "failed on purpose".to_owned()
}

impl Default for FailParams {
    fn default() -> Self {
        Self {
            kind: service(),
            message: on_purpose(),
            times: 0,
        }
    }
}

/// Fail. Fails as often as it is told, and then succeeds.
#[component(id = "dev.fail", version = "1.0.0", category = "dev")]
pub async fn dev_fail(
    input: FailValue,
    params: &FailParams,
    cx: &Context,
) -> Result<FailValue, ComponentError> {
    if params.times == 0 || cx.attempt() <= params.times {
        return Err(ComponentError::new(params.kind, params.message.clone()));
    }
    Ok(input)
}
