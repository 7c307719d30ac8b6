//! Components for trying things out: they wait, fail, talk and branch as they are told.

pub mod branch;
pub mod echo;
pub mod emit;
pub mod fail;
pub mod sleep;
