//! Decisions.

pub mod branch;
