//! A run at any moment of its log.
//!
//! A [`Timeline`] takes the events of a log in their order, and keeps three things: copies of the
//! state at some of them (*key frames*), the time of each, and the events at which each node
//! changed. The state after any event is the nearest key frame before it and the few events
//! between them, through the same reducer as everywhere: live state at *n* is replayed state at
//! *n*, byte for byte. It may grow while somebody looks back in it.
//!
//! A timeline does not keep events. [`trace::Replay`](crate::trace::Replay) reads the few that a
//! state needs from a store.
//!
//! # Time
//! Events are ordered by sequence, and clocks may run backwards. The time of event *n* here is the
//! latest that any of the events 1 to *n* tells, so that it never runs backwards, and the state at
//! time *T* is the one after the last event whose time is not after *T*.
//!
//! # Key frames
//! Between two of them lie events that cost about as much to read as
//! [`FrameOptions::spacing`] small ones. Frames share what did not change between them. When they
//! outgrow [`FrameOptions::budget`], every second one is left out and the next ones come half as
//! often: memory stays bounded, and seeking in such a log takes longer.

mod changes;
mod playback;
mod position;
mod timeline;
mod times;
mod weight;

pub use playback::{InvalidSpeed, Playback, Speed};
pub use position::{InvalidPosition, Position};
pub use timeline::{FrameOptions, Timeline};
