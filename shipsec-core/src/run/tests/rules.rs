//! Each rule by itself.

use serde_json::{Value as Json, json};

use super::log::{self, Log, completed, event, failed, run, started};
use crate::{
    event::{Event, NodeRef, Timestamp, WorkflowStatus},
    run::{Applied, NodeState, RunOutputs, RunView, StatusReport},
    schedule::EdgeState,
};

fn state(view: &RunView, node: &str) -> NodeState {
    view.node(node).unwrap().state
}

#[test]
fn the_planned_nodes_are_there_from_the_first_event() {
    let view = Log::of(&["z", "a", "m"], &[]).view();
    let ids: Vec<_> = view.nodes().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["z", "a", "m"]);
    assert!(view.nodes().all(|(_, node)| {
        node.state == NodeState::Pending
            && node.component.as_ref().unwrap().component_id == "dev.echo"
    }));
    assert_eq!((view.counts.pending, view.counts.finished()), (3, 0));
}

#[test]
fn a_node_without_a_plan_is_shown_after_the_planned_ones() {
    let mut log = Log::default();
    log.start("ghost", 1).start("b", 1).complete("b", 1);
    let definition = log::definition(&["a", "b"], &[["e", "b", "a", "success", ""]]);
    log.add(
        "WORKFLOW_STATUS",
        "",
        0,
        json!({"status": "RUNNING", "definition": definition}),
    );
    log.complete("ghost", 1).start("later", 1);
    let view = log.view();
    let ids: Vec<_> = view.nodes().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "ghost", "later"]);
    // What came before the definition counts all the same.
    assert_eq!(state(&view, "b"), NodeState::Completed);
    assert_eq!(view.edges().next().unwrap().state, EdgeState::Fired);
    assert_eq!(state(&view, "ghost"), NodeState::Completed);
    assert_eq!((view.counts.running, view.counts.completed), (1, 2));
}

#[test]
fn events_that_are_not_the_next_one_change_nothing() {
    let mut log = Log::of(&["a"], &[]);
    log.start("a", 1).complete("a", 1);
    let mut view = RunView::new(run());
    assert_eq!(view.apply(&log.events[2]), Applied::Gap { expected: 1 });
    assert_eq!(view, RunView::new(run()));
    assert_eq!(view.apply(&log.events[0]), Applied::Taken);
    let before = view.clone();
    assert_eq!(view.apply(&log.events[0]), Applied::Duplicate);
    assert_eq!(view.apply(&log.events[2]), Applied::Gap { expected: 2 });
    let mut other = log.events[1].clone();
    other.run_id = "s".parse().unwrap();
    assert_eq!(view.apply(&other), Applied::OtherRun);
    assert_eq!(view, before);
    assert_eq!(view.apply(&log.events[1]), Applied::Taken);
}

#[test]
fn a_hint_is_only_a_hint() {
    let log = Log::of(&["a", "b"], &[]);
    for hint in [0, 1, 2, 900] {
        let mut view = log.view();
        let mut event = event(2, 0, "NODE_STARTED", "b", 1, started());
        event.record.node = Some(NodeRef::at("b".into(), hint));
        view.apply(&event);
        assert_eq!(state(&view, "a"), NodeState::Pending);
        assert_eq!(state(&view, "b"), NodeState::Running);
        assert_eq!(view.nodes().len(), 2);
    }
}

/// A payload of each type that is about a node.
fn kinds() -> Vec<(&'static str, Json)> {
    vec![
        ("NODE_STARTED", started()),
        ("NODE_LOG", json!({})),
        ("NODE_PROGRESS", json!({"done": 1, "total": 3})),
        (
            "NODE_ARTIFACT",
            json!({
                "artifactId": "n/1/1", "name": "a.txt", "mediaType": "text/plain", "size": 1,
                "sha256": "00", "location": "x",
            }),
        ),
        (
            "NODE_AWAITING_INPUT",
            json!({"requestId": "q", "kind": "approval", "title": "Go?"}),
        ),
        ("NODE_COMPLETED", completed()),
        ("NODE_FAILED", failed(false)),
        ("NODE_FAILED", failed(true)),
        ("NODE_SKIPPED", json!({"reason": "lost-race", "cause": "x"})),
        ("NODE_CANCELLED", json!({"reason": "run-cancelled"})),
    ]
}

#[test]
fn a_late_event_never_reopens_a_finished_node() {
    for end in [5, 6, 8, 9] {
        let kinds = kinds();
        let mut log = Log::default();
        if end != 8 {
            log.start("n", 1);
        }
        log.add(kinds[end].0, "n", 1, kinds[end].1.clone());
        let ended = log.view().node("n").unwrap().clone();
        assert!(ended.state.is_final());
        for (kind, payload) in &kinds {
            for attempt in 0..3 {
                log.add(kind, "n", attempt, payload.clone());
            }
        }
        let view = log.view();
        let mut now = view.node("n").unwrap().clone();
        assert_eq!(
            (now.log_counts.info, now.artifacts),
            (3, 3),
            "they are counted"
        );
        assert_eq!(view.late_events, 30);
        assert_eq!(view.artifacts().len(), 3);
        now.log_counts = ended.log_counts;
        now.artifacts = ended.artifacts;
        assert_eq!(now, ended);
        assert_eq!(view.counts.finished(), 1);
    }
}

#[test]
fn an_older_attempt_has_no_say() {
    for (kind, payload) in kinds() {
        let mut log = Log::default();
        log.start("n", 1).start("n", 2);
        let before = log.view().node("n").unwrap().clone();
        log.add(kind, "n", 1, payload);
        let view = log.view();
        let now = view.node("n").unwrap();
        assert_eq!((now.state, now.attempt), (NodeState::Running, 2), "{kind}");
        assert_eq!(
            (&now.progress, now.started_at),
            (&before.progress, before.started_at)
        );
        assert_eq!(view.late_events, 1, "{kind}");
    }
}

#[test]
fn an_attempt_starts_and_ends_once() {
    let mut log = Log::default();
    log.start("n", 1).fail("n", 1, true);
    for (kind, payload) in kinds()
        .into_iter()
        .filter(|(kind, _)| *kind != "NODE_CANCELLED")
    {
        log.add(kind, "n", 1, payload);
    }
    let view = log.view();
    let node = view.node("n").unwrap();
    assert_eq!((node.state, node.attempt), (NodeState::Retrying, 1));
    assert_eq!(node.progress, None);
    log.start("n", 2).complete("n", 2);
    let view = log.view();
    let node = view.node("n").unwrap();
    assert_eq!((node.state, node.attempt), (NodeState::Completed, 2));
    assert_eq!((&node.error, node.retry_at), (&None, None));
}

#[test]
fn a_wait_between_attempts_can_be_cancelled() {
    let mut log = Log::default();
    log.start("n", 1).fail("n", 1, true);
    log.add("NODE_CANCELLED", "n", 0, json!({"reason": "run-cancelled"}));
    let view = log.view();
    let node = view.node("n").unwrap();
    assert_eq!((node.state, node.attempt), (NodeState::Cancelled, 1));
    assert_eq!(node.duration_ms, Some(0.25));
    assert_eq!(node.cancel_reason.as_deref(), Some("run-cancelled"));
}

#[test]
fn a_started_node_is_not_skipped() {
    let mut log = Log::default();
    log.start("n", 1);
    log.add(
        "NODE_SKIPPED",
        "n",
        0,
        json!({"reason": "lost-race", "cause": "x"}),
    );
    assert_eq!(state(&log.view(), "n"), NodeState::Running);
    assert_eq!(log.view().late_events, 1);
}

#[test]
fn a_node_that_goes_on_working_waits_no_longer() {
    let mut log = Log::of(&["n"], &[]);
    log.start("n", 1);
    log.add("NODE_AWAITING_INPUT", "n", 1, kinds()[4].1.clone());
    log.status("AWAITING_INPUT");
    log.add("NODE_LOG", "n", 1, json!({}));
    let view = log.view();
    assert_eq!(view.status, WorkflowStatus::AwaitingInput);
    assert_eq!(state(&view, "n"), NodeState::AwaitingInput);
    assert_eq!(
        view.node("n").unwrap().awaiting.as_ref().unwrap().title,
        "Go?"
    );
    log.status("RUNNING");
    log.add("NODE_PROGRESS", "n", 1, json!({}));
    let view = log.view();
    assert_eq!(view.status, WorkflowStatus::Running);
    assert_eq!(state(&view, "n"), NodeState::Running);
    assert_eq!(view.node("n").unwrap().awaiting, None);
}

#[test]
fn the_end_of_a_run_is_the_end() {
    for last in [
        "COMPLETED",
        "FAILED",
        "CANCELLED",
        "TIMED_OUT",
        "TERMINATED",
    ] {
        let edges = [
            ["1", "b", "c", "success", ""],
            ["2", "b", "d", "finally", ""],
        ];
        let mut log = Log::of(&["a", "b", "c", "d"], &edges);
        log.start("a", 1)
            .complete("a", 1)
            .start("b", 1)
            .status(last);
        let ended = log.view();
        let end = log.events.last().unwrap().timestamp;
        assert_eq!(ended.completed_at, Some(end));
        // Total of total, also where the log leaves nodes without an end.
        let report = StatusReport::from(&ended);
        let progress = report.progress;
        assert_eq!((progress.completed_actions, progress.total_actions), (4, 4));
        let b = ended.node("b").unwrap();
        assert_eq!((b.state, b.ended_at), (NodeState::Cancelled, Some(end)));
        assert_eq!(b.cancel_reason.as_deref(), Some("run-ended"));
        let edges: Vec<_> = ended.edges().map(|edge| edge.state).collect();
        assert_eq!(edges, [EdgeState::Dead, EdgeState::Fired]);

        for status in [
            "QUEUED",
            "RUNNING",
            "AWAITING_INPUT",
            "COMPLETED",
            "TERMINATED",
            "STALE",
        ] {
            log.status(status);
        }
        log.start("b", 2).complete("b", 2).start("new", 1);
        let view = log.view();
        assert_eq!(view.status, ended.status);
        assert_eq!(view.completed_at, ended.completed_at);
        assert_eq!(view.node("b"), ended.node("b"));
        assert_eq!(state(&view, "new"), NodeState::Cancelled);
        assert_eq!(view.late_events, 9);
        assert_eq!(view.updated_at, Some(log.events.last().unwrap().timestamp));
    }
}

#[test]
fn a_log_without_a_start_is_stale_and_nothing_returns_to_the_queue() {
    let mut log = Log::default();
    assert_eq!(log.view().status, WorkflowStatus::Stale);
    log.start("a", 1);
    assert_eq!(log.view().status, WorkflowStatus::Stale);
    log.status("QUEUED");
    assert_eq!(log.view().status, WorkflowStatus::Queued);
    log.status("RUNNING").status("QUEUED").status("STALE");
    assert_eq!(log.view().status, WorkflowStatus::Running);
}

#[test]
fn what_a_newer_writer_says_passes_by() {
    let mut log = Log::of(&["a"], &[]);
    let before = log.view();
    log.add("NODE_DANCED", "elsewhere", 1, json!({"x": 1}));
    let view = log.view();
    assert_eq!(
        (view.sequence, view.unknown_events, view.late_events),
        (2, 1, 0)
    );
    assert_eq!(view.updated_at, Some(log.events[1].timestamp));
    assert!(view.nodes().eq(before.nodes()));
}

#[test]
fn edges_resolve_by_kind_and_port() {
    use EdgeState::{Dead, Fired, Open};
    let edges = [
        ["plain", "s", "t", "success", ""],
        ["left", "s", "t", "success", "left"],
        ["right", "s", "t", "success", "right"],
        ["error", "s", "t", "error", ""],
        ["finally", "s", "t", "finally", ""],
        ["other", "t", "u", "success", ""],
    ];
    let branch = json!({"outputs": {}, "activePorts": ["left"], "durationMs": 1.0});
    let ends = [
        (
            "NODE_COMPLETED",
            branch,
            [Fired, Fired, Dead, Dead, Fired, Open],
        ),
        (
            "NODE_COMPLETED",
            completed(),
            [Fired, Fired, Fired, Dead, Fired, Open],
        ),
        (
            "NODE_FAILED",
            failed(false),
            [Dead, Dead, Dead, Fired, Fired, Open],
        ),
        ("NODE_FAILED", failed(true), [Open; 6]),
        (
            "NODE_CANCELLED",
            json!({"reason": "x"}),
            [Dead, Dead, Dead, Dead, Fired, Open],
        ),
    ];
    for (kind, payload, expected) in ends {
        let mut log = Log::of(&["s", "t", "u"], &edges);
        log.start("s", 1).add(kind, "s", 1, payload);
        let view = log.view();
        let states: Vec<_> = view.edges().map(|edge| edge.state).collect();
        assert_eq!(states, expected, "{kind}");
    }
}

#[test]
fn a_warning_about_inputs_is_no_progress() {
    let mut log = Log::default();
    log.start("n", 1);
    log.add(
        "NODE_PROGRESS",
        "n",
        1,
        json!({"done": 2, "total": 4, "unit": "files"}),
    );
    let mut warning = event(3, 0, "NODE_PROGRESS", "n", 1, json!({}));
    warning.record.level = crate::event::Level::Warn;
    log.events.push(warning);
    let view = log.view();
    let node = view.node("n").unwrap();
    assert_eq!(node.progress.as_ref().unwrap().done, Some(2));
    assert_eq!(node.log_counts.warn, 1);
}

#[test]
fn a_duration_is_the_same_before_and_after_the_wire() {
    let mut log = Log::default();
    log.start("n", 1).complete("n", 1);
    // 0.1 + 0.2 has seventeen digits, and text readers differ in the last one.
    for (said, shown) in [(0.1 + 0.2, 0.3), (1e-9, 0.0), (1_234.567_891, 1_234.568)] {
        let mut events = log.events.clone();
        let crate::event::EventKind::NodeCompleted(payload) = &mut events[1].record.kind else {
            unreachable!("the second event of this log")
        };
        payload.duration_ms = said;
        let view = RunView::from_events(run(), &events);
        assert_eq!(view.node("n").unwrap().duration_ms, Some(shown));
    }
    // A clock that went backwards makes no negative time.
    let mut events = log.events.clone();
    events[1] = event(2, -5_000, "NODE_CANCELLED", "n", 1, json!({"reason": "x"}));
    let view = RunView::from_events(run(), &events);
    assert_eq!(view.node("n").unwrap().duration_ms, Some(0.0));
}

#[test]
fn the_run_is_taken_over_by_the_latest_executor() {
    let mut log = Log::of(&["a"], &[]);
    let again = json!({
        "status": "RUNNING", "executor": "temporal", "taskQueue": "q", "workflowId": "other",
        "definitionHash": "beef", "trigger": {"type": "api"}, "inputs": {},
    });
    log.add("WORKFLOW_STATUS", "", 0, again);
    let report = StatusReport::from(&log.view());
    assert_eq!(report.executor.as_deref(), Some("temporal"));
    assert_eq!(report.task_queue.as_deref(), Some("q"));
    assert_eq!(report.workflow_id.unwrap(), "w");
    assert_eq!(report.workflow_version.as_deref(), Some("c0ffee"));
    assert_eq!(report.trigger.kind, "cli");
}

#[test]
fn the_outputs_of_a_run_are_those_of_its_last_nodes() {
    let mut log = Log::of(&["a", "b"], &[["e", "a", "b", "success", ""]]);
    log.start("a", 1)
        .complete("a", 1)
        .start("b", 1)
        .complete("b", 1);
    assert!(log.view().run_outputs().is_empty(), "not before its end");
    log.status("COMPLETED");
    let outputs = RunOutputs::from(&log.view());
    assert_eq!(outputs.nodes.len(), 2);
    assert_eq!(outputs.outputs.keys().collect::<Vec<_>>(), ["b"]);
    // What the last event says goes first.
    log.events.pop();
    let said = json!({"status": "COMPLETED", "outputs": {"a": {"outputs": {"x": 1}}}});
    log.add("WORKFLOW_STATUS", "", 0, said);
    let outputs = RunOutputs::from(&log.view());
    assert_eq!(outputs.outputs.keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_copy_keeps_the_moment() {
    let nodes: Vec<String> = (0..200).map(|n| format!("n{n}")).collect();
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    let mut log = Log::of(&nodes, &[]);
    let frame = log.view();
    let text = serde_json::to_string(&frame).unwrap();
    let mut view = frame.clone();
    log.start("n7", 1).complete("n7", 1).start("ghost", 1);
    for event in &log.events {
        view.apply(event);
    }
    assert_eq!(serde_json::to_string(&frame).unwrap(), text);
    assert_eq!(view, log.view());
}

#[test]
fn times_decide_nothing() {
    let mut log = Log::of(&["a", "b"], &[["e", "a", "b", "success", ""]]);
    log.start("a", 1)
        .complete("a", 1)
        .start("b", 1)
        .fail("b", 1, true);
    log.start("b", 2).complete("b", 2).status("COMPLETED");
    let at = |change: &dyn Fn(i64) -> i64| {
        let mut events: Vec<Event> = log.events.clone();
        for event in &mut events {
            event.record.timestamp = Timestamp::from_micros(change(event.timestamp.as_micros()));
        }
        let view = RunView::from_events(run(), &events);
        let states: Vec<_> = view
            .nodes()
            .map(|(_, node)| (node.state, node.attempt))
            .collect();
        (view.status, states, view.counts, view.late_events)
    };
    let straight = at(&|micros| micros);
    assert_eq!(straight.3, 0);
    assert_eq!(at(&|_| 0), straight);
    assert_eq!(at(&|micros| -micros), straight);
    assert_eq!(at(&|micros| micros % 7), straight);
}
