//! Artifacts of a run.

pub mod write;
