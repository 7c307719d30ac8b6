//! A contract has a dotted name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::Contract;

#[derive(Clone, Serialize, Deserialize, JsonSchema, Contract)]
struct Nameless {}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Contract)]
#[contract(id = "finding", colour = "red")]
struct Undotted {}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Contract)]
#[contract(id = "a finding.v1")]
enum Spaced {}

fn main() {}
