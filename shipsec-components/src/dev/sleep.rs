//! `dev.sleep`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, Params, Ports, Value, component};

use crate::support::cancelled;

/// What `dev.sleep` takes and gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct SleepValue {
    /// Value. Passed on as it is, after the wait.
    pub value: Option<Value>,
}

/// How long `dev.sleep` waits.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct SleepParams {
    /// Milliseconds. How long to wait.
    #[serde(default)]
    #[param(editor = "number")]
    pub ms: u64,
}

impl SleepParams {
    /// So many milliseconds.
    pub fn new(ms: u64) -> Self {
        Self { ms }
    }
}

/// Sleep. Waits, and stops at once when it is cancelled.
#[component(id = "dev.sleep", version = "1.0.0", category = "dev")]
pub async fn dev_sleep(
    input: SleepValue,
    params: &SleepParams,
    cx: &Context,
) -> Result<SleepValue, ComponentError> {
    if params.ms > 0 {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(params.ms)) => {}
            () = cx.cancelled() => return Err(cancelled()),
        }
    }
    Ok(input)
}
