//! `source.advisories.match`: known vulnerabilities of the packages that lock files name.
//!
//! Records in the [OSV format](https://ossf.github.io/osv-schema/) come from a folder or a
//! zip archive ([`read_database`]) or, one by one, from an OSV service. [`Matcher`] decides
//! which of them concern which package, and joins records that speak of the same thing.

mod database;
pub mod r#match;
mod matcher;
mod record;
mod service;
mod severity;
mod version;

pub use database::{DatabaseError, DatabaseStats, read_database};
pub use matcher::Matcher;
pub use record::{InvalidRecord, Record};
