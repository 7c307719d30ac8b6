//! The macros of the ShipSec SDK. Use them through `shipsec_core`, which re-exports them and shows
//! a whole component made with them.
//!
//! Each macro reads what it is given into a model (`model`, with `parse` and `serde`),
//! gathers every mistake on the way (`diagnose`), and writes the model out (`expand`). Where
//! there are mistakes it writes an implementation without a body beside them, so that one mistake
//! is one error.

mod diagnose;
mod expand;
mod function;
mod model;
mod parse;
mod serde;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct's fields the input or output ports of a component.
///
/// A port's id is the field's name in JSON, as `#[serde(rename_all = "camelCase")]` or
/// `#[serde(rename = "…")]` make it. Its doc comment is its description, the first sentence of
/// which is its label. Its type decides the rest: an `Option<_>` need not be connected.
///
/// | on a field | meaning |
/// |---|---|
/// | `#[port(branching)]` | an output that is active only when it has a value; the field is an `Option<_>` |
/// | `#[port(lift)]` | an input that takes one item for its list; the field is a `Vec<_>` |
/// | `#[port(manual_first)]` | an input where the value set by hand goes before a connection's |
/// | `#[port(default = EXPR)]` | an input's value when nothing gives one; `#[serde(default)]` does too |
/// | `#[port(label = "…")]` | a label other than the first sentence |
///
/// On the struct, `#[ports(crate = path)]` says where `shipsec_core` is.
#[proc_macro_derive(Ports, attributes(port, ports))]
pub fn ports(input: TokenStream) -> TokenStream {
    expand::ports(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a struct's fields the parameters of a component.
///
/// Ids, labels and descriptions are as with `Ports`. Whether a parameter is required, and its
/// default, is what serde says: an `Option<_>`, or a field or struct with `#[serde(default)]` or
/// `#[serde(default = "path")]`, need not be given. Limits are schemars': `#[schemars(range(…))]`.
///
/// | on a field | meaning |
/// |---|---|
/// | `#[param(editor = "…")]` | how an editor shows it, such as `textarea`; a `Secret<_>` has `secret` |
/// | `#[param(label = "…")]` | a label other than the first sentence |
///
/// On the struct, `#[params(crate = path)]` says where `shipsec_core` is.
#[proc_macro_derive(Params, attributes(param, params))]
pub fn params(input: TokenStream) -> TokenStream {
    expand::params(&parse_macro_input!(input as DeriveInput)).into()
}

/// Gives a struct or enum a named contract, `#[contract(id = "shipsec.finding.v1")]`, so that it
/// can cross a port. `#[contract(crate = path)]` says where `shipsec_core` is.
#[proc_macro_derive(Contract, attributes(contract))]
pub fn contract(input: TokenStream) -> TokenStream {
    expand::contract(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a component of an async function: a unit struct in CamelCase of the function's name.
///
/// `#[component(id = "team.thing", version = "1.0.0", category = "text")]`, and where wanted
/// `label = "…"`, `execution = blocking`, `volatile` (it may give something else where it runs again
/// with the same inputs: it reads files, or asks a server), `timeout = "30s"`,
/// `heartbeat_timeout = "10s"`, `retry(max_attempts = 5, initial_interval_seconds = 0.5,
/// backoff_coefficient = 2.0, maximum_interval_seconds = 60)`, `crate = path`.
#[proc_macro_attribute]
pub fn component(attributes: TokenStream, item: TokenStream) -> TokenStream {
    function::component(attributes.into(), item.into()).into()
}
