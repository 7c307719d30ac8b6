//! What every component must do.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use shipsec_core::{
    component::DynComponent,
    context::StaticSecrets,
    event::{Event, EventKind, WorkflowStatus},
    execute::{Executor, LocalExecutor, RunRequest},
    trace::{MemoryStore, TraceStore},
    workflow::{EntryPoint, compile},
};

use crate::harness::{Harness, single};

/// How a component is tried.
#[derive(Debug, Clone)]
pub struct Compliance {
    params: Json,
    inputs: Json,
    secrets: Vec<(&'static str, String)>,
    may_fail: bool,
}

impl Default for Compliance {
    fn default() -> Self {
        Self {
            params: json!({}),
            inputs: json!({}),
            secrets: Vec::new(),
            may_fail: false,
        }
    }
}

impl Compliance {
    /// Without parameters, inputs and secrets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the parameters.
    #[must_use]
    pub fn params(mut self, params: Json) -> Self {
        self.params = params;
        self
    }

    /// Sets the inputs.
    #[must_use]
    pub fn inputs(mut self, inputs: Json) -> Self {
        self.inputs = inputs;
        self
    }

    /// Adds a secret; its value must reach no event.
    #[must_use]
    pub fn secret(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.secrets.push((name, value.into()));
        self
    }

    /// The component is meant to fail with these parameters and inputs.
    #[must_use]
    pub fn may_fail(mut self) -> Self {
        self.may_fail = true;
        self
    }
}

/// Holds a component to its contract: each attempt starts and ends once, progress never falls,
/// nothing comes after the end, no secret is in any event, the output fits its schema, it ends
/// promptly when it is cancelled, and its ports and parameters are described.
///
/// # Panics
///
/// When the component breaks one of these promises, saying which.
pub async fn assert_component_compliance(component: Arc<dyn DynComponent>, trial: Compliance) {
    described(&component);
    let mut secrets = StaticSecrets::new();
    for (name, value) in &trial.secrets {
        secrets = secrets.with(*name, value.clone());
    }
    let harness = Harness::default().secrets(secrets.clone());
    let ran = harness
        .run_dyn(&component, trial.params.clone(), trial.inputs.clone())
        .await;
    let id = &component.definition().id;
    if !trial.may_fail {
        assert_eq!(
            ran.outcome.status,
            WorkflowStatus::Completed,
            "{id}: {:?}",
            ran.outcome.failure
        );
    }
    in_order(id.as_str(), &ran.events);
    let log = ran.jsonl();
    for (name, value) in &trial.secrets {
        assert!(
            !log.contains(value.as_str()),
            "{id}: the secret {name} is in the log"
        );
    }
    cancels(&component, &trial, secrets).await;
}

fn described(component: &Arc<dyn DynComponent>) {
    let definition = component.definition();
    let id = &definition.id;
    assert!(!definition.description.is_empty(), "{id}: no description");
    for port in definition.inputs.iter().chain(definition.outputs.iter()) {
        assert!(
            !port.description.is_empty(),
            "{id}: port {} has no description",
            port.id
        );
    }
    for param in &definition.params {
        assert!(
            !param.description.is_empty(),
            "{id}: parameter {} has no description",
            param.id
        );
    }
}

fn in_order(id: &str, events: &[Event]) {
    let of_node = |event: &&Event| event.node_id().is_some_and(|node| node == "node");
    let mut open: Option<u32> = None;
    let mut ended = 0;
    let mut done = 0;
    for event in events.iter().filter(of_node) {
        match &event.kind {
            EventKind::NodeStarted(_) => {
                assert_eq!(
                    open, None,
                    "{id}: attempt {} begins inside another",
                    event.attempt
                );
                assert_eq!(
                    event.attempt,
                    ended + 1,
                    "{id}: attempts are not counted one by one"
                );
                (open, done) = (Some(event.attempt), 0);
            }
            EventKind::NodeCompleted(_)
            | EventKind::NodeFailed(_)
            | EventKind::NodeCancelled(_) => {
                assert_eq!(
                    open.take(),
                    Some(event.attempt),
                    "{id}: an end without a start"
                );
                ended = event.attempt;
            }
            kind => {
                assert_eq!(
                    open,
                    Some(event.attempt),
                    "{id}: {} outside of its attempt",
                    kind.type_name()
                );
                if let EventKind::NodeProgress(progress) = kind
                    && let Some(now) = progress.done
                {
                    assert!(now >= done, "{id}: progress falls from {done} to {now}");
                    done = now;
                }
            }
        }
    }
    assert_eq!(open, None, "{id}: an attempt without an end");
    assert!(ended > 0, "{id}: it never ended");
}

/// Cancelled as soon as it has started, the run ends without the component being dropped.
async fn cancels(component: &Arc<dyn DynComponent>, trial: &Compliance, secrets: StaticSecrets) {
    let id = &component.definition().id;
    let mut registry = shipsec_core::Registry::new();
    let _ = registry.register_dyn(Arc::new(EntryPoint::new()));
    let _ = registry.register_dyn(component.clone());
    let graph = single(component, trial.params.clone(), trial.inputs.clone());
    let plan = compile(&graph, &registry)
        .unwrap_or_else(|found| panic!("{id}: {found}"))
        .plan;
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let executor = LocalExecutor::builder(store.clone())
        .secrets(Arc::new(secrets))
        .build();
    let handle = executor
        .start(RunRequest::new(plan))
        .await
        .unwrap_or_else(|error| panic!("{id}: {error}"));
    handle.cancel("compliance");
    handle.wait().await;
    let events = store
        .read(handle.id(), 0, usize::MAX)
        .await
        .unwrap_or_default();
    let dropped = events.iter().any(|event| {
        event
            .message
            .as_deref()
            .is_some_and(|text| text.contains("did not stop within"))
    });
    assert!(!dropped, "{id}: it did not stop when it was cancelled");
}
