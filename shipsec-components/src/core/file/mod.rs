//! Files of this machine.

pub mod read;
pub mod write;
