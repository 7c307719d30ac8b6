//! `source.secrets.scan`: secrets that were left in source files.
//!
//! Three gates stand between a byte and a finding: a keyword (one Aho–Corasick pass over
//! the file), the rule's pattern in the neighbourhood of that keyword, and the rule's own
//! check (a checksum, a decoded body, randomness). What a person would call a placeholder
//! never passes the third.

mod checks;
mod connections;
mod engine;
mod random;
mod rules;
pub mod scan;

pub use engine::{ScanOptions, ScanReport, SecretScanner};
