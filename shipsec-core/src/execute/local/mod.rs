//! The local executor: runs plans inside the host's process, on its tokio runtime.
//!
//! One driver per run owns the scheduler. It polls a node's future once where it stands; what is
//! done then costs no task and no wake-up, and what is not goes on as a task of its own. A node
//! whose first poll does not come back (a component that blocks) is noticed by a watchdog: another
//! task takes the driver over, and the run goes on around it.

mod attempt;
mod builder;
mod call;
mod driver;
mod ending;
mod limits;
mod nodes;
mod resume;
mod reuse;
mod shared;
mod store;
mod timers;
mod waiting;

pub(crate) use attempt::panicked;
pub use builder::{LocalExecutor, LocalExecutorBuilder};
