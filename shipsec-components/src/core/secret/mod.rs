//! Secrets.

pub mod fetch;
