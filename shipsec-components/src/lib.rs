//! The components that ship with the ShipSec SDK.

pub mod contract;
pub mod source;
