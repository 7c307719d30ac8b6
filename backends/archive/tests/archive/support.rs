//! A run, and somewhere for it to be.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use shipsec_archive::{Archive, Contents, export};
use shipsec_core::{
    RunId,
    event::{Event, Record},
    storage::ArtifactStore,
    trace::{MemoryStore, TraceStore},
};

pub(crate) fn run() -> RunId {
    RunId::parse("r").unwrap()
}

/// A log of a run that stored one artifact, of so many lines.
pub(crate) fn events(lines: u64, location: &str, sha256: &str, size: usize) -> Vec<Event> {
    let mut all = vec![(
        Json::Null,
        "WORKFLOW_STATUS",
        json!({"status": "RUNNING", "later": {"x": 1}}),
    )];
    for n in 0..lines {
        all.push((
            json!(format!("n{}", n % 3)),
            "NODE_LOG",
            json!({"stream": "log", "fields": {"n": n}}),
        ));
    }
    let artifact = json!({"artifactId": "a", "name": "a.txt", "mediaType": "text/plain",
        "size": size, "sha256": sha256, "location": location});
    all.push((json!("n0"), "NODE_ARTIFACT", artifact));
    all.push((json!("n0"), "OF_LATER_VERSIONS", json!({"any": ["thing"]})));
    let event = |(sequence, (node, event_type, payload)): (u64, (Json, &str, Json))| {
        let mut event = json!({"runId": "r", "sequence": sequence, "type": event_type, "level": "info",
            "timestamp": "2025-10-16T09:12:03.000001Z", "counter": sequence, "payload": payload, "new": true});
        if !node.is_null() {
            event["nodeId"] = node;
            event["attempt"] = 1.into();
        }
        Event::from_json(&event.to_string()).unwrap()
    };
    (1..).zip(all).map(event).collect()
}

pub(crate) struct World {
    pub(crate) store: Arc<dyn TraceStore>,
    pub(crate) artifacts: ArtifactStore,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn empty() -> Self {
        Self {
            store: Arc::new(MemoryStore::new()),
            artifacts: ArtifactStore::memory(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) async fn of(lines: u64, content: &[u8]) -> Self {
        let world = Self::empty();
        let stored = world.artifacts.put(content.to_vec().into()).await.unwrap();
        let events = events(lines, &stored.location, &stored.sha256, content.len());
        let records: Vec<Record> = events.into_iter().map(|event| event.record).collect();
        world.store.append(&run(), records).await.unwrap();
        world
    }

    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("run.shipsec")
    }

    pub(crate) async fn export(&self, contents: Contents) -> Archive {
        export(
            &self.store,
            &self.artifacts,
            &run(),
            contents,
            &self.file(),
            true,
        )
        .await
        .unwrap();
        Archive::open(self.file()).unwrap()
    }
}

pub(crate) async fn log(store: &dyn TraceStore) -> Vec<String> {
    let events = store.read(&run(), 0, usize::MAX).await.unwrap();
    events
        .iter()
        .map(|event| serde_json::to_string(event).unwrap())
        .collect()
}
