#![doc = include_str!("../../README.md")]
//! The code of the README is compiled with the other examples.
