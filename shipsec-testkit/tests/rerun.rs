//! Runs that repeat an earlier one, and what they take over.

use std::sync::{Arc, Mutex};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use shipsec_core::{
    ComponentError, Context, NoParams, NodeId, Params, Ports, Registry, RunId, Secret, component,
    context::StaticSecrets,
    event::{Event, EventKind, Relation, WorkflowStatus},
    execute::{Executor, LocalExecutor, RunRequest, StartError},
    run::{NodeState, RunView},
    trace::{MemoryStore, TraceStore},
    workflow::{EntryPoint, Graph, compile},
};
use shipsec_testkit::{Harness, assert_log_rules};

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Text {
    /// Text.
    text: Option<String>,
}

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(default)]
struct Ending {
    /// What is put at the end.
    end: String,
    /// Says nothing about the output.
    idle: bool,
    /// Fails instead.
    fail: bool,
}

/// Puts something at the end.
#[component(id = "test.add", version = "1.0.0", category = "test")]
async fn add(input: Text, add: Ending, _: &Context) -> Result<Text, ComponentError> {
    if add.fail {
        return Err(ComponentError::validation("as asked"));
    }
    let text = format!("{}{}", input.text.unwrap_or_default(), add.end);
    Ok(Text { text: Some(text) })
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Sides {
    /// One side.
    #[port(branching)]
    left: Option<String>,
    /// The other.
    #[port(branching)]
    right: Option<String>,
}

/// Goes left.
#[component(id = "test.branch", version = "1.0.0", category = "test")]
async fn branch(input: Text, _: NoParams, _: &Context) -> Result<Sides, ComponentError> {
    Ok(Sides {
        left: Some(input.text.unwrap_or_default()),
        right: None,
    })
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Token {
    /// The secret itself.
    token: Secret<String>,
    /// Text with the secret in it.
    text: String,
}

/// Fetches a secret.
#[component(id = "test.fetch", version = "1.0.0", category = "test")]
async fn fetch(_: Text, _: NoParams, cx: &Context) -> Result<Token, ComponentError> {
    let token = cx.secret("TOKEN").await?;
    let text = format!("Bearer {}", token.expose()?);
    Ok(Token { token, text })
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Both {
    /// The secret itself.
    token: Secret<String>,
    /// Text with the secret in it.
    text: String,
    /// Whatever makes it run again.
    #[serde(default)]
    other: Option<String>,
}

/// Tells whether the secret is whole.
#[component(id = "test.use", version = "1.0.0", category = "test")]
async fn use_token(input: Both, _: NoParams, _: &Context) -> Result<Text, ComponentError> {
    let whole = input.text == format!("Bearer {}", input.token.expose()?);
    Ok(Text {
        text: Some(format!("whole: {whole}")),
    })
}

/// What there is outside of any run.
static WORLD: Mutex<String> = Mutex::new(String::new());

/// Looks at the world.
#[component(id = "test.look", version = "1.0.0", category = "test", volatile)]
async fn look(_: Text, _: NoParams, _: &Context) -> Result<Text, ComponentError> {
    let text = WORLD.lock().unwrap().clone();
    Ok(Text { text: Some(text) })
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.register(Look).unwrap();
    registry.register_dyn(Arc::new(EntryPoint::new())).unwrap();
    registry.register(Add).unwrap().register(Branch).unwrap();
    registry
        .register(Fetch)
        .unwrap()
        .register(UseToken)
        .unwrap();
    registry
}

/// `start → a → b → d`, `a → c → d`, `start → e`, with these parameters by node.
fn graph(params: &Json) -> Graph {
    let node = |id: &str| {
        let params = params
            .get(id)
            .cloned()
            .unwrap_or_else(|| json!({"end": id}));
        json!({"id": id, "type": "test.add", "data": {"config": {"params": params}}})
    };
    let edge = |source: &str, target: &str| {
        json!({"id": format!("{source}-{target}"), "source": source, "target": target,
               "sourceHandle": "text", "targetHandle": "text"})
    };
    let inputs = json!([{"id": "text", "label": "Text", "type": "text", "required": false}]);
    let start = json!({"id": "start", "type": "core.workflow.entrypoint",
                       "data": {"config": {"params": {"runtimeInputs": inputs}}}});
    let mut nodes = vec![start];
    nodes.extend(["a", "b", "c", "d", "e"].map(node));
    let mut edges = vec![
        edge("start", "a"),
        edge("a", "b"),
        edge("a", "c"),
        edge("b", "d"),
        edge("start", "e"),
    ];
    edges.push(json!({"id": "c-d", "source": "c", "target": "d"}));
    serde_json::from_value(json!({"name": "Again", "nodes": nodes, "edges": edges})).unwrap()
}

struct World {
    harness: Harness,
    store: Arc<dyn TraceStore>,
    executor: LocalExecutor,
}

impl World {
    fn new() -> Self {
        let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
        let harness =
            Harness::new(registry()).secrets(StaticSecrets::new().with("TOKEN", "made-up-s3cr3t"));
        let executor = harness.executor_on(store.clone());
        Self {
            harness,
            store,
            executor,
        }
    }

    fn request(graph: &Graph, text: &str) -> RunRequest {
        let plan = compile(graph, &registry()).unwrap().plan;
        RunRequest::new(plan).with_input("text", text)
    }

    async fn run(&self, request: RunRequest) -> (RunView, Vec<Event>) {
        let handle = self.executor.start(request).await.unwrap();
        handle.wait().await;
        let events = self.store.read(handle.id(), 0, usize::MAX).await.unwrap();
        assert_log_rules(&events);
        (RunView::from_events(handle.id().clone(), &events), events)
    }
}

fn reused(view: &RunView) -> String {
    let nodes = view.nodes();
    let reused = nodes.filter(|(_, node)| node.reused_from.is_some());
    let ids: Vec<&str> = reused.map(|(id, _)| id.as_str()).collect();
    ids.join(" ")
}

fn text(view: &RunView, node: &str) -> Json {
    let outputs = view.node(node).unwrap().outputs.clone().unwrap();
    outputs.get("text").unwrap().json().unwrap().clone()
}

#[tokio::test]
async fn what_has_not_changed_is_taken_over() {
    let world = World::new();
    let plain = graph(&json!({}));
    let (first, _) = world.run(World::request(&plain, "x")).await;
    assert_eq!(text(&first, "d"), "xabd");
    let again = |graph: &Graph, text: &str| {
        World::request(graph, text)
            .rerun_of(first.run_id.clone())
            .cached()
    };

    let (same, events) = world.run(again(&plain, "x")).await;
    assert_eq!(reused(&same), "start a b c d e");
    assert_eq!(same.status, WorkflowStatus::Completed);
    assert_eq!(text(&same, "d"), "xabd");
    let parent = same.parent.clone().unwrap();
    assert_eq!(
        (parent.run_id, parent.relation),
        (first.run_id.clone(), Relation::Rerun)
    );
    assert!(parent.cached);
    let outputs = |view: &RunView| serde_json::to_value(view.run_outputs()).unwrap();
    assert_eq!(outputs(&same), outputs(&first));
    let completed = events.iter().find(|event| {
        event.node_id().is_some_and(|id| id == "b")
            && matches!(event.kind, EventKind::NodeCompleted(_))
    });
    let line = serde_json::to_value(completed.unwrap()).unwrap();
    assert_eq!(line["payload"]["reusedFrom"], first.run_id.as_str());

    let (other, _) = world.run(again(&plain, "y")).await;
    assert_eq!(
        (reused(&other).as_str(), text(&other, "d")),
        ("", json!("yabd"))
    );

    let changed = graph(&json!({"b": {"end": "B"}}));
    let (changed, _) = world.run(again(&changed, "x")).await;
    assert_eq!(reused(&changed), "start a c e");
    assert_eq!(text(&changed, "d"), "xaBd");

    // Another parameter, and the same output: what comes after has not changed.
    let idle = graph(&json!({"a": {"end": "a", "idle": true}}));
    let (idle, _) = world.run(again(&idle, "x")).await;
    assert_eq!(reused(&idle), "start b c d e");

    // What was taken over can be taken over again.
    let twice = World::request(&plain, "x")
        .rerun_of(same.run_id.clone())
        .cached();
    assert_eq!(reused(&world.run(twice).await.0), "start a b c d e");
}

#[tokio::test]
async fn a_node_and_all_after_it_run_again() {
    let world = World::new();
    let plain = graph(&json!({}));
    let (first, _) = world.run(World::request(&plain, "x")).await;
    let from = |node: &str| {
        World::request(&plain, "x")
            .rerun_of(first.run_id.clone())
            .again_from(node)
    };
    assert_eq!(reused(&world.run(from("b")).await.0), "start a");
    assert_eq!(reused(&world.run(from("d")).await.0), "start a b c");
    assert_eq!(reused(&world.run(from("start")).await.0), "");
    assert_eq!(
        reused(&world.run(from("b").cached()).await.0),
        "start a c e"
    );
    let (changed, _) = world.run(from("d").with_input("text", "y")).await;
    assert_eq!(
        (reused(&changed).as_str(), text(&changed, "d")),
        ("", json!("yabd"))
    );

    let whole = World::request(&plain, "x").rerun_of(first.run_id.clone());
    let (whole, _) = world.run(whole).await;
    assert_eq!(reused(&whole), "");
    assert_eq!(whole.parent.unwrap().run_id, first.run_id);
}

#[tokio::test]
async fn what_looks_at_the_world_looks_again() {
    let world = World::new();
    let mut graph = graph(&json!({}));
    for node in &mut graph.nodes {
        // In the midst of a chain, and beside it.
        if ["a", "e"].contains(&node.id.as_str()) {
            node.component = "test.look".into();
            node.data.config.params.clear();
        }
    }
    let see = |text: &str| text.clone_into(&mut WORLD.lock().unwrap());
    let again = |run: &RunView| World::request(&graph, "x").rerun_of(run.run_id.clone());
    see("old ");
    let (first, _) = world.run(World::request(&graph, "x")).await;
    assert_eq!(text(&first, "d"), "old bd");
    let (same, _) = world.run(again(&first).cached()).await;
    assert_eq!(reused(&same), "start b c d", "it gave the same again");
    see("new ");
    let (other, _) = world.run(again(&same).cached()).await;
    assert_eq!(
        (reused(&other).as_str(), text(&other, "d")),
        ("start", json!("new bd"))
    );
    // Who asks for a node and what comes after it takes over what comes before.
    let (from, _) = world.run(again(&first).again_from("d")).await;
    assert_eq!(reused(&from), "start a b c");
    let (from, _) = world.run(again(&first).again_from("d").cached()).await;
    assert_eq!(reused(&from), "start a b c");
}

#[tokio::test]
async fn what_failed_runs_again() {
    let world = World::new();
    let failing = graph(&json!({"b": {"fail": true, "end": "b"}}));
    let (first, _) = world.run(World::request(&failing, "x")).await;
    assert_eq!(first.status, WorkflowStatus::Failed);
    let mended = World::request(&graph(&json!({})), "x")
        .rerun_of(first.run_id.clone())
        .cached();
    let (mended, _) = world.run(mended).await;
    assert_eq!(reused(&mended), "start a c e");
    assert_eq!(mended.node("b").unwrap().state, NodeState::Completed);
    let same = World::request(&failing, "x")
        .rerun_of(first.run_id)
        .cached();
    let (same, _) = world.run(same).await;
    assert_eq!(same.status, WorkflowStatus::Failed);
}

#[tokio::test]
async fn branches_and_secrets_are_taken_over_whole() {
    let world = World::new();
    let graph = |end: &str| -> Graph {
        let edge = |at: u32, source: &str, from: &str, target: &str, to: &str| {
            json!({"id": format!("e{at}"), "source": source, "sourceHandle": from,
                   "target": target, "targetHandle": to})
        };
        serde_json::from_value(json!({
            "name": "Secrets",
            "nodes": [
                {"id": "start", "type": "core.workflow.entrypoint"},
                {"id": "fetch", "type": "test.fetch"},
                {"id": "choose", "type": "test.branch"},
                {"id": "right", "type": "test.add"},
                {"id": "other", "type": "test.add", "data": {"config": {"params": {"end": end}}}},
                {"id": "use", "type": "test.use", "data": {"config": {"joinStrategy": "all"}}},
            ],
            "edges": [
                {"id": "e1", "source": "start", "target": "fetch"},
                {"id": "e2", "source": "start", "target": "choose"},
                {"id": "e3", "source": "start", "target": "other"},
                edge(4, "choose", "right", "right", "text"),
                edge(5, "fetch", "token", "use", "token"),
                edge(6, "fetch", "text", "use", "text"),
                edge(7, "other", "text", "use", "other"),
                {"id": "e8", "source": "choose", "sourceHandle": "left", "target": "use"},
            ],
        }))
        .unwrap()
    };
    let request = |end: &str| RunRequest::new(compile(&graph(end), &registry()).unwrap().plan);
    let (first, _) = world.run(request("1")).await;
    assert_eq!(text(&first, "use"), "whole: true");
    let (again, events) = world
        .run(request("2").rerun_of(first.run_id.clone()).cached())
        .await;
    // What uses the secret runs again, with a secret that was fetched for it.
    assert_eq!(reused(&again), "start fetch choose");
    assert_eq!(text(&again, "use"), "whole: true");
    assert_eq!(again.node("right").unwrap().state, NodeState::Skipped);
    let jsonl: String = events
        .iter()
        .map(|event| serde_json::to_string(event).unwrap())
        .collect();
    assert!(!jsonl.contains("made-up-s3cr3t"));

    // Where the secret cannot be had any more its node runs, and says so.
    let bare = Harness::new(registry()).executor_on(world.store.clone());
    let request = request("3").rerun_of(first.run_id).cached();
    let outcome = bare.start(request).await.unwrap().wait().await;
    let failure = outcome.failure.clone().unwrap();
    assert_eq!(failure.node_id.unwrap(), "fetch");
}

/// A repetition that is cut off anywhere takes over the same when it is resumed.
#[tokio::test]
async fn a_repetition_can_be_resumed() {
    let world = World::new();
    let plain = graph(&json!({}));
    let (first, earlier) = world.run(World::request(&plain, "x")).await;
    let changed = graph(&json!({"b": {"end": "B"}}));
    let request = World::request(&changed, "x")
        .rerun_of(first.run_id.clone())
        .cached();
    let (again, events) = world.run(request).await;
    for cut in 1..events.len() {
        let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
        for log in [&earlier[..], &events[..cut]] {
            let records = log.iter().map(|event| event.record.clone()).collect();
            store.append(&log[0].run_id, records).await.unwrap();
        }
        let executor = world.harness.executor_on(store.clone());
        let handle = executor.resume(&again.run_id).await.unwrap();
        assert!(handle.wait().await.is_completed());
        let log = store.read(&again.run_id, 0, usize::MAX).await.unwrap();
        assert_log_rules(&log);
        let view = RunView::from_events(again.run_id.clone(), &log);
        assert_eq!(reused(&view), "start a c e", "cut off after event {cut}");
        assert_eq!(text(&view, "d"), "xaBd");
    }
}

#[tokio::test]
async fn a_run_can_be_asked_for_what_it_was_started_with() {
    let world = World::new();
    let (first, _) = world.run(World::request(&graph(&json!({})), "x")).await;
    let request = world.executor.request_of(&first.run_id).await.unwrap();
    assert_eq!(Json::Object(request.inputs.clone()), json!({"text": "x"}));
    let (again, _) = world.run(request.cached()).await;
    assert_eq!(reused(&again), "start a b c d e");

    let unknown = RunId::generate();
    assert!(world.executor.request_of(&unknown).await.is_err());
    let plan = || World::request(&graph(&json!({})), "x");
    let error = world.executor.start(plan().rerun_of(unknown.clone())).await;
    assert!(matches!(error, Err(StartError::UnknownRun(id)) if id == unknown));
    let nowhere = plan().rerun_of(first.run_id).again_from("nowhere");
    let error = world.executor.start(nowhere).await;
    assert!(matches!(error, Err(StartError::UnknownNode(id)) if id == NodeId::new("nowhere")));
}
