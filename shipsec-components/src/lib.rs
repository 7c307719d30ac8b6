//! The components that ship with the ShipSec SDK.
//!
//! [`registry`] has them all; a host that wants some of them registers those itself. Each
//! component is in a file of its own, whose path is the component's id: `core.text.splitter` is
//! in `src/core/text/splitter.rs`.

mod catalogue;
pub mod contract;
pub mod core;
pub mod dev;
#[cfg(doctest)]
mod readme;
pub mod report;
pub mod source;
mod support;

pub use catalogue::{register_all, registry};
