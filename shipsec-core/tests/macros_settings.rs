//! Everything that the macros know, in one place.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{
    ComponentError, Context, Contract, NoParams, NoPorts, Params, Ports, Registry, Secret, Shared,
    component,
    component::{Execution, PortPriority},
};

mod vendored {
    pub(crate) use shipsec_core as sdk;
}

type Maybe = Option<String>;
type Many = Shared<Vec<String>>;

fn three() -> u32 {
    3
}

#[derive(Serialize, Deserialize, JsonSchema, Ports)]
#[ports(crate = vendored::sdk)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Everything {
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
pub(crate) enum Thing {
    One,
    Two { size: u64 },
}

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[params(crate = vendored::sdk)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Settings {
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
    volatile,
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
pub(crate) async fn all(
    input: Everything,
    params: &Settings,
    _: &Context,
) -> Result<Everything, ComponentError> {
    let _ = params.at_once;
    Ok(input)
}

/// Owns its parameters, and has an input without ports.
#[component(
    id = "test.r",
    version = "1.0.0",
    category = "test",
    execution = "async"
)]
async fn r#move(_: Nothing, _: NoParams, _: &Context) -> Result<NoPorts, ComponentError> {
    Ok(NoPorts {})
}

/// Is not there at all.
#[component(id = "test.absent", version = "1.0.0", category = "test")]
#[cfg(any())]
async fn absent(_: NoPorts, _: NoParams, _: &Context) -> Result<NoPorts, ComponentError> {
    Ok(NoPorts {})
}

#[test]
fn every_setting_arrives() {
    let mut registry = Registry::new();
    registry.register(All).unwrap().register(Move).unwrap();
    let get = |id| {
        registry
            .get(id, Some("1.0.0-beta.1+build"))
            .or(registry.get(id, None))
    };
    let all = get("test.every-thing.v2").unwrap().definition();
    assert_eq!((&*all.label, &*all.version), ("All", "1.0.0-beta.1+build"));
    assert_eq!(all.execution, Execution::Blocking);
    assert!(all.volatile && !get("test.r").unwrap().definition().volatile);
    assert_eq!(all.timeout_seconds, Some(90.0));
    assert_eq!(all.heartbeat_timeout_seconds, Some(10.0));
    assert_eq!(all.retry.max_attempts, Some(5));
    assert_eq!(all.retry.initial_interval_seconds, Some(0.5));
    assert_eq!(all.retry.backoff_coefficient, Some(2.0));
    assert_eq!(all.retry.maximum_interval_seconds, Some(60.0));
    let inputs: Vec<_> = all
        .inputs
        .iter()
        .map(|port| (port.id.as_str(), port.port_type.to_string(), port.required))
        .collect();
    let expected = [
        ("leftSide", "text", false),
        ("many", "list<text>", true),
        ("count", "number", false),
        ("other", "number", false),
        ("type", "text", true),
        ("thing", "list<test.thing.v1>", true),
    ];
    assert_eq!(
        inputs,
        expected.map(|(id, of, required)| (id, of.to_owned(), required))
    );
    assert!(all.inputs[0].branching && all.inputs[1].lift);
    assert_eq!(all.inputs[1].priority, PortPriority::ManualFirst);
    assert_eq!(all.inputs[1].label, "Items");
    assert_eq!(all.inputs[2].default, Some(4.into()));
    assert_eq!(all.inputs[3].default, Some(3.into()));
    assert_eq!(all.params[1].label, "API token");
    let other = get("test.r").unwrap().definition();
    assert_eq!((other.execution, other.inputs.len()), (Execution::Async, 0));
}
