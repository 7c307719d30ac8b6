//! What tests of components, stores and executors are made with.
//!
//! - [`Harness`] runs a graph or a single component in this process, with a clock that a test
//!   holds, and gives its outcome and its events.
//! - [`assert_component_compliance`] holds a component to its contract.
//! - [`fail_each_node`] and [`repeat_each_node`] disturb a workflow at each of its nodes in turn.
//! - [`resume_at_each_event`] interrupts a run after each of its events and resumes it, and
//!   [`assert_log_rules`] holds a log to what every log keeps to.
//! - [`conformance`] has the suites that a new trace store or artifact storage is proven with.

mod compliance;
pub mod conformance;
mod each_event;
mod each_node;
mod harness;
mod redact;
mod rules;

pub use compliance::{Compliance, assert_component_compliance};
pub use each_event::{resume_after, resume_at_each_event};
pub use each_node::{Disturbed, fail_each_node, repeat_each_node};
pub use harness::{Finished, Harness};
pub use redact::trace_lines;
pub use rules::assert_log_rules;
