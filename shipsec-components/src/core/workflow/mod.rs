//! Workflows as components.

pub mod call;
