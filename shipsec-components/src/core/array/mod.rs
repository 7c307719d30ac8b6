//! Lists.

pub mod pack;
pub mod pick;
