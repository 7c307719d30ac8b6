//! Peers of the ShipSec SDK, run on the shapes of `shipsec-benches`, each in its fastest way.
//!
//! - [`dagx`]: `operese-dagx` 0.4, typed, run inline on the calling task.
//! - [`dagrs`]: `dagrs` 0.9, flow graph with channels.
//!
//! Each gets nodes that do what the floor's no-op does: one more than the highest input, handed
//! to every child. Building the graph is set-up; the run is timed from the call that starts it to
//! its return, and what it returns is verified after the time. A graph of `dagx` is used up by its
//! run, so that its cost per run is the column `with setup`.

pub mod dagrs;
pub mod dagx;
