//! Values between nodes: one shared typed thing, with its JSON made lazily, once.

mod data;
mod kind;
mod secret;
mod shared;

pub use data::{FileRef, PortData};
pub use kind::{ConnectsTo, Kind, kinds};
pub use secret::{Secret, SecretRef};
pub use shared::{Shared, Value, ValueError};
