#![doc = include_str!("../../README.md")]
#![doc = include_str!("../../docs/graph.md")]
//! The code of these pages is compiled with the other examples.
