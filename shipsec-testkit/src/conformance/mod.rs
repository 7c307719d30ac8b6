//! Suites that an implementation is proven with: one case for each clause of a contract, each on
//! a fresh store and as a test of its own.

pub mod storage;
pub mod trace;
