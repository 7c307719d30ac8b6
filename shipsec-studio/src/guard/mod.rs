//! What a request passes before it comes to its handler.

mod gate;
mod origin;

pub(crate) use gate::{Gate, authorize, gate, one_client};
