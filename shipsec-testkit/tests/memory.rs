//! The stores of the core keep their contracts.

mod trace {
    use std::sync::Arc;

    use shipsec_core::trace::{MemoryStore, TraceStore};

    shipsec_testkit::trace_store_conformance!(async || {
        Arc::new(MemoryStore::new()) as Arc<dyn TraceStore>
    });
}

mod memory {
    use shipsec_core::storage::ArtifactStore;

    shipsec_testkit::artifact_store_conformance!(async || (ArtifactStore::memory(), ()));
}

mod folder {
    use shipsec_core::storage::ArtifactStore;

    shipsec_testkit::artifact_store_conformance!(async || {
        let folder = tempfile::tempdir().unwrap();
        (ArtifactStore::folder(folder.path()).unwrap(), folder)
    });
}
