//! Reports of an audit: SARIF for machines, Markdown for people.

mod audit;
mod escape;
mod markdown;
mod sarif;

pub use audit::{Audit, Counts, NotChecked, Walked};
pub use markdown::markdown;
pub use sarif::sarif;
