//! From a graph to a plan: every problem in one pass.

mod bind;
mod connect;
mod definition;
mod order;
mod pass;

pub use pass::{Compiled, compile};
