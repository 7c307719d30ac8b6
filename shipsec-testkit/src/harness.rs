//! Running a graph or a component in this process.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value as Json, json};
use shipsec_core::{
    Registry,
    component::{Component, DynComponent, erase},
    context::{SecretSource, StaticSecrets},
    event::{Event, Timestamp},
    execute::{Executor, LocalExecutor, RunOutcome, RunRequest},
    storage::ArtifactStore,
    trace::{MemoryStore, TraceStore},
    workflow::{EntryPoint, Graph, compile},
};

/// Runs graphs and components in this process: logs and artifacts in memory, every run beginning
/// at 2025-01-01T00:00:00Z. With `#[tokio::test(start_paused = true)]` the clock is virtual: waits
/// take no time, and the log is the same each time.
#[derive(Debug)]
pub struct Harness {
    registry: Arc<Registry>,
    secrets: Arc<dyn SecretSource>,
    artifacts: ArtifactStore,
    store: Arc<dyn TraceStore>,
    grace: Duration,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub outcome: Arc<RunOutcome>,
    /// Its log.
    pub events: Vec<Event>,
}

impl Finished {
    /// An output of a node that nothing depends on, as JSON.
    pub fn output(&self, node: &str, port: &str) -> Option<Json> {
        self.outcome
            .outputs
            .get(node)?
            .get(port)?
            .json()
            .ok()
            .cloned()
    }

    /// The log as JSON, an event a line.
    pub fn jsonl(&self) -> String {
        let line = |event: &Event| serde_json::to_string(event).unwrap_or_default() + "\n";
        self.events.iter().map(line).collect()
    }
}

/// 2025-01-01T00:00:00Z.
const BEGIN: Timestamp = Timestamp::from_micros(1_735_689_600_000_000);

impl Default for Harness {
    fn default() -> Self {
        let mut registry = Registry::new();
        // An empty registry takes it.
        let _ = registry.register_dyn(Arc::new(EntryPoint::new()));
        Self::new(registry)
    }
}

impl Harness {
    /// Over the components of a registry.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry: Arc::new(registry),
            secrets: Arc::new(StaticSecrets::new()),
            artifacts: ArtifactStore::memory(),
            store: Arc::new(MemoryStore::new()),
            grace: Duration::from_secs(10),
        }
    }

    /// Sets where secrets come from.
    #[must_use]
    pub fn secrets(mut self, secrets: impl SecretSource) -> Self {
        self.secrets = Arc::new(secrets);
        self
    }

    /// Sets where logs are kept.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn TraceStore>) -> Self {
        self.store = store;
        self
    }

    /// Sets the grace time of nodes that are asked to stop.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Where artifacts are kept.
    pub fn artifacts(&self) -> &ArtifactStore {
        &self.artifacts
    }

    /// An executor as the harness uses it.
    pub fn executor(&self) -> LocalExecutor {
        self.executor_on(self.store.clone())
    }

    /// The same over another store.
    pub fn executor_on(&self, store: Arc<dyn TraceStore>) -> LocalExecutor {
        LocalExecutor::builder(store)
            .registry(self.registry.clone())
            .artifacts(self.artifacts.clone())
            .secrets(self.secrets.clone())
            .grace(self.grace)
            .clock(BEGIN)
            .build()
    }

    /// Runs a graph to its end.
    ///
    /// # Panics
    ///
    /// When the graph does not compile, the inputs do not fit, or the store fails.
    pub async fn run(&self, graph: &Graph, inputs: Map<String, Json>) -> Finished {
        let compiled = compile(graph, &self.registry)
            .unwrap_or_else(|diagnostics| panic!("the graph does not compile:\n{diagnostics}"));
        let request = RunRequest::new(compiled.plan).with_inputs(inputs);
        let executor = self.executor();
        let handle = executor
            .start(request)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let outcome = handle.wait().await;
        let events = self.store.read(handle.id(), 0, usize::MAX).await;
        Finished {
            outcome,
            events: events.unwrap_or_else(|error| panic!("{error}")),
        }
    }

    /// Runs one component as node `node`, with these parameters and values of its inputs. Secret
    /// inputs are given as `{"secretRef": "NAME"}`.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    pub async fn run_component<C: Component>(
        &self,
        component: C,
        params: Json,
        inputs: Json,
    ) -> Finished {
        self.run_dyn(&erase(component), params, inputs).await
    }

    /// As [`run_component`](Self::run_component), for a component behind a pointer.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    pub async fn run_dyn(
        &self,
        component: &Arc<dyn DynComponent>,
        params: Json,
        inputs: Json,
    ) -> Finished {
        let graph = single(component, params, inputs);
        let mut registry = Registry::new();
        let _ = registry.register_dyn(Arc::new(EntryPoint::new()));
        let _ = registry.register_dyn(component.clone());
        self.over(registry).run(&graph, Map::new()).await
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The same, over other components.
    pub(crate) fn over(&self, registry: Registry) -> Self {
        Self {
            registry: Arc::new(registry),
            secrets: self.secrets.clone(),
            artifacts: self.artifacts.clone(),
            store: self.store.clone(),
            grace: self.grace,
        }
    }
}

/// A graph of an entry point and one node.
pub(crate) fn single(component: &Arc<dyn DynComponent>, params: Json, inputs: Json) -> Graph {
    let definition = component.definition();
    let overrides = match inputs {
        Json::Object(inputs) => inputs,
        _ => Map::new(),
    };
    let graph = json!({
        "name": definition.id.as_str(),
        "nodes": [
            { "id": "start", "type": "core.workflow.entrypoint" },
            {
                "id": "node", "type": definition.id.as_str(), "version": &*definition.version,
                "data": { "config": { "params": params, "inputOverrides": overrides } },
            },
        ],
        "edges": [{ "id": "e1", "source": "start", "target": "node" }],
    });
    serde_json::from_value(graph).unwrap_or_default()
}
