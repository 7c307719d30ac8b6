//! Runs in one file: their logs, which hold their definitions, and their artifacts.
//!
//! An archive is a zip file (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>), deflated,
//! in version 1 of this format:
//!
//! | entry | holds |
//! |---|---|
//! | `manifest.json` | [`Manifest`]: the runs, their chunks, the artifacts; of each part its SHA-256 |
//! | `runs/<run id>/<n>.jsonl` | at most 10,000 events of a run, one a line, as they are on the wire |
//! | `artifacts/<location>` | an object of artifact storage |
//!
//! [`export`] writes one, [`Archive`] opens one, [`Archive::import`] puts its runs into a store. An
//! archive is a [`TraceStore`](shipsec_core::trace::TraceStore) for reading, of which one chunk is in
//! memory at a time: what reads a store reads a file.
//!
//! Nothing in a file is believed: sizes are limited while they are read, digests and sequence numbers
//! are checked, an entry that the manifest does not name is an error, and so is a manifest that says
//! something else of a run than its log.

mod error;
mod import;
mod manifest;
mod read;
mod write;

pub use error::ArchiveError;
pub use import::Imported;
pub use manifest::{ArchivedArtifact, ArchivedChunk, ArchivedRun, Manifest};
pub use read::Archive;
pub use write::{Contents, Exported, Source, export};
