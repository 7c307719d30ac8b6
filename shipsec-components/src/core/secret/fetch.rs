//! `core.secret.fetch`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, NoPorts, Params, Ports, Secret, component};

/// Which secret `core.secret.fetch` takes.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct FetchParams {
    /// Name. The name by which the host's secret source knows it.
    #[param(editor = "text")]
    #[schemars(length(min = 1))]
    pub name: String,
}

impl FetchParams {
    /// The secret of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

/// What `core.secret.fetch` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct FetchOutput {
    /// Secret. Its value is masked in everything that the run records.
    pub secret: Secret<String>,
}

/// Fetch a secret. Takes a secret from the host's source when the node runs, not before.
#[component(id = "core.secret.fetch", version = "1.0.0", category = "secret")]
pub async fn secret_fetch(
    _: NoPorts,
    params: &FetchParams,
    cx: &Context,
) -> Result<FetchOutput, ComponentError> {
    let secret = cx.secret(params.name.as_str()).await?;
    cx.info(format!("secret {:?} is at hand", params.name));
    Ok(FetchOutput { secret })
}
