//! Values between nodes: one shared typed thing, with its JSON made lazily, once.

mod coerce;
mod data;
mod kind;
mod secret;
mod shared;

pub use coerce::coerce;
pub use data::{FileRef, PortData};
pub use kind::{ConnectsTo, Kind, kinds};
pub use secret::{Secret, SecretRef};
pub use shared::{Shared, Value, ValueError};
