//! What programs read: the golden of the status report, and a whole view.

use serde_json::json;

use super::log::{Log, run};
use crate::{
    event::Event,
    run::{RunOutputs, RunView, StatusReport},
};

/// A run with something of everything.
fn log() -> Log {
    let edges = [
        ["walk-scan", "walk", "scan", "success", "files"],
        ["scan-report", "scan", "report", "success", "findings"],
        ["scan-excuse", "scan", "excuse", "error", ""],
        ["walk-ask", "walk", "ask", "success", ""],
    ];
    let mut log = Log::of(&["walk", "scan", "report", "excuse", "ask"], &edges);
    log.start("walk", 1)
        .add("NODE_LOG", "walk", 1, json!({}))
        .add(
            "NODE_COMPLETED",
            "walk",
            1,
            json!({
                "outputs": {"files": ["a.rs"], "note": "key ***"}, "activePorts": ["files"],
                "outputRefs": {"tree": {"location": "sha256/aa", "size": 70000, "sha256": "aa"}},
                "secretOutputs": {"token": "GITHUB_TOKEN"},
                "masked": [{"port": "note", "pointer": "", "offset": 4, "encoding": "plain",
                            "secret": "KEY"}],
                "durationMs": 1.5,
            }),
        )
        .start("scan", 1)
        .fail("scan", 1, true)
        .start("scan", 2)
        .add(
            "NODE_PROGRESS",
            "scan",
            2,
            json!({"done": 89, "total": 127, "unit": "hosts",
                                                "source": "tool"}),
        )
        .add(
            "NODE_ARTIFACT",
            "scan",
            2,
            json!({
                "artifactId": "scan/2/1", "name": "raw.txt", "mediaType": "text/plain", "size": 12,
                "sha256": "bb", "location": "sha256/bb",
            }),
        )
        .start("ask", 1)
        .add(
            "NODE_AWAITING_INPUT",
            "ask",
            1,
            json!({"requestId": "q1", "kind": "approval", "title": "Go on?"}),
        );
    log
}

fn ended() -> Log {
    let mut log = log();
    log.add(
        "NODE_FAILED",
        "scan",
        2,
        json!({
            "error": {"kind": "ValidationError", "message": "no rules", "retryable": false,
                      "fieldErrors": {"rules": ["missing"]}},
            "willRetry": false, "handledBy": "excuse", "durationMs": 4.5,
        }),
    )
    .add(
        "NODE_SKIPPED",
        "report",
        0,
        json!({"reason": "upstream-failed", "cause": "scan"}),
    )
    .add(
        "NODE_CANCELLED",
        "ask",
        1,
        json!({"reason": "run-cancelled"}),
    )
    .start("excuse", 1)
    .complete("excuse", 1)
    .add(
        "WORKFLOW_STATUS",
        "",
        0,
        json!({
            "status": "FAILED",
            "failure": {"reason": "node scan failed: no rules", "nodeId": "scan",
                        "error": {"kind": "ValidationError", "message": "no rules",
                                  "retryable": false}},
        }),
    );
    log
}

#[test]
fn the_status_report_of_a_run_that_goes_on() {
    let report = StatusReport::from(&log().view());
    let golden = include_str!("golden/status-running.v1.json");
    assert_eq!(
        serde_json::to_string_pretty(&report).unwrap(),
        golden.trim_end()
    );
    assert_eq!(
        serde_json::from_str::<StatusReport>(golden).unwrap(),
        report
    );
}

#[test]
fn the_status_report_of_a_run_that_failed() {
    let report = StatusReport::from(&ended().view());
    let golden = include_str!("golden/status-failed.v1.json");
    assert_eq!(
        serde_json::to_string_pretty(&report).unwrap(),
        golden.trim_end()
    );
    assert_eq!(
        serde_json::from_str::<StatusReport>(golden).unwrap(),
        report
    );
}

#[test]
fn the_status_report_of_a_run_without_a_log() {
    let report = StatusReport::from(&RunView::new(run()));
    insta::assert_json_snapshot!(report, @r#"
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

#[test]
fn a_view_of_a_run_that_goes_on() {
    insta::assert_json_snapshot!(log().view());
}

#[test]
fn a_view_of_a_run_that_failed() {
    insta::assert_json_snapshot!(ended().view());
}

#[test]
fn the_outputs_tell_values_references_and_secrets_apart() {
    let outputs = RunOutputs::from(&log().view());
    let text = serde_json::to_string(&outputs).unwrap();
    assert_eq!(serde_json::from_str::<RunOutputs>(&text).unwrap(), outputs);
    insta::assert_json_snapshot!(outputs);
}

#[test]
fn the_whole_view_is_the_same_after_the_wire_at_every_event() {
    let events = ended().events;
    let stored: Vec<Event> = events
        .iter()
        .map(|event| serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap())
        .collect();
    for n in 0..=events.len() {
        let text = |events: &[Event]| {
            serde_json::to_string(&RunView::from_events(run(), &events[..n])).unwrap()
        };
        assert_eq!(text(&events), text(&stored), "after event {n}");
    }
}
