//! The reducer: live state equals replayed state, and the end is the end.

use proptest::prelude::*;
use serde_json::json;
use shipsec_core::{
    RunId,
    event::Event,
    run::{Applied, NodeState, RunView, StatusReport},
};

fn event(sequence: u64, kind: &str, node: &str, attempt: u32, payload: serde_json::Value) -> Event {
    let mut event = json!({
        "runId": "r", "sequence": sequence, "type": kind, "timestamp": "2025-10-16T09:12:03.123456Z",
        "counter": sequence, "payload": payload,
    });
    if !node.is_empty() {
        event["nodeId"] = node.into();
        event["attempt"] = attempt.into();
    }
    serde_json::from_value(event).unwrap()
}

fn kinds() -> Vec<(&'static str, serde_json::Value)> {
    vec![
        (
            "NODE_STARTED",
            json!({"componentId": "c.c", "componentVersion": "1.0.0", "joinStrategy": "all"}),
        ),
        ("NODE_LOG", json!({"stream": "log"})),
        (
            "NODE_PROGRESS",
            json!({"done": 1, "total": 3, "source": "component"}),
        ),
        (
            "NODE_COMPLETED",
            json!({"outputs": {"a": 1}, "durationMs": 1.5}),
        ),
        (
            "NODE_FAILED",
            json!({"error": {"kind": "NetworkError", "message": "m", "retryable": true}, "willRetry": false}),
        ),
        (
            "NODE_FAILED",
            json!({"error": {"kind": "NetworkError", "message": "m", "retryable": true}, "willRetry": true}),
        ),
        ("NODE_SKIPPED", json!({"reason": "lost-race", "cause": "x"})),
        ("NODE_CANCELLED", json!({"reason": "run-cancelled"})),
        ("SOMETHING_NEW", json!({"x": 1})),
    ]
}

#[test]
fn a_late_event_never_reopens_a_finished_node() {
    let kinds = kinds();
    for end in [3, 4, 6, 7] {
        let mut view = RunView::new(RunId::parse("r").unwrap());
        view.apply(&event(1, kinds[0].0, "n", 1, kinds[0].1.clone()));
        view.apply(&event(2, kinds[end].0, "n", 1, kinds[end].1.clone()));
        let ended = view.node("n").unwrap().state;
        assert!(ended.is_final());
        for (sequence, (kind, payload)) in (3..).zip(&kinds) {
            view.apply(&event(sequence, kind, "n", 2, payload.clone()));
            assert_eq!(
                view.node("n").unwrap().state,
                ended,
                "{kind} after {ended:?}"
            );
        }
        assert_eq!(view.finished_nodes, 1);
    }
}

#[test]
fn an_older_attempt_has_no_say() {
    let kinds = kinds();
    let mut view = RunView::new(RunId::parse("r").unwrap());
    view.apply(&event(1, kinds[0].0, "n", 1, kinds[0].1.clone()));
    view.apply(&event(2, kinds[0].0, "n", 2, kinds[0].1.clone()));
    view.apply(&event(3, kinds[3].0, "n", 1, kinds[3].1.clone()));
    assert_eq!(view.node("n").unwrap().state, NodeState::Running);
}

#[test]
fn the_status_of_a_run_without_a_start_is_stale() {
    let view = RunView::new(RunId::parse("r").unwrap());
    insta::assert_json_snapshot!(StatusReport::from(&view), @r#"
    {
      "runId": "r",
      "workflowId": null,
      "workflowVersion": null,
      "status": "STALE",
      "startedAt": null,
      "updatedAt": null,
      "progress": {
        "completedActions": 0,
        "totalActions": 0
      },
      "trigger": {
        "type": "manual"
      },
      "executor": null
    }
    "#);
}

proptest! {
    #[test]
    fn folding_a_prefix_and_going_on_is_folding_all(
        picks in prop::collection::vec((0_usize..9, 0_u32..3, 0_usize..4), 0..60), cut in 0_usize..60
    ) {
        let kinds = kinds();
        let nodes = ["a", "b", "c", "d"];
        let events: Vec<Event> = (1..)
            .zip(&picks)
            .map(|(sequence, (kind, attempt, node))| {
                event(sequence, kinds[*kind].0, nodes[*node], *attempt, kinds[*kind].1.clone())
            })
            .collect();
        let run = RunId::parse("r").unwrap();
        let whole = RunView::from_events(run.clone(), &events);
        let cut = cut.min(events.len());
        let mut view = RunView::from_events(run, &events[..cut]);
        let before = view.clone();
        for event in &events[..cut] {
            prop_assert_eq!(view.apply(event), Applied::Duplicate);
        }
        prop_assert_eq!(&view, &before);
        if cut + 1 < events.len() {
            let expected = cut as u64 + 1;
            prop_assert_eq!(view.apply(&events[cut + 1]), Applied::Gap { expected });
        }
        for event in &events[cut..] {
            prop_assert_eq!(view.apply(event), Applied::Applied);
        }
        let bytes = |view: &RunView| serde_json::to_string(view).unwrap();
        prop_assert_eq!(bytes(&view), bytes(&whole));
    }
}
