//! Auditing a source tree: its files, the secrets in them, the packages it builds on, and
//! the advisories against those.
//!
//! The components are thin: what they do is here for any host to call.

pub mod advisories;
pub mod files;
mod paths;
pub mod sbom;
pub mod secrets;

pub use advisories::{DatabaseError, DatabaseStats, InvalidRecord, Matcher, Record, read_database};
pub use files::{WalkError, WalkOptions, WalkReport, walk};
pub use sbom::{Inventory, SbomError, cyclonedx, inventory};
pub use secrets::{ScanOptions, ScanReport, SecretScanner};
