//! Runs that are cut off anywhere, and resumed.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use shipsec_core::{
    ComponentError, Context, NoParams, Params, Ports, Registry, RunId, Secret, component,
    context::StaticSecrets,
    event::{Event, EventKind, StatusPayload, StopCause, WorkflowStatus},
    execute::{Executor, LocalExecutor, ResumeError, RunRequest},
    run::{NodeState, RunView},
    schedule::FailurePolicy,
    trace::{LeaseError, MemoryStore, RunFilter, StoreErrorKind, TraceStore, TraceStoreExt},
    workflow::{EntryPoint, Graph, compile},
};
use shipsec_testkit::{Harness, assert_log_rules, resume_after, resume_at_each_event};

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Text {
    /// Text.
    text: Option<String>,
}

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(default)]
struct Times {
    /// How many attempts fail before one succeeds.
    fail: u32,
}

/// Says something, stores an artifact, waits, and passes on what it is given.
#[component(id = "test.step", version = "1.0.0", category = "test")]
async fn step(input: Text, times: Times, cx: &Context) -> Result<Text, ComponentError> {
    cx.info("a line");
    cx.emit_artifact("a.txt", "text/plain", "content").await?;
    tokio::time::sleep(Duration::from_millis(10)).await;
    if cx.attempt() <= times.fail {
        return Err(ComponentError::network("not yet"));
    }
    Ok(Text {
        text: Some(format!("{}.", input.text.unwrap_or_default())),
    })
}

/// Fails.
#[component(id = "test.fail", version = "1.0.0", category = "test")]
async fn fail(_: Text, _: NoParams, _: &Context) -> Result<Text, ComponentError> {
    Err(ComponentError::validation("as asked"))
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
    /// The secret within a larger thing.
    nested: Json,
}

/// Fetches a secret.
#[component(id = "test.fetch", version = "1.0.0", category = "test")]
async fn fetch(_: Text, _: NoParams, cx: &Context) -> Result<Token, ComponentError> {
    let token = cx.secret("TOKEN").await?;
    let plain = token.expose()?.clone();
    Ok(Token {
        text: format!("Bearer {plain}, again {plain}"),
        nested: json!({"a": [plain, {"b": format!("x{plain}")}], "n": 1}),
        token,
    })
}

/// Uses the secret: tells whether all is as it was.
#[component(id = "test.use", version = "1.0.0", category = "test")]
async fn use_token(input: Token, _: NoParams, _: &Context) -> Result<Text, ComponentError> {
    let plain = input.token.expose()?.clone();
    let whole = input.text == format!("Bearer {plain}, again {plain}")
        && input.nested["a"][0] == plain.as_str()
        && input.nested["a"][1]["b"] == format!("x{plain}").as_str();
    Ok(Text {
        text: Some(format!("{} letters, whole: {whole}", plain.len())),
    })
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.register_dyn(Arc::new(EntryPoint::new())).unwrap();
    registry.register(Step).unwrap().register(Fail).unwrap();
    registry.register(Branch).unwrap().register(Fetch).unwrap();
    registry.register(UseToken).unwrap();
    registry
}

fn harness() -> Harness {
    Harness::new(registry()).secrets(StaticSecrets::new().with("TOKEN", "s3cr3t-made-up"))
}

fn graph(nodes: Json, edges: &[[&str; 3]]) -> Graph {
    let mut all = vec![json!({"id": "start", "type": "core.workflow.entrypoint"})];
    all.extend(nodes.as_array().unwrap().iter().cloned());
    let edge = |(at, [source, target, kind]): (usize, &[&str; 3])| {
        let mut edge = json!({"id": format!("e{at}"), "source": source, "target": target});
        let (kind, ports) = kind.split_once(':').unwrap_or((kind, ""));
        if !kind.is_empty() {
            edge["kind"] = kind.into();
        }
        if let Some((from, to)) = ports.split_once('>') {
            edge["sourceHandle"] = from.into();
            edge["targetHandle"] = to.into();
        }
        edge
    };
    let edges: Vec<_> = edges.iter().enumerate().map(edge).collect();
    serde_json::from_value(json!({"name": "Resumed", "nodes": all, "edges": edges})).unwrap()
}

fn node(id: &str, component: &str, config: Json) -> Json {
    json!({"id": id, "type": component, "data": {"config": config}})
}

const VALUE: &str = ":text>text";

#[tokio::test(start_paused = true)]
async fn a_chain_with_retries_and_artifacts() {
    let retried = json!({"params": {"fail": 2}, "retry": {"maxAttempts": 3}});
    let nodes = json!([
        node("a", "test.step", json!({})),
        node("b", "test.step", retried),
        node("c", "test.step", json!({})),
    ]);
    let graph = graph(
        nodes,
        &[["start", "a", ""], ["a", "b", VALUE], ["b", "c", VALUE]],
    );
    let runs = resume_at_each_event(&harness(), &graph, &Map::new()).await;
    assert!(runs.len() > 15, "{}", runs.len());
    assert!(
        runs.iter()
            .all(|run| run.output("c", "text") == Some("...".into()))
    );
}

#[tokio::test(start_paused = true)]
async fn branches_errors_finally_and_joins() {
    let nodes = json!([
        node("a", "test.step", json!({})),
        node("choose", "test.branch", json!({})),
        node("left", "test.step", json!({})),
        node("right", "test.step", json!({})),
        node("merge", "test.step", json!({"joinStrategy": "any"})),
        node("bad", "test.fail", json!({})),
        node("handler", "test.step", json!({})),
        node("clean", "test.step", json!({})),
        node("settled", "test.step", json!({"joinStrategy": "settled"})),
        node("two", "test.step", json!({"joinStrategy": "quorum:2"})),
    ]);
    let graph = graph(
        nodes,
        &[
            ["start", "a", ""],
            ["a", "choose", VALUE],
            ["choose", "left", ":left>text"],
            ["choose", "right", ":right>text"],
            ["left", "merge", VALUE],
            ["right", "merge", ""],
            ["start", "bad", ""],
            ["bad", "handler", "error"],
            ["bad", "clean", "finally"],
            ["handler", "settled", ""],
            ["merge", "settled", ""],
            ["right", "settled", ""],
            ["a", "two", ""],
            ["handler", "two", ""],
            ["right", "two", ""],
        ],
    );
    let runs = resume_at_each_event(&harness(), &graph, &Map::new()).await;
    assert!(runs.iter().all(|run| run.outcome.is_completed()));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_fast_still_fails() {
    let nodes = json!([
        node("slow", "test.step", json!({})),
        node("a", "test.step", json!({})),
        node("bad", "test.fail", json!({})),
        node("clean", "test.step", json!({})),
        node("never", "test.step", json!({})),
    ]);
    let mut graph = graph(
        nodes,
        &[
            ["start", "slow", ""],
            ["start", "bad", ""],
            ["bad", "clean", "finally"],
            ["slow", "a", VALUE],
            ["a", "never", VALUE],
        ],
    );
    graph.config.failure_policy = FailurePolicy::FailFast;
    let plain = harness().run(&graph, Map::new()).await;
    for cut in 1..plain.events.len() {
        // A node that was asked to stop, and then cut off, is cancelled.
        let run = resume_after(&harness(), &plain.events[..cut]).await;
        assert_eq!(run.outcome.status, WorkflowStatus::Failed);
        let failure = run.outcome.failure.clone().unwrap();
        assert_eq!(failure.node_id.unwrap(), "bad");
    }
}

#[tokio::test(start_paused = true)]
async fn secrets_come_from_their_source_again() {
    let nodes = json!([
        node("fetch", "test.fetch", json!({})),
        node("between", "test.step", json!({})),
        node("use", "test.use", json!({})),
    ]);
    let graph = graph(
        nodes,
        &[
            ["start", "fetch", ""],
            ["fetch", "between", ""],
            ["fetch", "use", ":token>token"],
            ["fetch", "use", ":text>text"],
            ["fetch", "use", ":nested>nested"],
            ["between", "use", ""],
        ],
    );
    let runs = resume_at_each_event(&harness(), &graph, &Map::new()).await;
    for run in runs {
        let text = run.output("use", "text").unwrap();
        assert_eq!(text, "14 letters, whole: true");
        assert!(!run.jsonl().contains("s3cr3t-made-up"));
    }
    // Without its source the run waits for one.
    let plain = harness().run(&graph, Map::new()).await;
    let fetched = |event: &&Event| {
        event.node_id().is_some_and(|id| id == "fetch")
            && matches!(event.kind, EventKind::NodeCompleted(_))
    };
    let cut = plain.events.iter().find(fetched).unwrap().sequence as usize;
    let (executor, store, run) = left(&plain.events[..cut], Harness::new(registry())).await;
    let error = executor.resume(&run).await.unwrap_err();
    insta::assert_snapshot!(error, @"the run cannot be resumed: output text of node fetch cannot be restored: secret TOKEN is not known: the host was not given it");
    assert_eq!(all(&store, &run).await.len(), cut);
    // It can be tried again: the lease was given back.
    assert!(matches!(
        executor.resume(&run).await,
        Err(ResumeError::Output { .. })
    ));
}

/// A store with a log that breaks off, and an executor over it.
async fn left(recorded: &[Event], harness: Harness) -> (LocalExecutor, Arc<dyn TraceStore>, RunId) {
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let run = recorded[0].run_id.clone();
    let records = recorded.iter().map(|event| {
        let again: Event = serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap();
        again.record
    });
    store.append(&run, records.collect()).await.unwrap();
    (harness.executor_on(store.clone()), store, run)
}

async fn all(store: &Arc<dyn TraceStore>, run: &RunId) -> Vec<Event> {
    store.read(run, 0, usize::MAX).await.unwrap()
}

/// Two nodes, one of which has a clean-up.
fn stoppable() -> Graph {
    let nodes = json!([
        node("work", "test.step", json!({})),
        node("next", "test.step", json!({})),
        node("clean", "test.step", json!({})),
    ]);
    graph(
        nodes,
        &[
            ["start", "work", ""],
            ["work", "next", VALUE],
            ["work", "clean", "finally"],
        ],
    )
}

async fn stopped(act: fn(&shipsec_core::execute::RunHandle)) -> Vec<Event> {
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let harness = harness();
    let plan = compile(&stoppable(), &registry()).unwrap().plan;
    let executor = harness.executor_on(store.clone());
    let handle = executor.start(RunRequest::new(plan)).await.unwrap();
    let mut events = store.subscribe(handle.id().clone(), 0);
    while let Some(event) = futures::StreamExt::next(&mut events).await {
        if matches!(event.unwrap().kind, EventKind::NodeArtifact(_)) {
            break;
        }
    }
    act(&handle);
    handle.wait().await;
    all(&store, handle.id()).await
}

fn stop_of(event: &Event) -> Option<StopCause> {
    match &event.kind {
        EventKind::WorkflowStatus(payload) => payload.stopping,
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_stays_cancelled() {
    let events = stopped(|run| run.cancel("enough")).await;
    assert_log_rules(&events);
    let asked = events
        .iter()
        .position(|event| stop_of(event).is_some())
        .unwrap();
    assert_eq!(stop_of(&events[asked]), Some(StopCause::Cancelled));
    for cut in asked + 1..events.len() {
        let run = resume_after(&harness(), &events[..cut]).await;
        assert_eq!(
            run.outcome.status,
            WorkflowStatus::Cancelled,
            "after event {cut}"
        );
        let view = RunView::from_events(run.outcome.run_id.clone(), &run.events);
        assert_eq!(view.node("clean").unwrap().state, NodeState::Completed);
        assert_eq!(view.node("next").unwrap().state, NodeState::Cancelled);
        let last = run.events.last().unwrap();
        assert_eq!(last.message.as_deref(), Some("enough"));
    }
    // Before that was recorded nobody had asked.
    let run = resume_after(&harness(), &events[..asked]).await;
    assert!(run.outcome.is_completed());
}

#[tokio::test(start_paused = true)]
async fn a_killed_run_stays_killed() {
    let events = stopped(|run| run.terminate("now")).await;
    assert_log_rules(&events);
    let asked = events
        .iter()
        .position(|event| stop_of(event).is_some())
        .unwrap();
    for cut in asked + 1..events.len() {
        let run = resume_after(&harness(), &events[..cut]).await;
        assert_eq!(
            run.outcome.status,
            WorkflowStatus::Terminated,
            "after event {cut}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_run_goes_on_counting() {
    let nodes = json!([node("a", "test.step", json!({"params": {"fail": 9}}))]);
    let mut graph = graph(nodes, &[["start", "a", ""]]);
    graph.config.timeout_seconds = Some(0.5);
    let harness = harness();
    let plain = harness.run(&graph, Map::new()).await;
    assert_eq!(plain.outcome.status, WorkflowStatus::TimedOut);
    assert_log_rules(&plain.events);
    for cut in 1..plain.events.len() {
        let run = resume_after(&harness, &plain.events[..cut]).await;
        assert_eq!(
            run.outcome.status,
            WorkflowStatus::TimedOut,
            "after event {cut}"
        );
    }
}

/// Interruptions are not failures of the node: it keeps its attempts.
#[tokio::test(start_paused = true)]
async fn an_interruption_takes_no_attempt_away() {
    let once = json!({"retry": {"maxAttempts": 2}, "params": {"fail": 4}});
    let graph = graph(json!([node("a", "test.step", once)]), &[["start", "a", ""]]);
    let harness = harness();
    let mut events = harness.run(&graph, Map::new()).await.events;
    assert_log_rules(&events);
    for interruption in 1..=3 {
        let start = events.iter().position(|event| {
            matches!(event.kind, EventKind::NodeStarted(_))
                && event.node_id().is_some_and(|id| id == "a")
                && event.attempt == interruption
        });
        let run = resume_after(&harness, &events[..start.unwrap() + 2]).await;
        events = run.events;
    }
    let started = events.iter().filter(|event| {
        matches!(event.kind, EventKind::NodeStarted(_))
            && event.node_id().is_some_and(|id| id == "a")
    });
    // Three were interrupted; of the two that the node has, the second succeeds.
    assert_eq!(started.count(), 5);
    let last = events.last().unwrap();
    let EventKind::WorkflowStatus(payload) = &last.kind else {
        panic!("{last:?}");
    };
    assert_eq!(**payload, {
        let mut expected = StatusPayload::new(WorkflowStatus::Completed);
        expected.outputs.clone_from(&payload.outputs);
        expected
    });
}

#[tokio::test(start_paused = true)]
async fn a_run_has_one_executor() {
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let harness = harness();
    let plan = compile(&stoppable(), &registry()).unwrap().plan;
    let first = harness.executor_on(store.clone());
    let second = LocalExecutor::builder(store.clone())
        .registry(Arc::new(registry()))
        .build();
    let handle = first.start(RunRequest::new(plan.clone())).await.unwrap();
    let run = handle.id().clone();
    match second.resume(&run).await {
        Err(ResumeError::Held(LeaseError::Held { run: held, .. })) => assert_eq!(held, run),
        other => panic!("{other:?}"),
    }
    // The same executor just hands out what it has.
    assert_eq!(first.resume(&run).await.unwrap().id(), &run);
    let again = second
        .start(RunRequest::new(plan).with_run_id(run.clone()))
        .await;
    assert!(again.is_err());
    handle.wait().await;
    assert!(matches!(
        second.resume(&run).await,
        Err(ResumeError::Ended { .. })
    ));
    let unknown = RunId::generate();
    assert!(matches!(
        second.resume(&unknown).await,
        Err(ResumeError::UnknownRun(_))
    ));
}

/// An executor that hangs past its lease is taken over, and finds out.
#[tokio::test(start_paused = true)]
async fn a_zombie_stops_and_records_nothing() {
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let plan = compile(&stoppable(), &registry()).unwrap().plan;
    let executor = || {
        LocalExecutor::builder(store.clone())
            .registry(Arc::new(registry()))
            .secrets(Arc::new(StaticSecrets::new()))
            .lease(Duration::ZERO)
            .build()
    };
    let (zombie, heir) = (executor(), executor());
    let handle = zombie.start(RunRequest::new(plan)).await.unwrap();
    let run = handle.id().clone();
    // Its first node is at work.
    store.wait_beyond(&run, 4).await.unwrap();
    let taken = heir.resume(&run).await.unwrap();
    let (ended, outcome) = tokio::join!(handle.wait(), taken.wait());
    let fenced = ended.unrecorded.as_ref().expect("it was fenced off");
    assert_eq!(fenced.kind(), StoreErrorKind::Fenced);
    assert!(outcome.is_completed());
    let events = all(&store, &run).await;
    assert_log_rules(&events);
    let again = events.iter().filter(|event| stop_of(event).is_none());
    assert!(again.clone().any(|event| {
        matches!(&event.kind, EventKind::NodeFailed(failed) if failed.interrupted)
    }));
}

#[tokio::test(start_paused = true)]
async fn orphans_are_resumed_together() {
    let harness = harness();
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    for cut in [2, 5, 9] {
        let plain = harness.run(&stoppable(), Map::new()).await;
        let records = plain.events[..cut].iter().map(|event| event.record.clone());
        let run = &plain.events[0].run_id;
        store.append(run, records.collect()).await.unwrap();
    }
    let interrupted = RunFilter::default().interrupted();
    assert_eq!(store.runs(&interrupted).await.unwrap().len(), 3);
    let executor = harness.executor_on(store.clone());
    let resumed = executor.resume_interrupted(10).await.unwrap();
    assert_eq!(resumed.len(), 3);
    for (_, handle) in resumed {
        assert!(handle.unwrap().wait().await.is_completed());
    }
    assert!(store.runs(&interrupted).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_resumed_says_why() {
    let plain = harness().run(&stoppable(), Map::new()).await;
    let (executor, _, run) = left(&plain.events[..4], Harness::default()).await;
    let error = executor.resume(&run).await.unwrap_err().to_string();
    assert!(error.contains("test.step"), "{error}");
    let (_, store, run) = left(&plain.events[..4], harness()).await;
    let bare = LocalExecutor::builder(store).build();
    assert!(matches!(
        bare.resume(&run).await,
        Err(ResumeError::NoRegistry(_))
    ));
    let (executor, _, run) = left(&plain.events[1..4], harness()).await;
    let error = executor.resume(&run).await.unwrap_err();
    assert!(matches!(error, ResumeError::Log { .. }), "{error}");
}
