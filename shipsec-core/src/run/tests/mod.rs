//! Tests of the folds: each rule by itself, hostile logs, and the scheduler's own runs.

mod log;
mod properties;
mod replay;
mod rules;
mod scheduled;
mod shown;
