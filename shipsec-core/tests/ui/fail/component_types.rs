//! Types that do not fit are errors at those types.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, NoParams, NoPorts, Registry, component};

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct NotPorts {}

/// Takes what is no set of ports.
#[component(id = "test.input", version = "1.0.0", category = "test")]
async fn takes(_: NotPorts, _: NoParams, _: &Context) -> Result<NoPorts, ComponentError> {
    Ok(NoPorts {})
}

/// Fails with another error.
#[component(id = "test.error", version = "1.0.0", category = "test")]
async fn fails(_: NoPorts, _: NoParams, _: &Context) -> Result<NoPorts, String> {
    Ok(NoPorts {})
}

/// Wants another context.
#[component(id = "test.context", version = "1.0.0", category = "test")]
async fn wants(_: NoPorts, _: NoParams, _: &str) -> Result<NoPorts, ComponentError> {
    Ok(NoPorts {})
}

/// A component.
#[component(id = "test.good", version = "1.0.0", category = "test")]
async fn good(_: NoPorts, _: NoParams, _: &Context) -> Result<NoPorts, ComponentError> {
    Ok(NoPorts {})
}

fn main() {
    // The function in place of the component that it makes.
    Registry::new().register(good).unwrap();
}
