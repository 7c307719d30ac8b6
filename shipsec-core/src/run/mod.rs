//! Folds of a run's log: one reducer, and what is read off it. Nothing here is async, and nothing
//! keeps state that the log could not rebuild.

mod node;
mod status;
mod view;

pub use node::{NodeState, NodeView, ProgressView};
pub use status::{ProgressReport, StatusReport};
pub use view::{Applied, RunView};
