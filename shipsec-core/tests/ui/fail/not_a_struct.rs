//! Ports and parameters are the named fields of a struct.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{Params, Ports};

#[derive(Serialize, Deserialize, JsonSchema, Ports)]
enum Either {
    Left,
    Right,
}

#[derive(Serialize, Deserialize, JsonSchema, Ports)]
struct Pair(String, String);

#[derive(Clone, Serialize, Deserialize, JsonSchema, Params)]
struct Generic<T> {
    /// Anything.
    value: T,
}

fn main() {}
