//! Every mistake in a set of ports, told at once and at its place.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::Ports;

#[derive(Serialize, Deserialize, JsonSchema, Ports)]
#[ports(color = "red")]
struct Mistaken {
    undocumented: String,
    /// One.
    #[serde(rename = "same")]
    one: String,
    /// Another of the same id.
    #[serde(rename = "same")]
    other: String,
    /// Two words.
    two_words: String,
    /// Two names.
    #[serde(rename(serialize = "a", deserialize = "b"))]
    names: String,
    /// Left out.
    #[serde(skip)]
    left_out: String,
    /// Keys that nobody knows, and one twice.
    #[port(requird, colour = "red", lift, lift)]
    keys: Vec<String>,
    /// An id of its own.
    #[port(id = "own")]
    id: String,
    /// Two defaults.
    #[serde(default)]
    #[port(default = 3)]
    count: u32,
    /// An empty label.
    #[port(label = "")]
    label: String,
}

fn main() {
    let _ = Mistaken::specs();
}
