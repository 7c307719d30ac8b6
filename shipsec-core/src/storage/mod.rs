//! Artifacts and large values over any [`object_store::ObjectStore`].

mod artifacts;

pub use artifacts::{ArtifactStore, ArtifactWriter, StorageError, Stored};
