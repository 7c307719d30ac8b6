//! Auditing a source tree: its files, the secrets in them, the packages it builds on, and
//! the advisories against those.

mod advisories;
mod paths;
mod sbom;
mod secrets;
mod walk;

pub use advisories::{DatabaseError, DatabaseStats, InvalidRecord, Matcher, Record, read_database};
pub use sbom::{Inventory, SbomError, cyclonedx, inventory};
pub use secrets::{ScanOptions, ScanReport, SecretScanner};
pub use walk::{WalkError, WalkOptions, WalkReport, walk};
