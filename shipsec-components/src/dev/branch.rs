//! `dev.branch`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, Params, Ports, Value, component};

/// What `dev.branch` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct ForkInput {
    /// Value. Passed on as it is; the side's name where it is absent.
    pub value: Option<Value>,
}

/// A side of `dev.branch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Side {
    /// The port `left`.
    #[default]
    Left,
    /// The port `right`.
    Right,
}

/// Where `dev.branch` goes.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct ForkParams {
    /// Port. The one that is taken.
    #[serde(default)]
    #[param(editor = "select")]
    pub port: Side,
}

impl ForkParams {
    /// To this side.
    pub fn new(port: Side) -> Self {
        Self { port }
    }
}

/// What `dev.branch` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct ForkOutput {
    /// Left. Has a value when it is taken.
    #[port(branching)]
    pub left: Option<Value>,
    /// Right. Has a value when it is taken.
    #[port(branching)]
    pub right: Option<Value>,
}

/// Fork. Takes the branch that it is told to take.
#[component(id = "dev.branch", version = "1.0.0", category = "dev")]
pub async fn dev_branch(
    input: ForkInput,
    params: &ForkParams,
    _: &Context,
) -> Result<ForkOutput, ComponentError> {
    let value = |name: &str| {
        input
            .value
            .clone()
            .or_else(|| Some(Value::new(name.to_owned())))
    };
    Ok(match params.port {
        Side::Left => ForkOutput {
            left: value("left"),
            right: None,
        },
        Side::Right => ForkOutput {
            left: None,
            right: value("right"),
        },
    })
}
