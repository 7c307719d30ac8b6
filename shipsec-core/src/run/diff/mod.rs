//! What is different between two runs: a fold of both logs.
//!
//! Nodes are matched by their ids: another label is no change, another edge is one. What a node gave
//! is compared as data: objects by their fields, lists of things that have an identity
//! ([`IDENTITIES`]) item by item whatever their order, other lists as collections, of which an order
//! that differs is told as one change. A diff of a run with itself is empty.
//!
//! [`diff`] reads the views alone. Outputs that artifact storage keeps are compared by their digest;
//! where they differ and their values are given with [`DiffOptions::with_value`], in depth.

mod change;
mod nodes;
mod rules;
mod values;

#[cfg(test)]
mod tests;

pub use change::{Change, Class, RunDiff, RunSide, UnknownClass};
pub use nodes::{diff, references};
pub use rules::{DiffOptions, IgnoreRule, InvalidRule};
pub use values::IDENTITIES;
