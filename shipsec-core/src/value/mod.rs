//! Values between nodes: one shared typed thing, with its JSON made lazily, once.

mod coerce;
mod data;
mod kind;
mod nesting;
mod secret;
mod shared;

pub use coerce::coerce;
pub use data::{FileRef, PortData};
pub use kind::{ConnectsTo, Kind, kinds};
pub(crate) use nesting::{Nesting, Shallow, TooDeep};
pub use secret::{Secret, SecretRef};
pub use shared::{Shared, Value, ValueError};
