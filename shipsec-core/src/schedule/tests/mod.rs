//! The rules one by one, then all of them against a naive model.

mod cancellation;
mod graph;
mod lessons;
mod model;
mod properties;
mod races;
mod tables;
mod topology;
