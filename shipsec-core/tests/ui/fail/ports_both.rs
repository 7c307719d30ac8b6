//! Mistakes of both sorts are told at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, Params, Ports, component};

#[derive(Serialize, Deserialize, JsonSchema, Ports)]
struct In {
    undocumented: String,
    /// A default of another type.
    #[port(default = "three")]
    count: u32,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Params)]
struct Settings {
    undocumented: String,
    /// A token in clear.
    #[param(editor = "secret")]
    token: String,
}

#[component(id = "test.both", version = "1", category = "test")]
async fn both(input: In, _: Settings, _: &Context) -> Result<In, ComponentError> {
    Ok(input)
}

fn main() {
    shipsec_core::Registry::new().register(Both).unwrap();
}
