//! Nodes that run once for each item of a list.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use shipsec_core::{
    ComponentError, Context, NoParams, Params, Ports, Registry, component,
    context::{Question, StaticSecrets},
    event::{Event, EventKind, ProgressSource, WorkflowStatus},
    execute::{Executor, RunRequest},
    run::{NodeState, RunView, StatusReport},
    trace::{MemoryStore, TraceStore, TraceStoreExt},
    workflow::{EntryPoint, ForEach, Graph, WorkflowBuilder, compile},
};
use shipsec_testkit::{Finished, Harness, assert_log_rules, resume_after, resume_at_each_event};

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Target {
    /// A host.
    host: String,
    /// The same for all.
    #[serde(default)]
    suffix: Option<String>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Probed {
    /// What was found.
    found: String,
    /// A number.
    length: u32,
}

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(default)]
struct Probing {
    /// How many attempts fail before one succeeds, of hosts that begin with "flaky".
    fail: u32,
}

static AT_ONCE: AtomicU32 = AtomicU32::new(0);
static MOST: AtomicU32 = AtomicU32::new(0);

/// Looks at a host.
#[component(id = "test.probe", version = "1.0.0", category = "test")]
async fn probe(input: Target, probing: Probing, cx: &Context) -> Result<Probed, ComponentError> {
    let now = AT_ONCE.fetch_add(1, Ordering::SeqCst) + 1;
    MOST.fetch_max(now, Ordering::SeqCst);
    cx.info(format!("looking at {}", input.host));
    let wait = match input.host.as_str() {
        "slow" => 500,
        _ => 10,
    };
    tokio::time::sleep(Duration::from_millis(wait)).await;
    AT_ONCE.fetch_sub(1, Ordering::SeqCst);
    match input.host.as_str() {
        "bad" => return Err(ComponentError::validation("no such host")),
        "panic" => panic!("on {}", input.host),
        "hang" => cx.cancelled().await,
        host if host.starts_with("flaky") && cx.attempt() <= probing.fail => {
            return Err(ComponentError::network("reset"));
        }
        _ => {}
    }
    cx.emit_artifact("found.txt", "text/plain", input.host.clone())
        .await?;
    Ok(Probed {
        length: input.host.len() as u32,
        found: format!("{}{}", input.host, input.suffix.unwrap_or_default()),
    })
}

/// Asks about a host.
#[component(id = "test.ask", version = "1.0.0", category = "test")]
async fn ask(input: Target, _: NoParams, cx: &Context) -> Result<Probed, ComponentError> {
    let answer = cx
        .ask(Question::new("text", format!("{}?", input.host)))
        .await?;
    let found = answer
        .unwrap_or_default()
        .as_str()
        .unwrap_or_default()
        .to_owned();
    Ok(Probed { length: 0, found })
}

/// Computes, on a thread of its own.
#[component(id = "test.compute", version = "1.0.0", category = "test", execution = blocking)]
async fn compute(input: Target, _: NoParams, _: &Context) -> Result<Probed, ComponentError> {
    Ok(Probed {
        length: 1,
        found: format!("{:?}", std::thread::current().name().is_some()) + &input.host,
    })
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Sides {
    /// One side.
    #[port(branching)]
    left: Option<String>,
}

/// Branches.
#[component(id = "test.branch", version = "1.0.0", category = "test")]
async fn branch(input: Target, _: NoParams, _: &Context) -> Result<Sides, ComponentError> {
    Ok(Sides {
        left: Some(input.host),
    })
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Texts {
    /// Texts.
    texts: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Joined {
    /// All of them.
    text: String,
}

/// Joins texts.
#[component(id = "test.join", version = "1.0.0", category = "test")]
async fn join(input: Texts, _: NoParams, _: &Context) -> Result<Joined, ComponentError> {
    Ok(Joined {
        text: input.texts.join(" "),
    })
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.register_dyn(Arc::new(EntryPoint::new())).unwrap();
    registry.register(Probe).unwrap().register(Ask).unwrap();
    registry
        .register(Compute)
        .unwrap()
        .register(Branch)
        .unwrap();
    registry.register(Join).unwrap();
    registry
}

fn graph(component: &str, config: Json) -> Graph {
    let inputs = json!([{"id": "hosts", "type": "list<text>", "required": true}]);
    serde_json::from_value(json!({
        "name": "For each",
        "nodes": [
            {"id": "start", "type": "core.workflow.entrypoint",
             "data": {"config": {"params": {"runtimeInputs": inputs}}}},
            {"id": "probe", "type": component, "data": {"config": config}},
            {"id": "join", "type": "test.join"},
        ],
        "edges": [
            {"id": "e1", "source": "start", "sourceHandle": "hosts", "target": "probe", "targetHandle": "host"},
            {"id": "e2", "source": "probe", "sourceHandle": "found", "target": "join", "targetHandle": "texts"},
        ],
    }))
    .unwrap()
}

fn hosts(hosts: &[&str]) -> Map<String, Json> {
    json!({ "hosts": hosts }).as_object().unwrap().clone()
}

async fn run(config: Json, given: &[&str]) -> Finished {
    let run = Harness::new(registry())
        .run(&graph("test.probe", config), hosts(given))
        .await;
    assert_log_rules(&run.events);
    run
}

fn view(run: &Finished) -> RunView {
    RunView::from_events(run.outcome.run_id.clone(), &run.events)
}

#[tokio::test(start_paused = true)]
async fn outputs_come_in_the_order_of_the_items() {
    let config = json!({"forEach": {"input": "host"}, "inputOverrides": {"suffix": "!"}});
    let run = run(config, &["slow", "a", "b"]).await;
    assert_eq!(run.output("join", "text"), Some("slow! a! b!".into()));
    let view = view(&run);
    let lengths = view.node("probe").unwrap().outputs.clone().unwrap();
    assert_eq!(
        lengths.get("length").unwrap().json().unwrap(),
        &json!([4, 1, 1])
    );
    // Items are none of the nodes that are counted.
    let report = StatusReport::from(&view);
    assert_eq!(report.progress.total_actions, 3);
    assert_eq!(report.progress.completed_actions, 3);
    let items = view.items("probe").unwrap();
    assert_eq!((items.iter().len(), items.counts().completed), (3, 3));
    let item = view.node("probe[1]").unwrap();
    assert_eq!(
        (item.state, item.artifacts, item.log_counts.info),
        (NodeState::Completed, 1, 1)
    );
    let artifacts: Vec<_> = view
        .artifacts()
        .map(|a| a.artifact.artifact_id.to_string())
        .collect();
    assert_eq!(artifacts, ["probe[1]/1/1", "probe[2]/1/1", "probe[0]/1/1"]);
    let mut counted = run.events.iter().filter_map(|event| match &event.kind {
        EventKind::NodeProgress(progress) if event.node_id().unwrap() == "probe" => Some(progress),
        _ => None,
    });
    let last = counted.next_back().unwrap();
    assert_eq!(
        (last.done, last.total, last.source),
        (Some(3), Some(3), ProgressSource::Derived)
    );
    assert_eq!(last.unit.as_deref(), Some("items"));
}

#[tokio::test(start_paused = true)]
async fn so_many_run_at_once() {
    let given: Vec<String> = (0..20).map(|n| format!("h{n}")).collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    MOST.store(0, Ordering::SeqCst);
    let config = json!({"forEach": {"input": "host", "concurrency": 5}});
    let run = run(config, &given).await;
    assert!(run.outcome.is_completed());
    assert_eq!(MOST.load(Ordering::SeqCst), 5);
    let took = run
        .events
        .last()
        .unwrap()
        .timestamp
        .since(run.events[0].timestamp);
    // Four rounds of five.
    assert_eq!(took.as_millis(), 40);
}

#[tokio::test(start_paused = true)]
async fn an_item_is_tried_again_by_itself() {
    let config =
        json!({"forEach": {"input": "host"}, "params": {"fail": 2}, "retry": {"maxAttempts": 3}});
    let run = run(config, &["a", "flaky", "b"]).await;
    assert_eq!(run.output("join", "text"), Some("a flaky b".into()));
    let view = view(&run);
    let attempts = |node: &str| view.node(node).unwrap().attempt;
    assert_eq!(
        [
            attempts("probe[0]"),
            attempts("probe[1]"),
            attempts("probe")
        ],
        [1, 3, 1]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_item_fails_the_node_and_stops_the_others() {
    let config = json!({"forEach": {"input": "host", "concurrency": 2}});
    let run = run(config, &["hang", "bad", "c", "d"]).await;
    assert_eq!(run.outcome.status, WorkflowStatus::Failed);
    let failure = run.outcome.failure.clone().unwrap();
    assert_eq!(
        failure.reason,
        "node probe failed: ValidationError: item 1: ValidationError: no such host"
    );
    let view = view(&run);
    let states: Vec<_> = view
        .items("probe")
        .unwrap()
        .iter()
        .map(|item| item.state)
        .collect();
    // It was asked to stop, and gave what it had.
    assert_eq!(states, [NodeState::Completed, NodeState::Failed]);
    assert_eq!(view.node("probe").unwrap().attempt, 1);
}

#[tokio::test(start_paused = true)]
async fn failed_items_can_be_collected() {
    let each = json!({"input": "host", "onFailure": "collect"});
    let config = json!({"forEach": each, "retry": {"maxAttempts": 1}});
    let run = run(config, &["a", "bad", "panic", "b"]).await;
    assert_eq!(run.output("join", "text"), Some("a b".into()));
    let view = view(&run);
    let failures = view.node("probe").unwrap().outputs.clone().unwrap();
    let failures = failures.get("failures").unwrap().json().unwrap().clone();
    let short: Vec<_> = failures
        .as_array()
        .unwrap()
        .iter()
        .map(|failed| {
            (
                failed["index"].as_u64().unwrap(),
                failed["error"]["kind"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(short, [(1, "ValidationError"), (2, "InternalError")]);
    assert_eq!(view.items("probe").unwrap().counts().failed, 2);
}

#[tokio::test(start_paused = true)]
async fn lists_may_be_empty_and_must_be_lists() {
    let config = json!({"forEach": {"input": "host"}});
    let empty = run(config.clone(), &[]).await;
    assert_eq!(empty.output("join", "text"), Some("".into()));
    let mut graph = graph("test.probe", config);
    graph.nodes[0].data.config.params["runtimeInputs"][0]["type"] = "any".into();
    let harness = Harness::new(registry());
    let given = json!({"hosts": "one"}).as_object().unwrap().clone();
    let run = harness.run(&graph, given).await;
    let reason = run.outcome.failure.clone().unwrap().reason;
    assert!(reason.contains("ValidationError"), "{reason}");
    let given = json!({"hosts": ["a", {"b": 1}]})
        .as_object()
        .unwrap()
        .clone();
    let run = harness.run(&graph, given).await;
    let reason = run.outcome.failure.clone().unwrap().reason;
    assert!(reason.contains("item 1: ValidationError"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn each_item_has_its_own_time() {
    let each = json!({"input": "host", "onFailure": "collect", "concurrency": 1});
    let config = json!({"forEach": each, "timeoutSeconds": 0.2, "retry": {"maxAttempts": 1}});
    let run = run(config, &["a", "b", "hang", "slow", "c"]).await;
    assert_eq!(run.output("join", "text"), Some("a b c".into()));
    let view = view(&run);
    for index in [2, 3] {
        let error = view
            .node(&format!("probe[{index}]"))
            .unwrap()
            .error
            .clone()
            .unwrap();
        assert_eq!(error.message, "timed out after 200ms");
    }
}

#[tokio::test]
async fn items_may_compute() {
    let graph = graph("test.compute", json!({"forEach": {"input": "host"}}));
    let run = Harness::new(registry())
        .run(&graph, hosts(&["x", "y"]))
        .await;
    assert_log_rules(&run.events);
    assert_eq!(run.output("join", "text"), Some("truex truey".into()));
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_with_the_items_that_are_missing() {
    let each = json!({"input": "host", "concurrency": 2, "onFailure": "collect"});
    let config = json!({"forEach": each, "params": {"fail": 1}});
    let graph = graph("test.probe", config);
    let harness = Harness::new(registry());
    let given = hosts(&["a", "flaky", "bad", "d"]);
    let plain = harness.run(&graph, given.clone()).await;
    let runs = resume_at_each_event(&harness, &graph, &given).await;
    assert!(runs.len() > 20);
    for (run, cut) in runs.iter().zip(1..) {
        assert_eq!(
            run.output("join", "text"),
            Some("a flaky d".into()),
            "cut off after {cut}"
        );
    }
    drop(plain);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_node_ends_its_items() {
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let harness = Harness::new(registry()).grace(Duration::from_millis(50));
    let executor = harness.executor_on(store.clone());
    let config = json!({"forEach": {"input": "host", "concurrency": 3}, "params": {"fail": 9}, "retry": {"initialIntervalSeconds": 60}});
    let graph = graph("test.probe", config);
    for terminate in [false, true] {
        let plan = compile(&graph, &registry()).unwrap().plan;
        let request = RunRequest::new(plan).with_inputs(hosts(&["slow", "flaky", "hang", "never"]));
        let handle = executor.start(request).await.unwrap();
        let mut events = store.subscribe(handle.id().clone(), 0);
        // One is between two attempts, the others at work.
        while let Some(Ok(event)) = futures::StreamExt::next(&mut events).await {
            if matches!(event.kind, EventKind::NodeFailed(_)) {
                break;
            }
        }
        match terminate {
            false => handle.cancel("enough"),
            true => handle.terminate("now"),
        }
        let outcome = handle.wait().await;
        let log: Vec<Event> = store.read(handle.id(), 0, usize::MAX).await.unwrap();
        assert_log_rules(&log);
        let view = RunView::from_events(handle.id().clone(), &log);
        let states: Vec<_> = view
            .items("probe")
            .unwrap()
            .iter()
            .map(|item| item.state)
            .collect();
        assert!(states.iter().all(|state| state.is_final()), "{states:?}");
        assert_eq!(states.len(), 3);
        let expected = match terminate {
            false => WorkflowStatus::Cancelled,
            true => WorkflowStatus::Terminated,
        };
        assert_eq!(outcome.status, expected);
        // Also when the process dies while it stops.
        let asked = log.iter().position(|event| matches!(&event.kind, EventKind::WorkflowStatus(payload) if payload.stopping.is_some())).unwrap();
        for cut in asked + 1..log.len() {
            let resumed = resume_after(&harness, &log[..cut]).await;
            assert_eq!(
                resumed.outcome.status, expected,
                "cut off after event {cut}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn items_may_ask() {
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let harness = Harness::new(registry());
    let graph = graph(
        "test.ask",
        json!({"forEach": {"input": "host", "concurrency": 2}}),
    );
    let plan = compile(&graph, &registry()).unwrap().plan;
    let executor = harness.executor_on(store.clone());
    let request = RunRequest::new(plan).with_inputs(hosts(&["a", "b"]));
    let handle = executor.start(request).await.unwrap();
    let mut events = store.subscribe(handle.id().clone(), 0);
    let mut view = RunView::new(handle.id().clone());
    while view.status != WorkflowStatus::AwaitingInput {
        let event = futures::StreamExt::next(&mut events)
            .await
            .unwrap()
            .unwrap();
        view.apply(&event);
    }
    // Both wait before the run says that it does.
    assert_eq!(view.items("probe").unwrap().counts().awaiting_input, 2);
    let run = handle.id();
    for (index, answer) in [(1, "second"), (0, "first")] {
        let node = format!("probe[{index}]").into();
        store.answer(run, &node, answer.into(), None).await.unwrap();
    }
    let outcome = handle.wait().await;
    assert!(outcome.is_completed());
    let joined = outcome.outputs["join"]
        .get("text")
        .unwrap()
        .json()
        .unwrap()
        .clone();
    assert_eq!(joined, "first second");
    assert_log_rules(&store.read(run, 0, usize::MAX).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn secrets_of_items_are_masked() {
    let harness = Harness::new(registry()).secrets(StaticSecrets::new().with("T", "made-up-4242"));
    let graph = graph("test.probe", json!({"forEach": {"input": "host"}}));
    let run = harness.run(&graph, hosts(&["a"])).await;
    assert!(run.outcome.is_completed());
}

#[test]
fn what_cannot_run_for_each_says_why() {
    let problems = |component: &str, each: Json| {
        let graph = graph(component, json!({ "forEach": each }));
        match compile(&graph, &registry()) {
            Ok(_) => "none".to_owned(),
            Err(problems) => problems.to_string(),
        }
    };
    insta::assert_snapshot!(problems("test.probe", json!({"input": "hots"})));
    insta::assert_snapshot!(problems(
        "test.branch",
        json!({"input": "host", "concurrency": 0})
    ));
    let mut graph = graph("test.probe", json!({}));
    graph.nodes[0].data.config.for_each = Some(ForEach::over("x"));
    insta::assert_snapshot!(compile(&graph, &registry()).unwrap_err());
}

#[tokio::test(start_paused = true)]
async fn the_typed_builder_makes_the_same_graph() {
    #[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
    struct Given {
        /// Hosts.
        hosts: Vec<String>,
    }
    let mut workflow = WorkflowBuilder::new("For each");
    let start = workflow.entrypoint::<Given>("start");
    let probe = workflow.node("probe", &Probe, Probing::default());
    let join = workflow.node("join", &Join, NoParams {});
    workflow
        .connect_each(start.output().hosts, probe.input().host, |each| {
            each.at_once(2).collecting_failures()
        })
        .connect(probe.output().found.collected(), join.input().texts);
    let graph = workflow.build();
    let again: Graph = Graph::from_json(&serde_json::to_string(&graph).unwrap()).unwrap();
    assert_eq!(again, graph);
    let run = Harness::new(registry())
        .run(&again, hosts(&["a", "bad", "b"]))
        .await;
    assert_eq!(run.output("join", "text"), Some("a b".into()));
}
