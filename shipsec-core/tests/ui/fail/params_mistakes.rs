//! Every mistake in a set of parameters, told at once and at its place.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{Params, Secret};

#[derive(Clone, Serialize, Deserialize, JsonSchema, Params)]
struct Mistaken {
    undocumented: String,
    /// A default that serde does not know.
    #[param(default = 3)]
    count: u32,
    /// Limits are schemars'.
    #[param(min = 3, editor = "number")]
    least: u32,
    /// One.
    #[serde(rename = "same")]
    one: String,
    /// Another of the same id.
    #[serde(rename = "same")]
    other: String,
    /// Two words.
    two_words: String,
    /// Not a parameter by name.
    #[serde(flatten)]
    rest: Rest,
}

/// More of them.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct Rest {}

type Token = Secret<String>;

#[derive(Clone, Serialize, Deserialize, JsonSchema, Params)]
struct Secrets {
    /// A secret by another name is one.
    #[param(editor = "secret")]
    good: Token,
    /// A token in clear.
    #[param(editor = "secret")]
    token: String,
    /// Another in clear.
    #[param(editor = "secret")]
    other: Option<String>,
}

fn main() {
    let _ = (Mistaken::specs(), Secrets::specs());
}
