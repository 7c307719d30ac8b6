//! Running one node, or a graph, over the registry that this crate ships.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use shipsec_core::{
    ErrorKind, FileRef,
    context::StaticSecrets,
    event::{ErrorPayload, Event, EventKind, WorkflowStatus},
    execute::{Executor, LocalExecutor, RunHandle, RunOutcome, RunRequest},
    trace::{MemoryStore, TraceStore},
    workflow::{Graph, compile},
};

pub(crate) struct Bench {
    pub(crate) executor: LocalExecutor,
    retry: Json,
}

pub(crate) struct Ended {
    pub(crate) outcome: Arc<RunOutcome>,
    pub(crate) events: Vec<Event>,
}

impl Bench {
    /// One attempt for each node.
    pub(crate) fn new() -> Self {
        Self::with_secrets(StaticSecrets::new())
    }

    pub(crate) fn with_secrets(secrets: StaticSecrets) -> Self {
        let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
        Self {
            executor: LocalExecutor::builder(store)
                .secrets(Arc::new(secrets))
                .build(),
            retry: json!({ "maxAttempts": 1 }),
        }
    }

    /// So many attempts, soon after one another.
    pub(crate) fn attempts(mut self, attempts: u32) -> Self {
        self.retry = json!({ "maxAttempts": attempts, "initialIntervalSeconds": 0.001 });
        self
    }

    /// Runs one node, called `node`, to its end.
    pub(crate) async fn run(&self, component: &str, params: Json, inputs: Json) -> Ended {
        let run = self.start(component, params, inputs).await;
        self.end(&run).await
    }

    pub(crate) async fn start(&self, component: &str, params: Json, inputs: Json) -> RunHandle {
        let config = json!({ "params": params, "inputOverrides": inputs, "retry": self.retry });
        let node = json!({ "id": "node", "type": component, "data": { "config": config } });
        let edge = json!({ "id": "e", "source": "start", "target": "node" });
        self.start_graph(json!([node]), json!([edge])).await
    }

    /// Runs these nodes behind an entry point, called `start`.
    pub(crate) async fn run_graph(&self, nodes: Json, edges: Json) -> Ended {
        let run = self.start_graph(nodes, edges).await;
        self.end(&run).await
    }

    async fn start_graph(&self, nodes: Json, edges: Json) -> RunHandle {
        let mut all = vec![json!({ "id": "start", "type": "core.workflow.entrypoint" })];
        all.extend(nodes.as_array().unwrap().iter().cloned());
        let graph = json!({ "name": "test", "nodes": all, "edges": edges });
        let graph: Graph = serde_json::from_value(graph).unwrap();
        let plan = compile(&graph, &shipsec_components::registry());
        let plan = plan.unwrap_or_else(|found| panic!("{found}")).plan;
        let request = RunRequest::new(plan).with_inputs(Map::new());
        self.executor.start(request).await.unwrap()
    }

    pub(crate) async fn end(&self, run: &RunHandle) -> Ended {
        let outcome = run.wait().await;
        let store = self.executor.store();
        let events = store.read(run.id(), 0, usize::MAX).await.unwrap();
        Ended { outcome, events }
    }

    /// The bytes of an artifact.
    pub(crate) async fn bytes(&self, file: &FileRef) -> Vec<u8> {
        let artifacts = self.executor.artifacts();
        artifacts.get_bytes(&file.location).await.unwrap().to_vec()
    }
}

impl Ended {
    /// An output of a node that completed; null where it has no value.
    pub(crate) fn output(&self, node: &str, port: &str) -> Json {
        assert_eq!(
            self.outcome.status,
            WorkflowStatus::Completed,
            "{:?}",
            self.outcome.failure
        );
        let outputs = &self.outcome.outputs[node];
        let value = outputs.get(port).map(|value| value.json().unwrap().clone());
        value.unwrap_or_default()
    }

    pub(crate) fn file(&self, port: &str) -> FileRef {
        serde_json::from_value(self.output("node", port)).unwrap()
    }

    /// Why `node` failed the last time.
    pub(crate) fn error(&self) -> ErrorPayload {
        let failed = self
            .events
            .iter()
            .rev()
            .find_map(|event| match &event.kind {
                EventKind::NodeFailed(failed) => Some(failed.error.clone()),
                _ => None,
            });
        failed.unwrap_or_else(|| panic!("nothing failed: {:?}", self.outcome))
    }

    /// Asserts how `node` failed, and what the message names.
    pub(crate) fn failed(&self, kind: ErrorKind, names: &str) -> ErrorPayload {
        let error = self.error();
        assert_eq!(error.kind, kind, "{}", error.message);
        assert!(
            error.message.contains(names),
            "{:?} does not name {names:?}",
            error.message
        );
        error
    }

    /// The log, an event a line.
    pub(crate) fn jsonl(&self) -> String {
        let line = |event: &Event| serde_json::to_string(event).unwrap() + "\n";
        self.events.iter().map(line).collect()
    }
}
