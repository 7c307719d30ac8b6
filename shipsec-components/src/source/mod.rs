//! Auditing a source tree: its files, the secrets in them, the packages it builds on, and
//! the advisories against those.

mod secrets;
mod walk;

pub use secrets::{ScanOptions, ScanReport, SecretScanner};
pub use walk::{WalkError, WalkOptions, WalkReport, walk};
