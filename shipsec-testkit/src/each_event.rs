//! A run that is cut off after each of its events in turn, and resumed.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Map, Value as Json};
use shipsec_core::{
    NodeId, RunId,
    event::{Event, EventKind},
    execute::{Executor, LocalExecutor},
    trace::{MemoryStore, TraceStore},
    workflow::Graph,
};

use crate::{Finished, Harness, assert_log_rules, rules::is_outcome};

/// Runs a workflow, then once more for each event of its log: the process dies with that event as
/// the last that was recorded, and another one resumes the run. Holds each resumed run to losing
/// nothing:
///
/// - what was recorded stays as it is, and the log goes on in the same sequence, by the rules that
///   [`assert_log_rules`] holds it to;
/// - no node with a recorded outcome runs again;
/// - the run ends as the one that was not interrupted, and so does each node, with the same outputs.
///
/// What is resumed has been written as JSON and read again, as from a store on disk. The runs come
/// back in the order of the events.
///
/// # Panics
///
/// When the graph does not compile, or a run breaks one of these promises, saying which.
pub async fn resume_at_each_event(
    harness: &Harness,
    graph: &Graph,
    inputs: &Map<String, Json>,
) -> Vec<Finished> {
    let plain = harness.run(graph, inputs.clone()).await;
    assert_log_rules(&plain.events);
    let mut runs = Vec::new();
    for cut in 1..plain.events.len() {
        let run = resume_after(harness, &plain.events[..cut]).await;
        let at = || {
            let last = &plain.events[cut - 1];
            format!("cut off after event {cut}, {}", last.kind.type_name())
        };
        assert_eq!(run.outcome.status, plain.outcome.status, "{}", at());
        for (node, now) in outcomes(&run.events) {
            let before = outcomes(&plain.events).find(|(id, _)| *id == node);
            let before = before.map(|(_, event)| event);
            assert_eq!(
                Some(now.kind.type_name()),
                before.map(|event| event.kind.type_name()),
                "{}: node {node} ended otherwise",
                at()
            );
            let outputs = |event: &Event| match &event.kind {
                EventKind::NodeCompleted(completed) => Some(completed.outputs.clone()),
                _ => None,
            };
            assert!(
                outputs(now) == before.and_then(outputs),
                "{}: node {node} gave other outputs",
                at()
            );
        }
        runs.push(run);
    }
    runs
}

/// Resumes the run whose log these events are, to its end, in a store of its own. The events are
/// written as JSON and read again first.
///
/// # Panics
///
/// When the run cannot be resumed, its log loses something or breaks a rule, or a node with a
/// recorded outcome runs again.
pub async fn resume_after(harness: &Harness, recorded: &[Event]) -> Finished {
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let (executor, run) = interrupted(harness, &store, recorded).await;
    let handle = executor.resume(&run).await;
    let handle = handle.unwrap_or_else(|error| panic!("{error}"));
    let outcome = handle.wait().await;
    let events = store.read(&run, 0, usize::MAX).await;
    let events = events.unwrap_or_else(|error| panic!("{error}"));
    assert_log_rules(&events);
    let (kept, new) = events.split_at(recorded.len());
    assert_eq!(kept, recorded, "what was recorded has changed");
    let ended: BTreeSet<&NodeId> = outcomes(recorded).map(|(node, _)| node).collect();
    let again = new.iter().filter_map(|event| event.node_id());
    let again: Vec<_> = again.filter(|node| ended.contains(node)).collect();
    assert!(again.is_empty(), "{again:?} had ended, and ran again");
    Finished { outcome, events }
}

/// A store with a log that breaks off, and an executor that may resume it.
async fn interrupted(
    harness: &Harness,
    store: &Arc<dyn TraceStore>,
    recorded: &[Event],
) -> (LocalExecutor, RunId) {
    let run = recorded.first().map(|event| event.run_id.clone());
    let run = run.unwrap_or_else(RunId::generate);
    let again = |event: &Event| -> serde_json::Result<Event> {
        serde_json::from_str(&serde_json::to_string(event)?)
    };
    let records = recorded
        .iter()
        .map(|event| again(event).map(|event| event.record));
    let records: Result<Vec<_>, _> = records.collect();
    let records = records.unwrap_or_else(|error| panic!("{error}"));
    if let Err(error) = store.append(&run, records).await {
        panic!("{error}");
    }
    (harness.executor_on(store.clone()), run)
}

fn outcomes(events: &[Event]) -> impl Iterator<Item = (&NodeId, &Event)> {
    let ended = events.iter().filter(|event| is_outcome(event));
    ended.filter_map(|event| Some((event.node_id()?, event)))
}
