//! Workflows that call workflows.

use std::sync::Arc;

use futures::StreamExt;
use serde_json::{Value as Json, json};
use shipsec_components::registry;
use shipsec_core::{
    RunId,
    context::StaticSecrets,
    event::{Event, EventKind, Relation, WorkflowStatus},
    execute::{Executor, LocalExecutor, RunHandle, RunRequest},
    run::{NodeState, RunView},
    trace::{MemoryStore, RunFilter, TraceStore, TraceStoreExt},
    workflow::{Graph, StaticWorkflows, compile},
};
use shipsec_testkit::assert_log_rules;

/// A graph of an entry point and nodes in a chain.
fn chain(name: &str, inputs: &[&str], nodes: &[Json], edges: &[Json]) -> Graph {
    let inputs: Vec<Json> = inputs
        .iter()
        .map(|id| json!({"id": id, "type": "any", "required": false}))
        .collect();
    let mut all = vec![json!({"id": "start", "type": "core.workflow.entrypoint",
        "data": {"config": {"params": {"runtimeInputs": inputs}}}})];
    all.extend(nodes.iter().cloned());
    let graph = json!({"id": name, "name": name, "nodes": all, "edges": edges});
    Graph::from_json(&graph.to_string()).unwrap()
}

fn node(id: &str, component: &str, params: Json) -> Json {
    json!({"id": id, "type": component, "data": {"config": {"params": params}}})
}

fn edge(source: &str, target: &str) -> Json {
    json!({"id": format!("{source}-{target}"), "source": source, "target": target})
}

fn value(source: &str, from: &str, target: &str, to: &str) -> Json {
    json!({"id": format!("{source}.{from}-{target}.{to}"), "source": source, "target": target,
           "sourceHandle": from, "targetHandle": to})
}

/// Sleeps, then gives back what it was given.
fn inner() -> Graph {
    chain(
        "inner",
        &["x"],
        &[
            node("nap", "dev.sleep", json!({"ms": 50})),
            node("echo", "dev.echo", json!({})),
        ],
        &[
            value("start", "x", "nap", "value"),
            value("nap", "value", "echo", "value"),
        ],
    )
}

/// Calls `workflow`, then echoes what it gave.
fn outer(params: Json) -> Graph {
    let mut call = node("call", "core.workflow.call", params);
    call["data"]["config"]["inputOverrides"] = json!({"inputs": {"x": 7}});
    chain(
        "outer",
        &[],
        &[call, node("after", "dev.echo", json!({}))],
        &[
            edge("start", "call"),
            value("call", "outputs", "after", "value"),
        ],
    )
}

struct World {
    store: Arc<dyn TraceStore>,
    executor: LocalExecutor,
}

fn world_on(store: Arc<dyn TraceStore>, workflows: StaticWorkflows) -> World {
    let executor = LocalExecutor::builder(store.clone())
        .registry(Arc::new(registry()))
        .workflows(Arc::new(workflows))
        .secrets(Arc::new(StaticSecrets::new().with("KEY", "made-up-s3cr3t")))
        .lease(std::time::Duration::ZERO)
        .build();
    World { store, executor }
}

fn world() -> World {
    world_on(
        Arc::new(MemoryStore::new()),
        StaticWorkflows::new().with("inner", inner()),
    )
}

impl World {
    async fn start(&self, graph: &Graph) -> RunHandle {
        let plan = compile(graph, &registry()).unwrap().plan;
        self.executor.start(RunRequest::new(plan)).await.unwrap()
    }

    async fn log(&self, run: &RunId) -> Vec<Event> {
        self.store.read(run, 0, usize::MAX).await.unwrap()
    }

    async fn view(&self, run: &RunId) -> RunView {
        RunView::from_events(run.clone(), &self.log(run).await)
    }

    /// Why the node that calls failed.
    async fn failure(&self, graph: &Graph) -> String {
        let outcome = self.start(graph).await.wait().await;
        outcome.failure.clone().expect("it failed").reason
    }
}

#[tokio::test(start_paused = true)]
async fn a_workflow_runs_as_a_child() {
    let world = world();
    let graph = json!(inner());
    for params in [json!({"workflow": "inner"}), json!({ "graph": graph })] {
        let handle = world.start(&outer(params)).await;
        let outcome = handle.wait().await;
        let given = outcome.outputs["after"]
            .get("value")
            .unwrap()
            .json()
            .unwrap()
            .clone();
        assert_eq!(given, json!({"echo": {"value": 7}}));
        // Each names the other.
        let parent = world.view(handle.id()).await;
        let children = parent.node("call").unwrap().child_runs.clone().unwrap();
        let child = world.view(&children[0]).await;
        let link = child.parent.clone().unwrap();
        assert_eq!((&link.run_id, link.relation), (handle.id(), Relation::Call));
        assert_eq!(link.node_id.unwrap(), "call");
        assert_eq!(link.callers.len(), 1);
        assert_eq!(child.status, WorkflowStatus::Completed);
        assert_eq!(child.trigger.clone().unwrap().kind, "workflow");
        for run in [handle.id(), &children[0]] {
            assert_log_rules(&world.log(run).await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_the_child_is_the_nodes() {
    let failing = chain(
        "inner",
        &["x"],
        &[node(
            "bad",
            "dev.fail",
            json!({"kind": "ValidationError", "message": "as asked"}),
        )],
        &[edge("start", "bad")],
    );
    let world = world_on(
        Arc::new(MemoryStore::new()),
        StaticWorkflows::new().with("inner", failing),
    );
    let reason = world.failure(&outer(json!({"workflow": "inner"}))).await;
    assert!(
        reason.starts_with("node call failed: ValidationError: run "),
        "{reason}"
    );
    assert!(
        reason.contains("node bad failed: ValidationError: as asked"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn circles_and_depths_are_refused() {
    let calls = |id: &str, to: &str| {
        chain(
            id,
            &["x"],
            &[node("call", "core.workflow.call", json!({"workflow": to}))],
            &[edge("start", "call")],
        )
    };
    let circle = StaticWorkflows::new()
        .with("a", calls("a", "b"))
        .with("b", calls("b", "a"));
    let world = world_on(Arc::new(MemoryStore::new()), circle);
    let reason = world.failure(&calls("a", "b")).await;
    assert!(
        reason.contains("workflows call each other in a circle: a → b → a"),
        "{reason}"
    );

    let mut deep = StaticWorkflows::new();
    for level in 0..30 {
        deep = deep.with(
            format!("w{level}"),
            calls(&format!("w{level}"), &format!("w{}", level + 1)),
        );
    }
    let world = world_on(Arc::new(MemoryStore::new()), deep);
    let reason = world.failure(&calls("w0", "w1")).await;
    assert!(
        reason.contains("more than 16 levels deep: w0 → w1"),
        "{reason}"
    );
    let runs = world.store.runs(&RunFilter::default()).await.unwrap();
    assert!(runs.len() <= 16, "{}", runs.len());
    assert!(runs.iter().all(|run| run.status.is_final()));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_called_says_why() {
    let world = world();
    for (params, expected) in [
        (json!({}), "give either workflow or graph"),
        (
            json!({"workflow": "nowhere"}),
            "there is no workflow nowhere: the host has inner",
        ),
        (json!({"graph": {"nodes": []}}), "no-entry-point"),
        (json!({"graph": {"nodes": 1}}), "parameter graph"),
    ] {
        let reason = world.failure(&outer(params)).await;
        assert!(reason.contains(expected), "{reason}");
    }
    let mut needs = inner();
    needs.nodes[0].data.config.params["runtimeInputs"][0]["id"] = "other".into();
    needs.nodes[0].data.config.params["runtimeInputs"][0]["required"] = true.into();
    needs.edges[0].source_handle = Some("other".into());
    let reason = world.failure(&outer(json!({"graph": json!(needs)}))).await;
    assert!(
        reason.contains("the inputs do not fit the workflow that is called"),
        "{reason}"
    );
}

/// A secret goes into a child by its name alone, and does not come out of it.
#[tokio::test(start_paused = true)]
async fn secrets_stay_where_they_are() {
    let world = world();
    let fetching = chain(
        "inner",
        &["x"],
        &[
            node("fetch", "core.secret.fetch", json!({"name": "KEY"})),
            node("echo", "dev.echo", json!({})),
        ],
        &[
            edge("start", "fetch"),
            value("start", "x", "echo", "value"),
            edge("fetch", "echo"),
        ],
    );
    let handle = world.start(&outer(json!({"graph": json!(fetching)}))).await;
    assert!(handle.wait().await.is_completed());
    for run in world.store.runs(&RunFilter::default()).await.unwrap() {
        for event in world.log(&run.run_id).await {
            assert!(
                !serde_json::to_string(&event)
                    .unwrap()
                    .contains("made-up-s3cr3t")
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cancelling_reaches_the_child() {
    for terminate in [false, true] {
        let world = world();
        let mut slow = inner();
        slow.nodes[1].data.config.params = json!({"ms": 60_000}).as_object().unwrap().clone();
        let handle = world.start(&outer(json!({"graph": json!(slow)}))).await;
        let mut events = world.store.subscribe(handle.id().clone(), 0);
        let child = loop {
            let event = events.next().await.unwrap().unwrap();
            if let EventKind::NodeChildStarted(link) = &event.kind {
                break link.run_id.clone();
            }
        };
        world.store.wait_beyond(&child, 3).await.unwrap();
        match terminate {
            false => handle.cancel("enough"),
            true => handle.terminate("now"),
        }
        let outcome = handle.wait().await;
        let expected = match terminate {
            false => WorkflowStatus::Cancelled,
            true => WorkflowStatus::Terminated,
        };
        assert_eq!(outcome.status, expected);
        let mut events = world.store.subscribe(child.clone(), 0);
        while events.next().await.is_some() {}
        let child = world.view(&child).await;
        assert_eq!(child.status, expected);
    }
}

/// What is in a store when a process dies: of each run the events up to some time.
async fn copy(from: &World, runs: &[(RunId, usize)]) -> Arc<dyn TraceStore> {
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    for (run, cut) in runs {
        let events = from.log(run).await;
        let records = events[..(*cut).min(events.len())].iter().map(|event| {
            let text = serde_json::to_string(event).unwrap();
            serde_json::from_str::<Event>(&text).unwrap().record
        });
        let records: Vec<_> = records.collect();
        if !records.is_empty() {
            store.append(run, records).await.unwrap();
        }
    }
    store
}

#[tokio::test(start_paused = true)]
async fn a_resumed_run_goes_on_with_the_same_child() {
    let world = world();
    let handle = world.start(&outer(json!({"workflow": "inner"}))).await;
    handle.wait().await;
    let parent = handle.id().clone();
    let child = world
        .view(&parent)
        .await
        .node("call")
        .unwrap()
        .child_runs
        .clone()
        .unwrap()[0]
        .clone();
    let (of_parent, of_child) = (world.log(&parent).await, world.log(&child).await);
    let linked = of_parent
        .iter()
        .position(|event| matches!(event.kind, EventKind::NodeChildStarted(_)))
        .unwrap();
    for cut in 0..=of_child.len() {
        let store = copy(
            &world,
            &[(parent.clone(), linked + 1), (child.clone(), cut)],
        )
        .await;
        let again = world_on(store, StaticWorkflows::new().with("inner", inner()));
        let resumed = again.executor.resume_interrupted(10).await.unwrap();
        for (_, handle) in resumed {
            assert!(
                handle.unwrap().wait().await.is_completed(),
                "cut off after event {cut}"
            );
        }
        let runs = again.store.runs(&RunFilter::default()).await.unwrap();
        assert_eq!(runs.len(), 2, "cut off after event {cut}");
        for run in runs {
            let log = again.log(&run.run_id).await;
            assert_log_rules(&log);
            assert_eq!(run.status, WorkflowStatus::Completed);
        }
        let view = again.view(&parent).await;
        assert_eq!(
            &**view.node("call").unwrap().child_runs.as_ref().unwrap(),
            std::slice::from_ref(&child)
        );
    }
}

/// A run that was stopped while its process was dead stops its child too.
#[tokio::test(start_paused = true)]
async fn a_child_that_nobody_waits_for_is_stopped() {
    let world = world();
    let mut slow = inner();
    slow.nodes[1].data.config.params = json!({"ms": 60_000}).as_object().unwrap().clone();
    let handle = world.start(&outer(json!({"graph": json!(slow)}))).await;
    let parent = handle.id().clone();
    let mut events = world.store.subscribe(parent.clone(), 0);
    let child = loop {
        let event = events.next().await.unwrap().unwrap();
        if let EventKind::NodeChildStarted(link) = &event.kind {
            break link.run_id.clone();
        }
    };
    world.store.wait_beyond(&child, 3).await.unwrap();
    let cut = world.log(&child).await.len();
    handle.cancel("enough");
    handle.wait().await;
    // The process died when the request to stop was recorded, and nothing else.
    let log = world.log(&parent).await;
    let asked = log.iter().position(|event| match &event.kind {
        EventKind::WorkflowStatus(payload) => payload.stopping.is_some(),
        _ => false,
    });
    let store = copy(
        &world,
        &[(parent.clone(), asked.unwrap() + 1), (child.clone(), cut)],
    )
    .await;
    let again = world_on(store, StaticWorkflows::new());
    let outcome = again.executor.resume(&parent).await.unwrap().wait().await;
    assert_eq!(outcome.status, WorkflowStatus::Cancelled);
    let mut events = again.store.subscribe(child.clone(), 0);
    while events.next().await.is_some() {}
    assert_eq!(again.view(&child).await.status, WorkflowStatus::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_workflow_can_be_called_for_each_item() {
    let world = world();
    let mut call = node("call", "core.workflow.call", json!({"workflow": "inner"}));
    call["data"]["config"]["forEach"] = json!({"input": "inputs", "concurrency": 2});
    let items: Vec<Json> = (0..5).map(|n| json!({ "x": n })).collect();
    call["data"]["config"]["inputOverrides"] = json!({ "inputs": items });
    let graph = chain(
        "outer",
        &[],
        &[call, node("after", "dev.echo", json!({}))],
        &[
            edge("start", "call"),
            value("call", "outputs", "after", "value"),
        ],
    );
    let handle = world.start(&graph).await;
    let outcome = handle.wait().await;
    let given = outcome.outputs["after"]
        .get("value")
        .unwrap()
        .json()
        .unwrap()
        .clone();
    let expected: Vec<Json> = (0..5).map(|n| json!({"echo": {"value": n}})).collect();
    assert_eq!(given, Json::Array(expected));
    let view = world.view(handle.id()).await;
    let child = |n: u32| {
        view.node(&format!("call[{n}]"))
            .unwrap()
            .child_runs
            .clone()
            .unwrap()
    };
    assert_ne!(child(0), child(1));
    assert_eq!(view.node("call").unwrap().state, NodeState::Completed);
    assert_eq!(
        world.store.runs(&RunFilter::default()).await.unwrap().len(),
        6
    );
}
