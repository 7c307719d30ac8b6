//! The files of a source tree.

mod tree;
pub mod walk;

pub use tree::{WalkError, WalkOptions, WalkReport, walk};

pub(crate) use tree::{one_line, open_inside};
