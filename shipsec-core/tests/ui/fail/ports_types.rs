//! Mistakes that only types show.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::Ports;

#[derive(Serialize, Deserialize, JsonSchema, Ports)]
struct Mistaken {
    /// A default of another type.
    #[port(default = "three")]
    count: u32,
    /// Always there, so it cannot branch.
    #[port(branching)]
    left: String,
    /// Not a list.
    #[port(lift)]
    item: String,
}

fn main() {
    let _ = Mistaken::specs();
}
