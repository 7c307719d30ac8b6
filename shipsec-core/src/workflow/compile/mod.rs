//! From a graph to a plan: every problem in one pass.

mod bind;
mod connect;
mod definition;
mod for_each;
mod order;
mod pass;
mod settings;

pub(super) use definition::Source;
pub(super) use pass::id_problem;
pub use pass::{Compiled, compile};
