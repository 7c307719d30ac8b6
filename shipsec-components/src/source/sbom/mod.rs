//! `source.sbom`: what a source tree builds on, read from its lock files.
//!
//! Each format has a parser from text to entries; [`inventory`] runs them and joins
//! what several files say of one package, [`cyclonedx`] writes the bill of materials.

mod cargo;
mod cyclonedx;
mod entry;
mod golang;
mod inventory;
mod npm;
mod python;

pub use cyclonedx::{SbomError, cyclonedx};
pub use inventory::{Inventory, inventory};

pub(crate) use python::normalized_name;

use entry::{Ecosystem, LockFile};
