//! Nodes that ask a person.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use shipsec_core::{
    ComponentError, Context, NodeId, Params, Ports, Registry, RunId, component,
    context::Question,
    event::{Event, EventKind, WorkflowStatus},
    execute::{Executor, LocalExecutor, RunHandle, RunRequest},
    run::{NodeState, RunView},
    trace::{AnswerError, MemoryStore, TraceStore, TraceStoreExt},
    workflow::{EntryPoint, Graph, compile},
};
use shipsec_testkit::{Harness, assert_log_rules};

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Text {
    /// Text.
    text: Option<String>,
}

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(default, rename_all = "camelCase")]
struct Asking {
    /// How many questions.
    questions: u32,
    /// How long each may wait, in seconds; 0 for ever.
    seconds: u64,
    /// How many attempts fail once all is answered.
    fail: u32,
}

/// Asks for numbers, and gives them joined.
#[component(id = "test.ask", version = "1.0.0", category = "test")]
async fn ask(_: Text, asking: Asking, cx: &Context) -> Result<Text, ComponentError> {
    let mut answers = Vec::new();
    for n in 0..asking.questions.max(1) {
        let mut question =
            Question::new("number", format!("Number {n}?")).with_schema(json!({"type": "integer"}));
        if asking.seconds > 0 {
            question = question.with_timeout(Duration::from_secs(asking.seconds));
        }
        let answer = cx.ask(question).await?;
        answers.push(answer.map_or_else(|| "none".to_owned(), |answer| answer.to_string()));
    }
    if cx.attempt() <= asking.fail {
        return Err(ComponentError::network("after all was answered"));
    }
    Ok(Text {
        text: Some(answers.join(",")),
    })
}

/// Passes on what it is given, after a while.
#[component(id = "test.step", version = "1.0.0", category = "test")]
async fn step(input: Text, _: shipsec_core::NoParams, _: &Context) -> Result<Text, ComponentError> {
    tokio::time::sleep(Duration::from_secs(5)).await;
    Ok(input)
}

fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.register_dyn(Arc::new(EntryPoint::new())).unwrap();
    registry.register(Ask).unwrap().register(Step).unwrap();
    registry
}

fn graph(config: Json) -> Graph {
    serde_json::from_value(json!({
        "name": "Asks",
        "nodes": [
            {"id": "start", "type": "core.workflow.entrypoint"},
            {"id": "ask", "type": "test.ask", "data": {"config": config}},
            {"id": "after", "type": "test.step"},
            {"id": "beside", "type": "test.step", "data": {"config": {"groupId": "g", "maxConcurrency": 1}}},
        ],
        "edges": [
            {"id": "e1", "source": "start", "target": "ask"},
            {"id": "e2", "source": "ask", "target": "after", "sourceHandle": "text", "targetHandle": "text"},
            {"id": "e3", "source": "start", "target": "beside"},
        ],
    }))
    .unwrap()
}

struct World {
    store: Arc<dyn TraceStore>,
    executor: LocalExecutor,
}

impl World {
    fn new() -> Self {
        let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
        let executor = Harness::new(registry()).executor_on(store.clone());
        Self { store, executor }
    }

    async fn start(&self, config: Json) -> RunHandle {
        let plan = compile(&graph(config), &registry()).unwrap().plan;
        self.executor.start(RunRequest::new(plan)).await.unwrap()
    }

    /// The run once its status is this.
    async fn at(&self, run: &RunId, status: WorkflowStatus) -> RunView {
        let mut view = RunView::new(run.clone());
        let mut events = self.store.subscribe(run.clone(), 0);
        while let Some(event) = events.next().await {
            view.apply(&event.unwrap());
            if view.status == status {
                break;
            }
        }
        view
    }

    async fn answer(&self, run: &RunId, answer: Json) -> Result<(), AnswerError> {
        self.store
            .answer(run, &"ask".into(), answer, Some("Ada"))
            .await
    }

    async fn events(&self, run: &RunId) -> Vec<Event> {
        self.store.read(run, 0, usize::MAX).await.unwrap()
    }

    async fn ended(&self, handle: &RunHandle) -> (String, Vec<Event>) {
        let outcome = handle.wait().await;
        assert!(outcome.is_completed(), "{outcome:?}");
        let events = self.events(handle.id()).await;
        assert_log_rules(&events);
        let text = outcome.outputs["after"]
            .get("text")
            .unwrap()
            .json()
            .unwrap()
            .clone();
        (text.as_str().unwrap().to_owned(), events)
    }
}

fn count(events: &[Event], of: fn(&EventKind) -> bool) -> usize {
    events.iter().filter(|event| of(&event.kind)).count()
}

fn is_question(kind: &EventKind) -> bool {
    matches!(kind, EventKind::NodeAwaitingInput(_))
}

#[tokio::test(start_paused = true)]
async fn a_node_waits_and_goes_on_with_the_answer() {
    let world = World::new();
    let handle = world.start(json!({})).await;
    let run = handle.id();
    // The run says so when nothing else goes on.
    let view = world.at(run, WorkflowStatus::AwaitingInput).await;
    assert_eq!(view.node("beside").unwrap().state, NodeState::Completed);
    let asked = view.node("ask").unwrap();
    assert_eq!(asked.state, NodeState::AwaitingInput);
    let question = asked.awaiting.as_ref().unwrap();
    assert_eq!(
        (question.request_id.as_str(), question.title.as_str()),
        ("ask/1", "Number 0?")
    );

    let error = world.answer(run, json!("seven")).await.unwrap_err();
    insta::assert_snapshot!(error, @r#"the answer does not fit the question of node ask: "seven" is not of type "integer""#);
    let error = world
        .store
        .answer(run, &NodeId::new("after"), json!(1), None)
        .await
        .unwrap_err();
    insta::assert_snapshot!(error, @"node after does not wait for an answer: it is pending; waiting are: ask");
    let error = world
        .store
        .answer(run, &NodeId::new("nowhere"), json!(1), None)
        .await
        .unwrap_err();
    assert!(matches!(error, AnswerError::UnknownNode { .. }), "{error}");

    world.answer(run, json!(7)).await.unwrap();
    let (text, events) = world.ended(&handle).await;
    assert_eq!(text, "7");
    let statuses: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::WorkflowStatus(payload) => Some(payload.status.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        statuses,
        ["RUNNING", "AWAITING_INPUT", "RUNNING", "COMPLETED"]
    );
    let received = events
        .iter()
        .find(|event| matches!(event.kind, EventKind::NodeInputReceived(_)));
    let line = serde_json::to_value(received.unwrap()).unwrap();
    assert_eq!(
        line["payload"],
        json!({"requestId": "ask/1", "answer": 7, "by": "Ada"})
    );
    let error = world.answer(run, json!(8)).await.unwrap_err();
    assert!(matches!(error, AnswerError::Ended { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn of_many_answers_one_counts() {
    let world = World::new();
    let handle = world.start(json!({})).await;
    let run = handle.id().clone();
    world.at(&run, WorkflowStatus::AwaitingInput).await;
    let answers = (0..8).map(|n| world.answer(&run, json!(n)));
    let answered = futures::future::join_all(answers).await;
    assert_eq!(answered.iter().filter(|answer| answer.is_ok()).count(), 1);
    let taken = answered.iter().position(Result::is_ok).unwrap();
    let (text, events) = world.ended(&handle).await;
    assert_eq!(text, taken.to_string());
    assert_eq!(
        count(&events, |kind| matches!(
            kind,
            EventKind::NodeInputReceived(_)
        )),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_in_time() {
    let world = World::new();
    let handle = world.start(json!({"params": {"seconds": 3600}})).await;
    let (text, events) = world.ended(&handle).await;
    assert_eq!(text, "none");
    let took = events.last().unwrap().timestamp.since(events[0].timestamp);
    assert_eq!(took.as_secs(), 3605);
    let error = world.answer(handle.id(), json!(1)).await.unwrap_err();
    assert!(matches!(error, AnswerError::Ended { .. }));
}

/// What was answered is not asked again, and needs no answer in a later attempt.
#[tokio::test(start_paused = true)]
async fn an_answer_outlives_the_attempt() {
    let world = World::new();
    let handle = world
        .start(json!({"params": {"questions": 2, "fail": 1}}))
        .await;
    let run = handle.id().clone();
    for n in [4, 5] {
        let mut events = world.store.subscribe(run.clone(), 0);
        let wanted = format!("ask/{}", n - 3);
        while let Some(Ok(event)) = events.next().await {
            if matches!(&event.kind, EventKind::NodeAwaitingInput(asked) if asked.request_id == wanted)
            {
                break;
            }
        }
        world.answer(&run, json!(n)).await.unwrap();
    }
    let (text, events) = world.ended(&handle).await;
    assert_eq!(text, "4,5");
    assert_eq!(count(&events, is_question), 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_holds_no_place() {
    let world = World::new();
    let mut graph = graph(json!({"groupId": "g", "maxConcurrency": 1}));
    graph.config.max_concurrency = Some(1);
    let plan = compile(&graph, &registry()).unwrap().plan;
    let handle = world.executor.start(RunRequest::new(plan)).await.unwrap();
    let view = world.at(handle.id(), WorkflowStatus::AwaitingInput).await;
    assert_eq!(view.node("beside").unwrap().state, NodeState::Completed);
    world.answer(handle.id(), json!(1)).await.unwrap();
    assert_eq!(world.ended(&handle).await.0, "1");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_can_be_cancelled() {
    let world = World::new();
    let handle = world.start(json!({})).await;
    world.at(handle.id(), WorkflowStatus::AwaitingInput).await;
    handle.cancel("no");
    assert_eq!(handle.wait().await.status, WorkflowStatus::Cancelled);
    assert_log_rules(&world.events(handle.id()).await);
}

/// The log of a run that asked, up to where it waits, and all of it with the answer.
async fn recorded() -> (Vec<Event>, Vec<Event>) {
    let world = World::new();
    let config = json!({"params": {"seconds": 3600, "questions": 2}});
    let handle = world.start(config).await;
    world.at(handle.id(), WorkflowStatus::AwaitingInput).await;
    let waiting = world.events(handle.id()).await;
    world.answer(handle.id(), json!(1)).await.unwrap();
    while world.answer(handle.id(), json!(2)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (_, events) = world.ended(&handle).await;
    (waiting, events)
}

async fn left(events: &[Event]) -> (World, RunId) {
    let world = World::new();
    let records = events.iter().map(|event| {
        let text = serde_json::to_string(event).unwrap();
        serde_json::from_str::<Event>(&text).unwrap().record
    });
    let run = events[0].run_id.clone();
    world.store.append(&run, records.collect()).await.unwrap();
    (world, run)
}

#[tokio::test(start_paused = true)]
async fn a_question_outlives_the_process() {
    let (waiting, whole) = recorded().await;
    // Resumed, then answered.
    let (world, run) = left(&waiting).await;
    let handle = world.executor.resume(&run).await.unwrap();
    let view = world.at(&run, WorkflowStatus::AwaitingInput).await;
    assert_eq!(view.node("ask").unwrap().attempt, 1);
    world.answer(&run, json!(1)).await.unwrap();
    // Answered, then resumed: also when the process died in between.
    for cut in 1..whole.len() {
        let (world, run) = left(&whole[..cut]).await;
        let handle = world.executor.resume(&run).await.unwrap();
        let answering = async {
            let mut events = world.store.subscribe(run.clone(), 0);
            let mut answered = Vec::new();
            while let Some(Ok(event)) = events.next().await {
                match &event.kind {
                    EventKind::NodeInputReceived(received) => {
                        answered.push(received.request_id.clone());
                    }
                    EventKind::NodeAwaitingInput(asked) if event.sequence > cut as u64 || !whole[event.sequence as usize..cut].iter().any(|later| matches!(&later.kind, EventKind::NodeInputReceived(received) if received.request_id == asked.request_id)) => {
                        let n: u32 = asked.request_id.rsplit('/').next().unwrap().parse().unwrap();
                        let _ = world.answer(&run, json!(n)).await;
                    }
                    _ => {}
                }
            }
            answered
        };
        let (answered, ended) = tokio::join!(answering, world.ended(&handle));
        assert_eq!(ended.0, "1,2", "cut off after event {cut}");
        assert_eq!(answered, ["ask/1", "ask/2"], "cut off after event {cut}");
        // Waiting is no work that is lost.
        let asked_before = whole[..cut]
            .iter()
            .rev()
            .find(|event| event.node_id().is_some_and(|id| id == "ask"));
        if asked_before.is_some_and(|event| is_question(&event.kind)) {
            let attempts = ended.1.iter().filter(|event| {
                matches!(event.kind, EventKind::NodeStarted(_))
                    && event.node_id().is_some_and(|id| id == "ask")
            });
            assert_eq!(attempts.count(), 1, "cut off after event {cut}");
        }
    }
    drop(handle);
}

/// A restart gives nobody more time.
#[tokio::test(start_paused = true)]
async fn the_time_to_answer_goes_on() {
    let (waiting, _) = recorded().await;
    let (world, run) = left(&waiting).await;
    let asked = waiting
        .iter()
        .find(|event| is_question(&event.kind))
        .unwrap();
    let EventKind::NodeAwaitingInput(asked) = &asked.kind else {
        panic!("{asked:?}");
    };
    let until = asked.timeout_at.unwrap();
    let handle = world.executor.resume(&run).await.unwrap();
    let (text, events) = world.ended(&handle).await;
    assert_eq!(text, "none,none");
    let second = events
        .iter()
        .filter(|event| is_question(&event.kind))
        .nth(1)
        .unwrap();
    assert_eq!(second.timestamp, until);
}
