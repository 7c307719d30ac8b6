//! Folds of a run's log: one reducer, and what is read off it. Nothing here is async, and nothing
//! keeps state that the log could not rebuild.
//!
//! [`RunView`] is `state(events[..n])`. Live view, replay, status and resume all apply events to
//! it, so that the live state after event *n* is the replayed state at *n*, byte for byte of its
//! JSON.
//!
//! # Rules
//! - Events count in the order of their sequence alone. One that the view has already changes
//!   nothing ([`Applied::Duplicate`]), one from beyond a gap is refused ([`Applied::Gap`]), and no
//!   timestamp decides anything.
//! - A node moves on only by an event of its current attempt: `NODE_STARTED` of a higher attempt
//!   begins that one, and what an older attempt still says is *late*. So is everything about a node
//!   that has ended, and a skip of a node that has started. Late events are counted, as are their
//!   log lines and artifacts; they change no state.
//! - A final status is final. Nodes to which the log gave no end by then ended with the run: they
//!   are shown as cancelled, for the reason `run-ended`, so that a finished run reads total of
//!   total.
//! - An item of a node that runs once for each (`node[3]`) moves by the same rules, and belongs to
//!   its node: it is none of the nodes that are counted.
//! - A node of which the plan knows nothing is shown too, after the planned ones. An event of an
//!   unknown type counts as the last event, and changes nothing else.

mod chunks;
pub mod diff;
mod items;
mod node;
mod outputs;
pub mod replay;
mod shape;
mod status;
mod view;

#[cfg(test)]
mod tests;

pub use items::ItemsView;
pub use node::{LogCounts, NodeCounts, NodeState, NodeView, ProgressView};
pub use outputs::{PortOutput, RunOutputs, ports};
pub use status::{ProgressReport, StatusReport};
pub use view::{Applied, ArtifactView, EdgeView, RunView};
