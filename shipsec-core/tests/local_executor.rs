//! The local executor, from a graph to the log.
//!
//! Long because every case shares the components and the small graph language at its top.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shipsec_core::{
    ComponentError, Context, NoParams, NoPorts, Params, Ports, Registry, RunId, Secret, Shared,
    Value, component,
    context::{Progress, StaticSecrets},
    event::{Event, EventKind, WorkflowStatus},
    execute::{Executor, LocalExecutor, RunOutcome, RunRequest},
    trace::{MemoryStore, TraceStore},
    workflow::{EntryPoint, Graph, compile},
};

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct AnyValue {
    /// Whatever comes.
    value: Option<Value>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Sides {
    /// Taken on the left.
    #[port(branching)]
    left: Option<String>,
    /// Taken on the right.
    #[port(branching)]
    right: Option<String>,
}

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", default)]
struct Script {
    /// Milliseconds to sleep.
    #[serde(default)]
    ms: u64,
    /// How often to fail.
    #[serde(default)]
    fails: u32,
    /// Kind of the failure.
    #[serde(default)]
    kind: String,
    /// What else to do.
    #[serde(default)]
    act: String,
}

/// Does what its script says.
#[component(id = "test.act", version = "1.0.0", category = "test")]
async fn act(input: AnyValue, script: Script, cx: &Context) -> Result<AnyValue, ComponentError> {
    if script.ms > 0 {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(script.ms)) => {}
            () = cx.cancelled(), if script.act != "ignore" => {
                cx.info("cleaned up");
                return Err(ComponentError::internal("cancelled"));
            }
        }
    }
    match script.act.as_str() {
        "panic" => panic!("on purpose"),
        "flood" => (0..100_000_u64).for_each(|n| {
            cx.progress(Progress::counted(n + 1, 100_000));
        }),
        "log" => cx.info("hello"),
        "block" => std::thread::sleep(Duration::from_millis(script.fails.into())),
        _ => {}
    }
    if script.act != "block" && cx.attempt() <= script.fails {
        let kind = script
            .kind
            .parse()
            .unwrap_or(shipsec_core::ErrorKind::Service);
        return Err(ComponentError::new(kind, "on purpose"));
    }
    Ok(input)
}

/// Goes left or right.
#[component(id = "test.fork", version = "1.0.0", category = "test")]
async fn fork(_: NoPorts, script: Script, _: &Context) -> Result<Sides, ComponentError> {
    let side = |name: &str| (script.act == name).then(|| name.to_owned());
    Ok(Sides {
        left: side("left"),
        right: side("right"),
    })
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct SecretIn {
    /// The token.
    token: Secret<String>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Leaked {
    /// Text with the token in it.
    text: String,
    /// The token, passed on.
    token: Secret<String>,
}

/// Says the token aloud in every way.
#[component(id = "test.leak", version = "1.0.0", category = "test")]
async fn leak(input: SecretIn, _: NoParams, cx: &Context) -> Result<Leaked, ComponentError> {
    let token = input.token.expose()?.clone();
    cx.info(format!("token {token}"));
    cx.emit_artifact("leak.txt", "text/plain", format!("artifact {token}"))
        .await?;
    Ok(Leaked {
        text: format!("Bearer {token}"),
        token: input.token,
    })
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Big {
    /// A list.
    list: Shared<Vec<u64>>,
}

/// Makes a large value.
#[component(id = "test.big", version = "1.0.0", category = "test", execution = blocking)]
async fn make_list(_: NoPorts, _: NoParams, _: &Context) -> Result<Big, ComponentError> {
    Ok(Big {
        list: Shared::new((0..100_000).collect()),
    })
}

/// Counts the bytes that were copied to reach it: none.
#[component(id = "test.same", version = "1.0.0", category = "test")]
async fn same(input: Big, _: NoParams, _: &Context) -> Result<Big, ComponentError> {
    Ok(input)
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.register_dyn(Arc::new(EntryPoint::new())).unwrap();
    registry.register(Act).unwrap();
    registry.register(Fork).unwrap();
    registry.register(Leak).unwrap();
    registry.register(MakeList).unwrap();
    registry.register(Same).unwrap();
    registry
}

/// A graph from short lines: `id type {params}` and `a -> b`, with what the edge says behind it.
fn graph(nodes: &[(&str, &str, serde_json::Value)], edges: &[&str]) -> Graph {
    let start = json!({"id": "start", "type": "core.workflow.entrypoint"});
    let nodes = nodes.iter().map(|(id, component, config)| {
        let mut config = config.clone();
        if config.get("params").is_none() && config.get("inputOverrides").is_none() {
            config = json!({ "params": config });
        }
        json!({"id": id, "type": component, "data": {"config": config}})
    });
    let edges = edges.iter().enumerate().map(|(n, line)| {
        let words: Vec<_> = line.split(' ').collect();
        let end = |word: &str| {
            let (node, port) = word.split_once('.').unwrap_or((word, ""));
            (
                node.to_owned(),
                Some(port.to_owned()).filter(|port| !port.is_empty()),
            )
        };
        let ((source, from), (target, to)) = (end(words[0]), end(words[2]));
        json!({
            "id": format!("e{n}"), "source": source, "target": target,
            "sourceHandle": from, "targetHandle": to,
            "kind": words.get(3).unwrap_or(&"success"),
        })
    });
    let nodes: Vec<_> = std::iter::once(start).chain(nodes).collect();
    serde_json::from_value(
        json!({"name": "Test", "nodes": nodes, "edges": edges.collect::<Vec<_>>()}),
    )
    .unwrap()
}

struct Ran {
    outcome: Arc<RunOutcome>,
    events: Vec<Event>,
}

impl Ran {
    /// `TYPE node` of each event, logs and progress left out.
    fn facts(&self) -> Vec<String> {
        let facts = self.events.iter().filter(|event| event.kind.is_fact());
        facts
            .map(|event| match event.node_id() {
                Some(node) => format!("{} {node}", event.kind.type_name()),
                None => event.kind.type_name().to_owned(),
            })
            .collect()
    }

    fn of(&self, node: &str) -> Vec<&str> {
        let of = |event: &&Event| event.node_id().is_some_and(|id| id == node);
        self.events
            .iter()
            .filter(of)
            .map(|event| event.kind.type_name())
            .collect()
    }

    fn json(&self) -> String {
        self.events
            .iter()
            .map(|event| serde_json::to_string(event).unwrap() + "\n")
            .collect()
    }
}

async fn run(graph: &Graph) -> Ran {
    let compiled = compile(graph, &registry()).unwrap();
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let secrets = StaticSecrets::new().with("TOKEN", "made-up-hush-42");
    let executor = LocalExecutor::builder(store.clone())
        .secrets(Arc::new(secrets))
        .grace(Duration::from_millis(200))
        .build();
    let handle = executor
        .start(RunRequest::new(compiled.plan))
        .await
        .unwrap();
    let outcome = handle.wait().await;
    let events = store.read(handle.id(), 0, usize::MAX).await.unwrap();
    for (event, expected) in events.iter().zip(1..) {
        assert_eq!(event.sequence, expected);
    }
    Ran { outcome, events }
}

#[tokio::test(start_paused = true)]
async fn a_chain_runs_in_order_and_ends_completed() {
    let graph = graph(
        &[
            ("a", "test.act", json!({})),
            ("b", "test.act", json!({"ms": 10})),
        ],
        &["start -> a", "a.value -> b.value"],
    );
    let ran = run(&graph).await;
    assert_eq!(ran.outcome.status, WorkflowStatus::Completed);
    assert_eq!(
        ran.facts(),
        [
            "WORKFLOW_STATUS",
            "NODE_STARTED start",
            "NODE_COMPLETED start",
            "NODE_STARTED a",
            "NODE_COMPLETED a",
            "NODE_STARTED b",
            "NODE_COMPLETED b",
            "WORKFLOW_STATUS",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_starts_the_moment_its_own_join_is_satisfied() {
    // The child of the quick branch ends before the slow sibling does.
    let graph = graph(
        &[
            ("slow", "test.act", json!({"ms": 500})),
            ("quick", "test.act", json!({"ms": 10})),
            ("child", "test.act", json!({"ms": 10})),
        ],
        &["start -> slow", "start -> quick", "quick -> child"],
    );
    let facts = run(&graph).await.facts();
    let at = |fact: &str| facts.iter().position(|known| known == fact).unwrap();
    assert!(
        at("NODE_COMPLETED child") < at("NODE_COMPLETED slow"),
        "{facts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_as_often_as_the_policy_says() {
    let graph = graph(
        &[
            ("a", "test.act", json!({"fails": 2})),
            (
                "b",
                "test.act",
                json!({"fails": 1, "kind": "ValidationError"}),
            ),
        ],
        &["start -> a", "start -> b"],
    );
    let begun = tokio::time::Instant::now();
    let ran = run(&graph).await;
    assert_eq!(ran.outcome.status, WorkflowStatus::Failed);
    assert_eq!(
        ran.outcome
            .failure
            .as_ref()
            .unwrap()
            .node_id
            .as_ref()
            .unwrap(),
        "b"
    );
    let again = ["NODE_STARTED", "NODE_FAILED"];
    let expected: Vec<_> = again
        .iter()
        .chain(&again)
        .copied()
        .chain(["NODE_STARTED", "NODE_COMPLETED"])
        .collect();
    assert_eq!(ran.of("a"), expected);
    assert_eq!(ran.of("b"), again);
    // One second, then two.
    assert_eq!(begun.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error_of_its_node_and_can_be_handled() {
    let graph = graph(
        &[
            ("a", "test.act", json!({"act": "panic"})),
            ("h", "test.act", json!({})),
            ("n", "test.act", json!({})),
        ],
        &["start -> a", "a -> h.value error", "a -> n"],
    );
    let ran = run(&graph).await;
    assert_eq!(
        ran.outcome.status,
        WorkflowStatus::Completed,
        "{:?}",
        ran.outcome
    );
    assert_eq!(ran.of("n"), ["NODE_SKIPPED"]);
    let json = ran.json();
    assert!(
        json.contains("InternalError") && json.contains("on purpose"),
        "{json}"
    );
    assert!(json.contains(r#""handledBy":"h""#), "{json}");
    // The whole output of a failed node is its error.
    let handled = &ran.outcome.outputs["h"];
    assert_eq!(
        handled.get("value").unwrap().json().unwrap()["kind"],
        "InternalError"
    );
}

#[tokio::test(start_paused = true)]
async fn an_edge_that_did_not_fire_brings_nothing() {
    for (act, arrives) in [("panic", json!("InternalError")), ("", json!(null))] {
        let settled = json!({"params": {}, "joinStrategy": "settled"});
        let graph = graph(
            &[
                ("a", "test.act", json!({ "act": act })),
                ("errors", "test.act", settled.clone()),
                ("values", "test.act", settled.clone()),
                ("either", "test.act", settled),
            ],
            &[
                "start -> a",
                "a -> errors.value error",
                "a -> values.value",
                "a -> either.value finally",
            ],
        );
        let ran = run(&graph).await;
        assert_eq!(ran.outcome.status, WorkflowStatus::Completed);
        let kind = |node: &str| {
            let outputs = &ran.outcome.outputs[node];
            let value = outputs.get("value").map(|value| value.json().unwrap());
            value.map(|value| value.get("kind").cloned().unwrap_or_default())
        };
        let failed = act == "panic";
        assert_eq!(kind("errors"), failed.then(|| arrives.clone()));
        assert_eq!(kind("values"), (!failed).then(|| arrives.clone()));
        assert_eq!(kind("either"), Some(arrives));
        // Nothing to handle is no oddity; a value that does not come is.
        let warned = |node: &str| ran.of(node).contains(&"NODE_PROGRESS");
        assert_eq!((warned("errors"), warned("values")), (false, failed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_branch_that_is_not_taken_is_skipped() {
    let graph = graph(
        &[
            ("f", "test.fork", json!({"act": "left"})),
            ("l", "test.act", json!({})),
            ("r", "test.act", json!({})),
        ],
        &["start -> f", "f.left -> l.value", "f.right -> r.value"],
    );
    let ran = run(&graph).await;
    assert_eq!(ran.outcome.status, WorkflowStatus::Completed);
    assert_eq!(ran.of("r"), ["NODE_SKIPPED"]);
    assert_eq!(
        ran.outcome.outputs["l"]
            .get("value")
            .unwrap()
            .json()
            .unwrap(),
        "left"
    );
}

#[tokio::test(start_paused = true)]
async fn a_timeout_asks_then_drops_then_tries_again() {
    let hung = json!({"params": {"ms": 3_600_000, "act": "ignore"}, "timeoutSeconds": 5, "retry": {"maxAttempts": 2}});
    let graph = graph(&[("a", "test.act", hung)], &["start -> a"]);
    let ran = run(&graph).await;
    assert_eq!(ran.outcome.status, WorkflowStatus::Failed);
    assert_eq!(
        ran.outcome
            .failure
            .as_ref()
            .unwrap()
            .error
            .as_ref()
            .unwrap()
            .kind,
        shipsec_core::ErrorKind::Timeout
    );
    assert_eq!(
        ran.of("a"),
        [
            "NODE_STARTED",
            "NODE_LOG",
            "NODE_FAILED",
            "NODE_STARTED",
            "NODE_LOG",
            "NODE_FAILED"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn cancelling_lets_nodes_clean_up_and_runs_what_is_behind_finally() {
    let graph = graph(
        &[
            ("a", "test.act", json!({"ms": 60_000})),
            ("b", "test.act", json!({})),
            ("tidy", "test.act", json!({"ms": 10})),
        ],
        &["start -> a", "a -> b", "a -> tidy finally"],
    );
    let compiled = compile(&graph, &registry()).unwrap();
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let executor = LocalExecutor::builder(store.clone()).build();
    let handle = executor
        .start(RunRequest::new(compiled.plan))
        .await
        .unwrap();
    store.wait_beyond(handle.id(), 3).await.unwrap();
    executor.cancel(handle.id(), "enough").await.unwrap();
    let outcome = handle.wait().await;
    let events = store.read(handle.id(), 0, usize::MAX).await.unwrap();
    let ran = Ran { outcome, events };
    assert_eq!(ran.outcome.status, WorkflowStatus::Cancelled);
    assert_eq!(ran.of("a"), ["NODE_STARTED", "NODE_LOG", "NODE_CANCELLED"]);
    assert_eq!(ran.of("b"), ["NODE_CANCELLED"]);
    assert_eq!(ran.of("tidy"), ["NODE_STARTED", "NODE_COMPLETED"]);
    assert!(executor.cancel(handle.id(), "again").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn terminating_drops_everything_at_once() {
    let graph = graph(
        &[
            ("a", "test.act", json!({"ms": 60_000, "act": "ignore"})),
            ("tidy", "test.act", json!({})),
        ],
        &["start -> a", "a -> tidy finally"],
    );
    let compiled = compile(&graph, &registry()).unwrap();
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let executor = LocalExecutor::builder(store.clone()).build();
    let handle = executor
        .start(RunRequest::new(compiled.plan))
        .await
        .unwrap();
    store.wait_beyond(handle.id(), 3).await.unwrap();
    handle.terminate("now");
    assert_eq!(handle.wait().await.status, WorkflowStatus::Terminated);
    let events = store.read(handle.id(), 0, usize::MAX).await.unwrap();
    let ran = Ran {
        outcome: handle.wait().await,
        events,
    };
    assert_eq!(ran.of("a"), ["NODE_STARTED", "NODE_CANCELLED"]);
    assert_eq!(ran.of("tidy"), ["NODE_CANCELLED"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_timed_out() {
    let mut graph = graph(&[("a", "test.act", json!({"ms": 60_000}))], &["start -> a"]);
    graph.config.timeout_seconds = Some(2.0);
    let ran = run(&graph).await;
    assert_eq!(ran.outcome.status, WorkflowStatus::TimedOut);
    assert_eq!(ran.of("a").last(), Some(&"NODE_CANCELLED"));
}

#[tokio::test(start_paused = true)]
async fn a_million_calls_of_progress_make_few_events_and_the_last_is_kept() {
    let graph = graph(
        &[("a", "test.act", json!({"act": "flood"}))],
        &["start -> a"],
    );
    let ran = run(&graph).await;
    let progress: Vec<_> = ran
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::NodeProgress(progress) => progress.done,
            _ => None,
        })
        .collect();
    assert!(progress.len() < 50, "{}", progress.len());
    assert_eq!(progress.last(), Some(&100_000));
}

#[tokio::test(start_paused = true)]
async fn a_secret_reaches_the_component_and_nothing_else() {
    let leak = json!({"inputOverrides": {"token": {"secretRef": "TOKEN"}}});
    let graph = graph(
        &[
            ("leak", "test.leak", leak.clone()),
            ("next", "test.leak", json!({"params": {}})),
        ],
        &["start -> leak", "leak.token -> next.token"],
    );
    let ran = run(&graph).await;
    assert_eq!(
        ran.outcome.status,
        WorkflowStatus::Completed,
        "{:?}",
        ran.outcome
    );
    let json = ran.json();
    assert!(!json.contains("made-up-hush-42"), "{json}");
    assert!(
        json.contains(r#""secretOutputs":{"token":"TOKEN"}"#),
        "{json}"
    );
    assert!(json.contains(r#""text":"Bearer ***""#), "{json}");
    assert!(json.contains(r#""masked":[{"port":"text","pointer":"","offset":7,"encoding":"plain","secret":"TOKEN"}]"#), "{json}");
    // In the process the typed value is what it was.
    assert_eq!(
        ran.outcome.outputs["next"]
            .get("text")
            .unwrap()
            .get::<String>()
            .unwrap(),
        "Bearer made-up-hush-42"
    );
}

#[tokio::test]
async fn a_large_value_is_shared_between_nodes() {
    let graph = graph(
        &[
            ("big", "test.big", json!({})),
            ("one", "test.same", json!({})),
            ("two", "test.same", json!({})),
        ],
        &[
            "start -> big",
            "big.list -> one.list",
            "big.list -> two.list",
        ],
    );
    let ran = run(&graph).await;
    let list = |node: &str| {
        let value = ran.outcome.outputs[node].get("list").unwrap().clone();
        std::ptr::from_ref(value.get::<Vec<u64>>().unwrap())
    };
    assert_eq!(list("one"), list("two"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_component_that_blocks_does_not_stop_the_run_around_it() {
    let graph = graph(
        &[
            ("block", "test.act", json!({"act": "block", "fails": 1_500})),
            ("quick", "test.act", json!({"act": "log"})),
            ("after", "test.act", json!({})),
        ],
        &["start -> block", "start -> quick", "quick -> after"],
    );
    let ran = run(&graph).await;
    assert_eq!(ran.outcome.status, WorkflowStatus::Completed);
    let facts = ran.facts();
    let at = |fact: &str| facts.iter().position(|known| known == fact).unwrap();
    assert!(
        at("NODE_COMPLETED after") < at("NODE_COMPLETED block"),
        "{facts:?}"
    );
    assert!(
        ran.json().contains("execution = blocking"),
        "{}",
        ran.json()
    );
}

#[tokio::test(start_paused = true)]
async fn at_most_so_many_nodes_of_a_group_run_at_once() {
    let limited = json!({"params": {"ms": 100}, "groupId": "g", "maxConcurrency": 2});
    let names: Vec<String> = (0..7).map(|n| format!("n{n}")).collect();
    let nodes: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), "test.act", limited.clone()))
        .collect();
    let edges: Vec<String> = names
        .iter()
        .map(|name| format!("start -> {name}"))
        .collect();
    let edges: Vec<&str> = edges.iter().map(String::as_str).collect();
    let ran = run(&graph(&nodes, &edges)).await;
    let (mut running, most) = (AtomicU32::new(0), AtomicU32::new(0));
    for event in ran
        .events
        .iter()
        .filter(|event| event.node_id().is_some_and(|id| id != "start"))
    {
        match event.kind.type_name() {
            "NODE_STARTED" => *running.get_mut() += 1,
            "NODE_COMPLETED" => *running.get_mut() -= 1,
            _ => {}
        }
        most.fetch_max(*running.get_mut(), Ordering::Relaxed);
    }
    assert_eq!(most.into_inner(), 2);
    assert_eq!(ran.outcome.status, WorkflowStatus::Completed);
}

#[tokio::test]
async fn inputs_that_do_not_fit_are_refused_before_anything_is_recorded() {
    let plan = compile(&graph(&[], &[]), &registry()).unwrap().plan;
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let executor = LocalExecutor::builder(store.clone()).build();
    let id = RunId::parse("refused").unwrap();
    let request = RunRequest::new(plan)
        .with_input("nope", 1)
        .with_run_id(id.clone());
    let error = executor.start(request).await.unwrap_err();
    assert!(error.to_string().contains("nope"), "{error}");
    assert!(store.read(&id, 0, 1).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_log_reads_the_same_from_everywhere_and_takes_no_event_twice() {
    // Attempts that are over at once are kept as one, between events that are kept as they are.
    let script = |place: usize| match place % 5 {
        2 => json!({"act": "log"}),
        4 => json!({"ms": 5}),
        _ => json!({}),
    };
    let ids: Vec<String> = (0..1_300).map(|place| format!("n{place}")).collect();
    let scripts = ids.iter().enumerate();
    let nodes: Vec<_> = scripts
        .map(|(place, id)| (id.as_str(), "test.act", script(place)))
        .collect();
    let mut edges = vec!["start -> n0".to_owned()];
    edges.extend(
        ids.windows(2)
            .map(|pair| format!("{} -> {}", pair[0], pair[1])),
    );
    let edges: Vec<&str> = edges.iter().map(String::as_str).collect();
    let compiled = compile(&graph(&nodes, &edges), &registry()).unwrap();
    let store = Arc::new(MemoryStore::new());
    let executor = LocalExecutor::builder(store.clone()).build();
    let request = RunRequest::new(compiled.plan);
    let handle = executor.start(request).await.unwrap();
    assert!(handle.wait().await.is_completed());

    let id = handle.id();
    let all = store.read(id, 0, usize::MAX).await.unwrap();
    assert_eq!(all.len(), 2 + 2 * 1_301 + 260);
    for after in (0..=all.len()).step_by(7) {
        let read = store.read(id, after as u64, 9).await.unwrap();
        let until = all.len().min(after + 9);
        assert_eq!(read, all[after..until], "after {after}");
    }
    let records: Vec<_> = all.iter().map(|event| event.record.clone()).collect();
    let again = store.append(id, records).await.unwrap();
    assert_eq!((again.stored, again.duplicates), (0, all.len()));
}
