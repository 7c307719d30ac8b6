//! The macros of the ShipSec SDK. Use them through `shipsec_core`, which re-exports them and
//! documents them with examples.

mod component;
mod contract;
mod diagnose;
mod fields;
mod params;
mod ports;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct's fields the input or output ports of a component.
///
/// Each field has a doc comment: its first line is the port's label, all of it the description.
/// Attributes: `#[port(branching)]`, `#[port(lift)]`, `#[port(manual_first)]`,
/// `#[port(default = EXPR)]`, `#[port(label = "…")]`; on the struct `#[ports(crate = path)]`.
#[proc_macro_derive(Ports, attributes(port, ports))]
pub fn ports(input: TokenStream) -> TokenStream {
    ports::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a struct's fields the parameters of a component.
///
/// Each field has a doc comment, as with `Ports`. A field with `#[serde(default)]` or
/// `#[serde(default = "path")]` is optional. Attributes: `#[param(editor = "…")]`,
/// `#[param(label = "…")]`; on the struct `#[params(crate = path)]`.
#[proc_macro_derive(Params, attributes(param, params))]
pub fn params(input: TokenStream) -> TokenStream {
    params::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Gives a struct or enum a named contract, so that it can cross a port:
/// `#[contract(id = "shipsec.finding.v1")]`.
#[proc_macro_derive(Contract, attributes(contract))]
pub fn contract(input: TokenStream) -> TokenStream {
    contract::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a component of an async function: a unit struct in CamelCase of the function's name.
///
/// `#[component(id = "…", version = "…", category = "…")]`, and where wanted `label = "…"`,
/// `execution = "blocking"`, `timeout_seconds = 30`, `heartbeat_timeout_seconds = 10`,
/// `max_attempts = 5`, `crate = "path"`.
#[proc_macro_attribute]
pub fn component(attributes: TokenStream, item: TokenStream) -> TokenStream {
    component::expand(attributes.into(), item.into()).into()
}
