//! Text.

pub mod joiner;
pub mod splitter;
