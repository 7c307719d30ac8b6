//! `dev.echo`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, NoParams, Ports, Value, component};

/// What `dev.echo` takes and gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct Echo {
    /// Value. Whatever comes; it is passed on as it is.
    pub value: Value,
}

/// Echo. Gives what it is given.
#[component(id = "dev.echo", version = "1.0.0", category = "dev")]
pub async fn dev_echo(input: Echo, _: NoParams, _: &Context) -> Result<Echo, ComponentError> {
    Ok(input)
}
