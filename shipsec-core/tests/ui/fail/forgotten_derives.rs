//! The derives that ports and parameters need besides their own.

use serde::{Deserialize, Serialize};
use shipsec_core::{Params, Ports};

#[derive(Serialize, Deserialize, Ports)]
struct NoSchema {
    /// Some text.
    text: String,
}

#[derive(Ports, schemars::JsonSchema)]
struct NoSerde {
    /// Some text.
    text: String,
}

#[derive(Serialize, Deserialize, schemars::JsonSchema, Params)]
struct NoClone {
    /// Some text.
    text: String,
}

fn main() {}
