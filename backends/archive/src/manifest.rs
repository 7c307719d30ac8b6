//! The table of contents.

use serde::{Deserialize, Serialize};
use shipsec_core::{
    RunId, WorkflowId,
    event::{Timestamp, WorkflowStatus},
};

/// What the format is called.
pub(crate) const FORMAT: &str = "shipsec-archive";
/// The version of the format that is written.
pub(crate) const VERSION: u32 = 1;
/// Where the manifest stands.
pub(crate) const MANIFEST: &str = "manifest.json";

/// What an archive holds. Fields that are not known are left alone: a newer version of the format
/// that an older reader must not read has another [`version`](Self::version).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Manifest {
    /// `shipsec-archive`.
    pub format: String,
    /// Version of the format: 1.
    pub version: u32,
    /// When the file was written.
    pub created_at: Timestamp,
    /// The runs; the one that was asked for first, then those that it called.
    pub runs: Vec<ArchivedRun>,
    /// The artifacts that came along.
    pub artifacts: Vec<ArchivedArtifact>,
}

/// A run in an archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ArchivedRun {
    /// The run.
    pub run_id: RunId,
    /// The workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<WorkflowId>,
    /// Its status when it was exported.
    pub status: WorkflowStatus,
    /// Time of the first event.
    pub started_at: Timestamp,
    /// Time of the last event.
    pub updated_at: Timestamp,
    /// How many events there are.
    pub events: u64,
    /// The log, in pieces.
    pub chunks: Vec<ArchivedChunk>,
}

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ArchivedChunk {
    /// The entry of the zip file.
    pub entry: String,
    /// Sequence number of its first event.
    pub first: u64,
    /// How many events.
    pub events: u64,
    /// Bytes before they are compressed.
    pub size: u64,
    /// SHA-256 of these bytes, in lower-case hex.
    pub sha256: String,
}

/// An object of artifact storage in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ArchivedArtifact {
    /// Path inside artifact storage; the entry of the zip file is `artifacts/` and this.
    pub location: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
}
