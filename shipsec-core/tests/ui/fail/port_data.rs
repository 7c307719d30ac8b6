//! A type that cannot cross a port is one error, at the field's type.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::Ports;

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct Finding {
    title: String,
}

#[derive(Serialize, Deserialize, JsonSchema, Ports)]
struct Findings {
    /// What was found.
    first: Finding,
    /// How many.
    count: u32,
}

fn main() {}
