//! What can be wrong with an archive.

use std::path::PathBuf;

use shipsec_core::{
    RunId,
    storage::StorageError,
    trace::{LeaseError, StoreError},
};

/// An archive that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is there already.
    #[error("{} exists already: choose another name, or say that it may be replaced", .0.display())]
    Exists(PathBuf),
    /// The file is no archive of runs.
    #[error("{} is no archive of runs: {problem}", path.display())]
    NoArchive {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// The file was written by a newer version.
    #[error("{} is of version {version} of the format, and up to {known} is read: update this program", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
        /// The newest that is read.
        known: u32,
    },
    /// A part of the file is not what the manifest says.
    #[error("{}: {entry} is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The part.
        entry: String,
        /// What is wrong.
        problem: String,
    },
    /// An artifact that is to come along cannot be read, or is not what the log says.
    #[error(
        "artifact {location}: {problem}; export the run without artifacts, or mend the storage"
    )]
    Artifact {
        /// Path inside artifact storage.
        location: String,
        /// What is wrong.
        problem: String,
    },
    /// The store has no such run.
    #[error("run {0} is not known to the trace store")]
    UnknownRun(RunId),
    /// The store has another run of the same id.
    #[error("run {0} is in the trace store already, and differs from that of the archive")]
    Differs(RunId),
    /// Somebody runs a run of the archive in the store, or imports it there.
    #[error("{0}: import it once that is over")]
    Held(#[source] LeaseError),
    /// The trace store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Artifact storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
