//! Runs that are removed, and what goes with them.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, json};
use shipsec_core::{
    ComponentError, Context, NoParams, NoPorts, Registry, RunId, component,
    event::{Event, EventKind, WorkflowStatus},
    execute::{Executor, LocalExecutor, RunRequest},
    storage::{ArtifactStore, Retention, prune},
    trace::{MemoryStore, RunFilter, TraceStore},
    workflow::{EntryPoint, Graph, compile},
};

/// Stores one artifact that every run stores, and one of its own.
#[component(id = "test.store", version = "1.0.0", category = "test")]
async fn store(_: NoPorts, _: NoParams, cx: &Context) -> Result<NoPorts, ComponentError> {
    cx.emit_artifact("same.txt", "text/plain", "the same")
        .await?;
    cx.emit_artifact("own.txt", "text/plain", cx.run_id().to_string())
        .await?;
    Ok(NoPorts {})
}

struct World {
    store: Arc<dyn TraceStore>,
    artifacts: ArtifactStore,
    executor: LocalExecutor,
}

impl World {
    fn new() -> Self {
        let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
        let artifacts = ArtifactStore::memory();
        let executor = LocalExecutor::builder(store.clone())
            .artifacts(artifacts.clone())
            .build();
        Self {
            store,
            artifacts,
            executor,
        }
    }

    async fn run(&self) -> RunId {
        let mut registry = Registry::new();
        registry.register_dyn(Arc::new(EntryPoint::new())).unwrap();
        registry.register(Store).unwrap();
        let graph: Graph = serde_json::from_value(json!({
            "nodes": [{"id": "start", "type": "core.workflow.entrypoint"}, {"id": "a", "type": "test.store"}],
            "edges": [{"id": "e", "source": "start", "target": "a"}],
        }))
        .unwrap();
        let plan = compile(&graph, &registry).unwrap().plan;
        let request = RunRequest::new(plan).with_inputs(Map::new());
        let handle = self.executor.start(request).await.unwrap();
        assert!(handle.wait().await.is_completed());
        handle.id().clone()
    }

    /// Every artifact that a log refers to is there; how many runs there are.
    async fn whole(&self) -> usize {
        let runs = self.store.runs(&RunFilter::default()).await.unwrap();
        for run in &runs {
            for event in self.store.read(&run.run_id, 0, usize::MAX).await.unwrap() {
                if let EventKind::NodeArtifact(artifact) = &event.kind {
                    self.artifacts.get_bytes(&artifact.location).await.unwrap();
                }
            }
        }
        runs.len()
    }
}

fn all() -> Retention {
    let mut retention = Retention::older_than(Duration::ZERO);
    retention.grace = Duration::ZERO;
    retention
}

#[tokio::test]
async fn what_nothing_refers_to_goes_and_the_rest_stays() {
    let world = World::new();
    for _ in 0..3 {
        world.run().await;
    }
    let mut two = all();
    two.keep = 1;
    two.dry_run = true;
    let told = prune(&world.store, &world.artifacts, &two).await.unwrap();
    assert_eq!((told.runs.len(), told.artifacts), (2, 2));
    assert_eq!(world.whole().await, 3);
    two.dry_run = false;
    let done = prune(&world.store, &world.artifacts, &two).await.unwrap();
    assert_eq!(done, told);
    assert_eq!(done.bytes, 2 * 36);
    // What all had in common is still referred to by the one that is left.
    assert_eq!(world.whole().await, 1);
    let again = prune(&world.store, &world.artifacts, &two).await.unwrap();
    assert!(again.runs.is_empty() && again.artifacts == 0);
    let last = prune(&world.store, &world.artifacts, &all()).await.unwrap();
    assert_eq!((last.runs.len(), last.artifacts), (1, 2));
}

#[tokio::test]
async fn what_is_young_or_ended_otherwise_stays() {
    let world = World::new();
    world.run().await;
    let mut failed = all();
    failed.status = vec![WorkflowStatus::Failed];
    let young = Retention::older_than(Duration::from_secs(60));
    for retention in [failed, young] {
        let done = prune(&world.store, &world.artifacts, &retention)
            .await
            .unwrap();
        assert_eq!(done.runs.len(), 0);
    }
    // An artifact whose event is on its way is younger than the grace.
    let stored = world.artifacts.put("on its way".into()).await.unwrap();
    let mut graceful = all();
    graceful.grace = Duration::from_secs(3600);
    let done = prune(&world.store, &world.artifacts, &graceful)
        .await
        .unwrap();
    assert_eq!((done.runs.len(), done.artifacts), (1, 0));
    world.artifacts.get_bytes(&stored.location).await.unwrap();
}

/// A run refers to artifacts of another that is gone: from values, and from what later versions write.
#[tokio::test]
async fn what_values_refer_to_stays() {
    let world = World::new();
    let by_location = world.artifacts.put("by location".into()).await.unwrap();
    let by_digest = world.artifacts.put("by digest".into()).await.unwrap();
    let forgotten = world.artifacts.put("forgotten".into()).await.unwrap();
    let event = |sequence: u64, event_type: &str, payload: serde_json::Value| {
        let event = json!({"runId": "other", "sequence": sequence, "type": event_type, "level": "info",
            "timestamp": "2025-10-16T09:12:03Z", "nodeId": "a", "attempt": 1, "counter": sequence,
            "payload": payload});
        Event::from_json(&event.to_string()).unwrap().record
    };
    let records = vec![
        event(
            1,
            "NODE_COMPLETED",
            json!({"outputs": {"file": {"at": by_location.location}}, "durationMs": 1}),
        ),
        event(
            2,
            "OF_LATER_VERSIONS",
            json!({"text": format!("sum \u{8}{} of a file", by_digest.sha256)}),
        ),
    ];
    let other = RunId::parse("other").unwrap();
    world.store.append(&other, records).await.unwrap();
    let done = prune(&world.store, &world.artifacts, &all()).await.unwrap();
    assert_eq!((done.runs.len(), done.artifacts), (0, 1));
    for kept in [by_location, by_digest] {
        world.artifacts.get_bytes(&kept.location).await.unwrap();
    }
    assert!(
        world
            .artifacts
            .get_bytes(&forgotten.location)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_run_that_goes_on_is_held() {
    let world = World::new();
    let run = world.run().await;
    let hour = Duration::from_secs(3600);
    let lease = world.store.acquire(&run, "somebody", hour).await.unwrap();
    let held = prune(&world.store, &world.artifacts, &all()).await.unwrap();
    assert_eq!((held.runs.len(), held.held), (0, vec![run]));
    assert_eq!(world.whole().await, 1);
    world.store.release(&lease).await.unwrap();
}

/// Several prune while runs come and go: nothing that a log refers to is ever missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_prune_at_once() {
    let world = Arc::new(World::new());
    let mut retention = all();
    retention.grace = Duration::from_secs(60);
    retention.keep = 2;
    let mut tasks = Vec::new();
    for task in 0..4 {
        let (world, retention) = (world.clone(), retention.clone());
        tasks.push(tokio::spawn(async move {
            for _ in 0..10 {
                if task < 2 {
                    world.run().await;
                } else {
                    prune(&world.store, &world.artifacts, &retention)
                        .await
                        .unwrap();
                }
                world.whole().await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    prune(&world.store, &world.artifacts, &retention)
        .await
        .unwrap();
    assert_eq!(world.whole().await, 2);
}
