//! Running one node, or a graph, over the registry that this crate ships.

use serde_json::{Map, Value as Json, json};
use shipsec_core::{
    ErrorKind, FileRef,
    context::StaticSecrets,
    event::{ErrorPayload, Event, EventKind, WorkflowStatus},
    execute::{Executor, LocalExecutor, RunHandle, RunOutcome, RunRequest},
    workflow::{Graph, compile},
};
use shipsec_testkit::{Finished, Harness};

pub(crate) struct Bench {
    harness: Harness,
    retry: Json,
}

pub(crate) struct Ended(Finished);

impl Bench {
    /// One attempt for each node.
    pub(crate) fn new() -> Self {
        Self::with_secrets(StaticSecrets::new())
    }

    pub(crate) fn with_secrets(secrets: StaticSecrets) -> Self {
        Self {
            harness: Harness::new(shipsec_components::registry()).secrets(secrets),
            retry: json!({ "maxAttempts": 1 }),
        }
    }

    /// So many attempts, soon after one another.
    pub(crate) fn attempts(mut self, attempts: u32) -> Self {
        self.retry = json!({ "maxAttempts": attempts, "initialIntervalSeconds": 0.001 });
        self
    }

    fn single(&self, component: &str, params: Json, inputs: Json) -> Graph {
        let config = json!({ "params": params, "inputOverrides": inputs, "retry": self.retry });
        let node = json!({ "id": "node", "type": component, "data": { "config": config } });
        let edge = json!({ "id": "e", "source": "start", "target": "node" });
        graph(json!([node]), json!([edge]))
    }

    /// Runs one node, called `node`, to its end.
    pub(crate) async fn run(&self, component: &str, params: Json, inputs: Json) -> Ended {
        let graph = self.single(component, params, inputs);
        Ended(self.harness.run(&graph, Map::new()).await)
    }

    /// Runs these nodes behind an entry point, called `start`.
    pub(crate) async fn run_graph(&self, nodes: Json, edges: Json) -> Ended {
        Ended(self.harness.run(&graph(nodes, edges), Map::new()).await)
    }

    /// Starts one node, called `node`.
    pub(crate) async fn start(&self, component: &str, params: Json, inputs: Json) -> Started {
        let graph = self.single(component, params, inputs);
        let plan = compile(&graph, &shipsec_components::registry());
        let plan = plan.unwrap_or_else(|found| panic!("{found}")).plan;
        let executor = self.harness.executor();
        let run = executor.start(RunRequest::new(plan)).await.unwrap();
        Started { executor, run }
    }

    /// The bytes of an artifact.
    pub(crate) async fn bytes(&self, file: &FileRef) -> Vec<u8> {
        let artifacts = self.harness.artifacts();
        artifacts.get_bytes(&file.location).await.unwrap().to_vec()
    }
}

fn graph(nodes: Json, edges: Json) -> Graph {
    let mut all = vec![json!({ "id": "start", "type": "core.workflow.entrypoint" })];
    all.extend(nodes.as_array().unwrap().iter().cloned());
    let graph = json!({ "name": "test", "nodes": all, "edges": edges });
    serde_json::from_value(graph).unwrap()
}

/// A run that goes on.
pub(crate) struct Started {
    // It holds the run's log.
    executor: LocalExecutor,
    run: RunHandle,
}

impl Started {
    pub(crate) fn cancel(&self) {
        self.run.cancel("enough");
    }

    pub(crate) async fn end(self) -> Ended {
        let outcome = self.run.wait().await;
        let store = self.executor.store();
        let events = store.read(self.run.id(), 0, usize::MAX).await.unwrap();
        Ended(Finished { outcome, events })
    }
}

impl Ended {
    /// An output of a node that completed; null where it has no value.
    pub(crate) fn output(&self, node: &str, port: &str) -> Json {
        let outcome = self.outcome();
        let status = outcome.status;
        assert_eq!(status, WorkflowStatus::Completed, "{:?}", outcome.failure);
        self.0.output(node, port).unwrap_or_default()
    }

    pub(crate) fn file(&self, port: &str) -> FileRef {
        serde_json::from_value(self.output("node", port)).unwrap()
    }

    /// Why `node` failed the last time.
    pub(crate) fn error(&self) -> ErrorPayload {
        let failed = self
            .events()
            .iter()
            .rev()
            .find_map(|event| match &event.kind {
                EventKind::NodeFailed(failed) => Some(failed.error.clone()),
                _ => None,
            });
        failed.unwrap_or_else(|| panic!("nothing failed: {:?}", self.outcome()))
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

    pub(crate) fn events(&self) -> &[Event] {
        &self.0.events
    }

    pub(crate) fn outcome(&self) -> &RunOutcome {
        &self.0.outcome
    }

    pub(crate) fn jsonl(&self) -> String {
        self.0.jsonl()
    }
}
