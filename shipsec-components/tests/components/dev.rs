//! The components for trying things out.

use std::time::Duration;

use serde_json::json;
use shipsec_core::{
    ErrorKind,
    event::{EventKind, WorkflowStatus},
};

use super::bench::{Bench, Ended};

fn count(ended: &Ended, is: impl Fn(&EventKind) -> bool) -> usize {
    ended
        .events()
        .iter()
        .filter(|event| is(&event.kind))
        .count()
}

#[tokio::test(start_paused = true)]
async fn sleep_waits_and_passes_its_value_on() {
    let begun = tokio::time::Instant::now();
    let params = json!({ "ms": 90_000 });
    let ended = Bench::new()
        .run("dev.sleep", params, json!({ "value": [1] }))
        .await;
    assert_eq!(ended.output("node", "value"), json!([1]));
    assert_eq!(begun.elapsed().as_secs(), 90);
}

#[tokio::test(start_paused = true)]
async fn sleep_stops_as_soon_as_it_is_cancelled() {
    let bench = Bench::new();
    let begun = tokio::time::Instant::now();
    let run = bench
        .start("dev.sleep", json!({ "ms": 3_600_000 }), json!({}))
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    run.cancel();
    let ended = run.end().await;
    assert_eq!(ended.outcome().status, WorkflowStatus::Cancelled);
    assert_eq!(
        begun.elapsed().as_secs(),
        1,
        "it was not dropped after the grace time"
    );
}

#[tokio::test(start_paused = true)]
async fn fail_fails_as_often_as_it_is_told() {
    let params = json!({ "kind": "NetworkError", "message": "gone", "times": 2 });
    let bench = Bench::new().attempts(3);
    let ended = bench
        .run("dev.fail", params.clone(), json!({ "value": 7 }))
        .await;
    assert_eq!(ended.output("node", "value"), 7);
    assert_eq!(
        count(&ended, |kind| matches!(kind, EventKind::NodeFailed(_))),
        2
    );
    let ended = Bench::new()
        .attempts(2)
        .run("dev.fail", params, json!({}))
        .await;
    ended.failed(ErrorKind::Network, "gone");
    let ended = Bench::new()
        .attempts(3)
        .run("dev.fail", json!({}), json!({}))
        .await;
    ended.failed(ErrorKind::Service, "failed on purpose");
    assert_eq!(
        count(&ended, |kind| matches!(kind, EventKind::NodeFailed(_))),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn emit_emits_so_many_of_each() {
    let bench = Bench::new();
    let params =
        json!({ "logs": 300, "progress": 1000, "artifactBytes": 200_001, "outputBytes": 70_000 });
    let ended = bench.run("dev.emit", params, json!({})).await;
    assert_eq!(ended.output("node", "text").as_str().unwrap().len(), 70_000);
    let file = ended.file("artifact");
    assert_eq!(bench.bytes(&file).await.len(), 200_001);
    assert_eq!(
        count(&ended, |kind| matches!(kind, EventKind::NodeLog(_))),
        300
    );
    let mut done = ended.events().iter().filter_map(|event| match &event.kind {
        EventKind::NodeProgress(progress) => progress.done,
        _ => None,
    });
    assert_eq!(
        done.next_back(),
        Some(1000),
        "the last progress is never lost"
    );
    let ended = bench.run("dev.emit", json!({}), json!({})).await;
    assert!(ended.output("node", "text").is_null() && ended.output("node", "artifact").is_null());
}

#[tokio::test(start_paused = true)]
async fn branch_and_echo_pass_values_on() {
    let bench = Bench::new();
    for (port, other) in [("left", "right"), ("right", "left")] {
        let ended = bench
            .run("dev.branch", json!({ "port": port }), json!({ "value": 5 }))
            .await;
        assert_eq!(ended.output("node", port), 5);
        assert!(ended.output("node", other).is_null());
        let ended = bench
            .run("dev.branch", json!({ "port": port }), json!({}))
            .await;
        assert_eq!(ended.output("node", port), port);
    }
    let ended = bench
        .run("dev.echo", json!({}), json!({ "value": { "a": 1 } }))
        .await;
    assert_eq!(ended.output("node", "value"), json!({ "a": 1 }));
}
