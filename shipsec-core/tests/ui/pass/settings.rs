//! Everything that the macros know.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{
    ComponentError, Context, Contract, NoParams, NoPorts, Params, Ports, Registry, Secret, Shared,
    component,
};

mod vendored {
    pub use shipsec_core as sdk;
}

type Maybe = Option<String>;
type Many = Shared<Vec<String>>;

fn three() -> u32 {
    3
}

#[derive(Serialize, Deserialize, JsonSchema, Ports)]
#[ports(crate = vendored::sdk)]
#[serde(rename_all = "camelCase")]
pub struct Everything {
    /// An alias of an optional type branches.
    #[port(branching)]
    left_side: Maybe,
    /// An alias of a list lifts.
    #[port(lift, manual_first, label = "Items")]
    many: Many,
    /// A default.
    #[port(default = three() + 1)]
    count: u32,
    /// Serde's default.
    #[serde(default = "three")]
    other: u32,
    /// A word of the language.
    r#type: String,
    /// A contract.
    thing: Vec<Thing>,
}

#[derive(Serialize, Deserialize, JsonSchema, Ports)]
struct Nothing {}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Contract)]
#[contract(id = "test.thing.v1", crate = "vendored::sdk")]
pub enum Thing {
    One,
    Two { size: u64 },
}

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[params(crate = vendored::sdk)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// How many at once.
    #[schemars(range(min = 1))]
    at_once: u32,
    /// A token.
    #[param(editor = "secret", label = "API token")]
    token: Option<Secret<String>>,
}

/// Borrows its parameters.
#[component(
    id = "test.every-thing.v2",
    version = "1.0.0-beta.1+build",
    category = "test",
    label = "All",
    execution = blocking,
    timeout = "1.5m",
    heartbeat_timeout = 10,
    retry(
        max_attempts = 5,
        initial_interval_seconds = 0.5,
        backoff_coefficient = 2,
        maximum_interval_seconds = 60
    ),
    crate = vendored::sdk
)]
pub async fn all(
    input: Everything,
    params: &Settings,
    _: &Context,
) -> Result<Everything, ComponentError> {
    let _ = params.at_once;
    Ok(input)
}

/// Owns its parameters, and has an input without ports.
#[component(id = "test.r", version = "1.0.0", category = "test", execution = "async")]
async fn r#move(_: Nothing, _: NoParams, _: &Context) -> Result<NoPorts, ComponentError> {
    Ok(NoPorts {})
}

/// Is not there at all.
#[component(id = "test.absent", version = "1.0.0", category = "test")]
#[cfg(any())]
async fn absent(_: NoPorts, _: NoParams, _: &Context) -> Result<NoPorts, ComponentError> {
    Ok(NoPorts {})
}

fn main() {
    let mut registry = Registry::new();
    registry.register(All).unwrap().register(Move).unwrap();
    let all = registry.get("test.every-thing.v2", None).unwrap().definition();
    assert_eq!(all.timeout_seconds, Some(90.0));
    assert_eq!(all.retry.max_attempts, Some(5));
}
