//! Artifacts and large values over any [`object_store::ObjectStore`].

mod artifacts;
mod retention;

pub use artifacts::{ArtifactStore, ArtifactWriter, StorageError, Stored};
pub use retention::{PruneError, Pruned, Retention, prune};
