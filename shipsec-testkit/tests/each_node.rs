//! Disturbing each node finds what is wrong with a workflow, and nothing where it is right.

use std::sync::atomic::{AtomicU32, Ordering};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use shipsec_core::{
    ComponentError, Context, NoParams, Ports, Registry, component,
    event::WorkflowStatus,
    workflow::{EntryPoint, Graph},
};
use shipsec_testkit::{Harness, fail_each_node, repeat_each_node};

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Text {
    /// Text.
    text: Option<String>,
}

/// Writes what it is given.
#[component(id = "test.write", version = "1.0.0", category = "test")]
async fn write(input: Text, _: NoParams, cx: &Context) -> Result<Text, ComponentError> {
    let bytes = input.text.clone().unwrap_or_default();
    cx.emit_artifact("a.txt", "text/plain", bytes).await?;
    Ok(input)
}

/// Writes how often it was called.
#[component(id = "test.count", version = "1.0.0", category = "test")]
async fn count(_: Text, _: NoParams, _: &Context) -> Result<Text, ComponentError> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let calls = CALLS.fetch_add(1, Ordering::Relaxed);
    Ok(Text {
        text: Some(calls.to_string()),
    })
}

fn harness() -> Harness {
    let mut registry = Registry::new();
    let entry = std::sync::Arc::new(EntryPoint::new());
    registry.register_dyn(entry).unwrap();
    registry.register(Write).unwrap();
    registry.register(Count).unwrap();
    Harness::new(registry)
}

/// `first`, whose failure `handler` handles, then `last`.
fn graph(first: &str) -> Graph {
    serde_json::from_value(json!({
        "nodes": [
            { "id": "start", "type": "core.workflow.entrypoint" },
            { "id": "first", "type": first,
              "data": { "config": { "inputOverrides": { "text": "a" } } } },
            { "id": "handler", "type": "test.write" },
            { "id": "last", "type": "test.write" },
        ],
        "edges": [
            { "id": "e1", "source": "start", "target": "first" },
            { "id": "e2", "source": "first", "target": "handler", "kind": "error" },
            { "id": "e3", "source": "first", "target": "last",
              "sourceHandle": "text", "targetHandle": "text" },
        ],
    }))
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_failure_ends_as_the_graph_says() {
    let runs = fail_each_node(&harness(), &graph("test.write"), &Map::new()).await;
    let ended: Vec<_> = runs
        .iter()
        .map(|one| (one.node.as_str(), one.run.outcome.status))
        .collect();
    use WorkflowStatus::{Completed, Failed};
    assert_eq!(
        ended,
        [
            ("start", Failed),
            ("first", Completed),
            ("handler", Completed),
            ("last", Failed)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn repeating_what_repeats_well_changes_nothing() {
    let runs = repeat_each_node(&harness(), &graph("test.write"), &Map::new()).await;
    assert_eq!(runs.len(), 4);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "node first gave other outputs")]
async fn a_node_that_gives_something_else_the_second_time_is_found() {
    repeat_each_node(&harness(), &graph("test.count"), &Map::new()).await;
}
