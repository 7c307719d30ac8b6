//! JSON.

mod evaluate;
pub mod query;
