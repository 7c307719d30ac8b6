//! Reports of an audit: SARIF for machines, Markdown for people.

mod audit;
mod escape;
mod input;
pub mod markdown;
pub mod sarif;

pub use audit::{Audit, Counts, NotChecked, Walked};
pub use input::ReportInput;
pub use markdown::markdown;
pub use sarif::sarif;
