//! Event streams: history, then live, without a gap or a double.

use std::sync::Arc;

use futures::StreamExt as _;
use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use shipsec_core::{
    RunId,
    trace::{MemoryStore, TraceStore},
};
use shipsec_sqlite::SqliteStore;
use shipsec_studio::{Host, Limits};

use crate::support::{Frame, Server, chain, frames, problem};

/// A workflow that logs for a while.
fn talker(logs: u32) -> Json {
    chain(
        "flow",
        &[
            ("one", "dev.emit", json!({ "logs": logs, "progress": 3 })),
            ("wait", "dev.sleep", json!({ "ms": 20 })),
            ("two", "dev.emit", json!({ "logs": logs, "progress": 3 })),
        ],
    )
}

fn assert_whole(frames: &[Frame], log: &[Json]) {
    let (end, events) = frames.split_last().expect("there is an end");
    assert_eq!(end.event, "end");
    assert_eq!(events.len(), log.len());
    for (frame, event) in events.iter().zip(log) {
        assert_eq!(frame.id, event["sequence"].as_u64());
        assert_eq!(frame.event, event["type"].as_str().unwrap());
        assert_eq!(&serde_json::from_str::<Json>(&frame.data).unwrap(), event);
    }
}

async fn log_of(server: &Server, run: &str) -> Vec<Json> {
    let id = RunId::parse(run).unwrap();
    let log = server
        .executor
        .store()
        .read(&id, 0, 1_000_000)
        .await
        .unwrap();
    log.iter()
        .map(|event| serde_json::to_value(event).unwrap())
        .collect()
}

async fn many_listen(store: Arc<dyn TraceStore>, clients: usize) {
    let limits = Limits::default()
        .with_streams(clients)
        .with_connections(clients + 64);
    let server = Server::with(store, |host: Host| host.with_limits(limits)).await;
    server.keep(&talker(200)).await;
    let run = server.run("flow", json!({})).await;
    let listening = (0..clients).map(|_| server.follow(&run));
    let heard = futures::future::join_all(listening).await;
    let log = log_of(&server, &run).await;
    assert!(log.len() > 400);
    for frames in heard {
        assert_whole(&frames, &log);
    }
    // Those who come after its end get the same.
    assert_whole(&server.follow(&run).await, &log);
    let metrics = server
        .get("/metrics")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        metrics.contains("shipsec_studio_event_streams 0\n"),
        "{metrics}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_hear_everything_once_from_memory() {
    many_listen(Arc::new(MemoryStore::new()), 64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_hear_everything_once_from_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("runs.db")).unwrap();
    many_listen(Arc::new(store), 16).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_drops_fifty_times_loses_nothing() {
    let server = Server::start().await;
    server.keep(&talker(600)).await;
    let run = server.run("flow", json!({})).await;
    let path = format!("/workflows/runs/{run}/events");
    let (mut heard, mut drops): (Vec<Frame>, u64) = (Vec::new(), 0);
    loop {
        let last = heard.last().and_then(|frame| frame.id).unwrap_or(0);
        let request = server.get(&path).header("last-event-id", last);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let mut pieces = response.bytes_stream();
        let mut text = Vec::new();
        // A different place each time, also in the middle of a frame.
        let enough = 200 + (drops * 7919) % 3000;
        while let Some(piece) = pieces.next().await {
            text.extend_from_slice(&piece.unwrap());
            if drops < 50 && text.len() as u64 >= enough {
                text.truncate(enough as usize);
                break;
            }
        }
        heard.extend(frames(&String::from_utf8_lossy(&text)));
        if heard.last().is_some_and(|frame| frame.event == "end") {
            break;
        }
        drops += 1;
    }
    assert!(drops >= 50, "{drops}");
    assert_whole(&heard, &log_of(&server, &run).await);
}

#[tokio::test]
async fn a_stream_goes_on_after_what_was_heard() {
    let server = Server::start().await;
    server.keep(&talker(5)).await;
    let run = server.ended("flow", json!({})).await;
    let log = log_of(&server, &run).await;
    let path = format!("/workflows/runs/{run}/events");
    for (query, header, first) in [
        ("?after=3", None, 4),
        ("", Some("5"), 6),
        ("?after=3", Some("5"), 6),
    ] {
        let mut request = server.get(&format!("{path}{query}"));
        if let Some(id) = header {
            request = request.header("last-event-id", id);
        }
        let text = request.send().await.unwrap().text().await.unwrap();
        assert_whole(&frames(&text), &log[first - 1..]);
    }
    let at_end = server
        .get(&format!("{path}?after={}", log.len()))
        .send()
        .await
        .unwrap();
    assert_whole(&frames(&at_end.text().await.unwrap()), &[]);
    for beyond in [log.len() as u64 + 1, u64::MAX] {
        let refused = problem(server.get(&format!("{path}?after={beyond}"))).await;
        assert_eq!(refused, (400, "invalid-request".to_owned()), "{beyond}");
    }
    let bad = problem(server.get(&path).header("last-event-id", "x")).await;
    assert_eq!(bad, (400, "invalid-request".to_owned()));
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused() {
    let limits = Limits::default().with_streams(1);
    let server = Server::with(Arc::new(MemoryStore::new()), |host| {
        host.with_limits(limits)
    })
    .await;
    server
        .keep(&chain(
            "flow",
            &[("wait", "dev.sleep", json!({ "ms": 600_000 }))],
        ))
        .await;
    let run = server.run("flow", json!({})).await;
    let path = format!("/workflows/runs/{run}/events");
    let first = server.get(&path).send().await.unwrap();
    assert_eq!(
        problem(server.get(&path)).await,
        (503, "too-many-streams".to_owned())
    );
    drop(first);
    // Once the server notices that the first is gone there is room again.
    let again = loop {
        let again = server.get(&path).send().await.unwrap();
        if again.status() == StatusCode::OK {
            break again;
        }
        tokio::task::yield_now().await;
    };
    server
        .post(&format!("/workflows/runs/{run}/terminate"))
        .send()
        .await
        .unwrap();
    let text = again.text().await.unwrap();
    assert_eq!(frames(&text).last().unwrap().event, "end");
}

#[tokio::test]
async fn a_stream_ends_with_its_server() {
    let server = Server::start().await;
    server
        .keep(&chain(
            "flow",
            &[("wait", "dev.sleep", json!({ "ms": 600_000 }))],
        ))
        .await;
    let run = server.run("flow", json!({})).await;
    let path = format!("/workflows/runs/{run}/events");
    let mut pieces = server.get(&path).send().await.unwrap().bytes_stream();
    let first = pieces.next().await.unwrap().unwrap();
    assert!(first.starts_with(b"retry: "));
    let ended = async {
        let mut text = Vec::new();
        while let Some(Ok(piece)) = pieces.next().await {
            text.extend_from_slice(&piece);
        }
        String::from_utf8(text).unwrap()
    };
    let (text, ()) = futures::future::join(ended, server.stop()).await;
    // The client is to come again, so it is not told that the run has ended.
    assert!(!text.contains("event: end"), "{text}");
}
