//! Components that ask a person.

use std::sync::Arc;

use futures::StreamExt;
use serde_json::{Value as Json, json};
use shipsec_components::registry;
use shipsec_core::{
    event::{Event, EventKind},
    execute::{Executor, LocalExecutor, RunRequest},
    run::{NodeState, RunView},
    trace::{MemoryStore, TraceStore, TraceStoreExt},
    workflow::{Graph, compile},
};
use shipsec_testkit::assert_log_rules;

/// `ask`, and a node behind each of its branches.
fn graph(component: &str, params: Json, branches: &[&str]) -> Graph {
    let mut nodes = vec![
        json!({"id": "start", "type": "core.workflow.entrypoint"}),
        json!({"id": "ask", "type": component, "data": {"config": {"params": params}}}),
    ];
    let mut edges = vec![json!({"id": "e", "source": "start", "target": "ask"})];
    for branch in branches {
        nodes.push(json!({"id": branch, "type": "dev.echo"}));
        edges.push(json!({"id": branch, "source": "ask", "target": branch,
            "sourceHandle": branch, "targetHandle": "value"}));
    }
    if component == "core.approval" {
        nodes[1]["data"]["config"]["inputOverrides"] = json!({"value": "the thing"});
    }
    Graph::from_json(&json!({"name": "Asks", "nodes": nodes, "edges": edges}).to_string()).unwrap()
}

/// Runs it, gives the answers one after the other until one is taken, and tells which branch was
/// taken with which value, and why the others were not.
async fn asked(graph: &Graph, answers: &[Json]) -> (String, Json, Vec<String>) {
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let executor = LocalExecutor::builder(store.clone()).build();
    let plan = compile(graph, &registry()).unwrap().plan;
    let handle = executor.start(RunRequest::new(plan)).await.unwrap();
    let run = handle.id().clone();
    let mut refused = Vec::new();
    if !answers.is_empty() {
        let mut events = store.subscribe(run.clone(), 0);
        while let Some(Ok(event)) = events.next().await {
            if matches!(event.kind, EventKind::NodeAwaitingInput(_)) {
                break;
            }
        }
        for answer in answers {
            match store
                .answer(&run, &"ask".into(), answer.clone(), None)
                .await
            {
                Ok(()) => break,
                Err(error) => refused.push(error.to_string()),
            }
        }
    }
    let outcome = handle.wait().await;
    assert!(outcome.is_completed(), "{outcome:?}");
    let log: Vec<Event> = store.read(&run, 0, usize::MAX).await.unwrap();
    assert_log_rules(&log);
    let view = RunView::from_events(run, &log);
    let mut taken = view.nodes().filter(|(id, node)| {
        !["start", "ask"].contains(&id.as_str()) && node.state == NodeState::Completed
    });
    let (id, node) = taken.next().unwrap();
    assert!(taken.next().is_none(), "one branch is taken");
    let outputs = node.outputs.clone().unwrap();
    let value = outputs.get("value").unwrap().json().unwrap().clone();
    (id.to_string(), value, refused)
}

const WAYS: [&str; 3] = ["approved", "rejected", "timedOut"];

#[tokio::test(start_paused = true)]
async fn an_approval_goes_the_way_of_the_answer() {
    let graph = graph(
        "core.approval",
        json!({"title": "Deploy?", "timeoutSeconds": 60}),
        &WAYS,
    );
    let thing = json!("the thing");
    let yes = json!({"approved": true, "comment": "looks good"});
    let (way, value, _) = asked(&graph, &[yes]).await;
    assert_eq!((way.as_str(), &value), ("approved", &thing));
    let (way, value, refused) = asked(
        &graph,
        &[
            json!({}),
            json!({"approved": "no"}),
            json!({"approved": false}),
        ],
    )
    .await;
    assert_eq!((way.as_str(), &value), ("rejected", &thing));
    insta::assert_snapshot!(refused.join("\n"), @r#"
    the answer does not fit the question of node ask: "approved" is a required property
    the answer does not fit the question of node ask: /approved: "no" is not of type "boolean"
    "#);
    let (way, value, _) = asked(&graph, &[]).await;
    assert_eq!((way.as_str(), &value), ("timedOut", &thing));
}

#[tokio::test(start_paused = true)]
async fn a_form_is_checked_and_filled_up() {
    let fields = json!([
        {"id": "host", "label": "Which host?", "required": true},
        {"id": "port", "type": "number", "default": 443, "required": true},
        {"id": "tls", "type": "boolean"},
        {"id": "team", "type": "select", "options": ["red", "blue"]},
        {"id": "token", "type": "secretName"},
    ]);
    let params = json!({"title": "What to scan?", "fields": fields, "timeoutSeconds": 60});
    let graph = graph("core.form", params, &["submitted", "timedOut"]);
    let answers = [
        json!({"port": 1}),
        json!({"host": "a", "team": "green"}),
        json!({"host": "a", "other": 1}),
        json!({"host": "a", "team": "red", "tls": true}),
    ];
    let (way, value, refused) = asked(&graph, &answers).await;
    assert_eq!(way, "submitted");
    assert_eq!(
        value,
        json!({"host": "a", "port": 443, "team": "red", "tls": true})
    );
    assert_eq!(refused.len(), 3, "{refused:?}");
    let (way, value, _) = asked(&graph, &[]).await;
    assert_eq!((way.as_str(), value), ("timedOut", json!({"port": 443})));
}

#[tokio::test(start_paused = true)]
async fn a_form_that_cannot_be_filled_in_fails() {
    for (fields, expected) in [
        (json!([{"id": "a", "type": "select"}]), "has no options"),
        (json!([{"id": "a"}, {"id": "a"}]), "is there twice"),
        (json!([{"id": ""}]), "has no id"),
    ] {
        let graph = graph(
            "core.form",
            json!({"title": "?", "fields": fields}),
            &["submitted"],
        );
        let plan = compile(&graph, &registry()).unwrap().plan;
        let executor = LocalExecutor::builder(Arc::new(MemoryStore::new())).build();
        let outcome = executor
            .start(RunRequest::new(plan))
            .await
            .unwrap()
            .wait()
            .await;
        let reason = outcome.failure.clone().unwrap().reason;
        assert!(reason.contains(expected), "{reason}");
    }
}
