//! `core.http.request` against a server on the loopback interface.

use serde_json::{Value as Json, json};
use shipsec_core::{
    ErrorKind,
    context::StaticSecrets,
    event::{EventKind, WorkflowStatus},
};

use super::{
    bench::{Bench, Ended},
    server::{Answer, Server, answer},
};

const REQUEST: &str = "core.http.request";

async fn get(url: &str, params: Json) -> Ended {
    Bench::new()
        .run(REQUEST, params, json!({ "url": url }))
        .await
}

#[tokio::test]
async fn an_answer_comes_with_status_headers_body_and_json() {
    let server = Server::start(|_| {
        let headers = [
            ("Content-Type", "application/json"),
            ("X-A", "1"),
            ("X-A", "2"),
        ];
        answer(201, &headers, r#"{"ok":[true]}"#)
    })
    .await;
    let ended = get(&format!("{}/a?key=made-up", server.url), json!({})).await;
    assert_eq!(ended.output("node", "status"), 201);
    assert_eq!(ended.output("node", "body"), r#"{"ok":[true]}"#);
    assert_eq!(ended.output("node", "json"), json!({ "ok": [true] }));
    assert_eq!(ended.output("node", "headers")["x-a"], "1, 2");
    assert_eq!(server.requests()[0].target, "/a?key=made-up");
    let logged: Vec<_> = ended
        .events()
        .iter()
        .filter_map(|e| e.message.as_deref())
        .collect();
    assert!(
        logged.iter().any(|line| line.contains("/a?key=…: 201")),
        "{logged:?}"
    );
}

#[tokio::test]
async fn what_is_not_json_stays_text() {
    let server = Server::start(|request| match request.target.as_str() {
        "/text" => answer(200, &[("Content-Type", "text/html")], "{}"),
        _ => answer(200, &[("Content-Type", "application/json")], "{oops"),
    })
    .await;
    let ended = get(&format!("{}/text", server.url), json!({})).await;
    assert_eq!(ended.output("node", "json"), Json::Null);
    let ended = get(&server.url, json!({})).await;
    assert_eq!(ended.output("node", "json"), Json::Null);
    assert_eq!(ended.output("node", "body"), "{oops");
    assert!(
        ended
            .jsonl()
            .contains("says that it is JSON, but it is not")
    );
}

#[tokio::test]
async fn a_body_goes_out_as_text_or_as_json() {
    let server = Server::start(|_| answer(204, &[], "")).await;
    for (body, sent, kind) in [
        (json!({ "a": 1 }), r#"{"a":1}"#, "application/json"),
        (json!("plain"), "plain", "text/plain; charset=utf-8"),
    ] {
        let inputs = json!({ "url": server.url, "method": "post", "body": body });
        let ended = Bench::new().run(REQUEST, json!({}), inputs).await;
        assert_eq!(ended.output("node", "status"), 204);
        let request = server.requests().pop().unwrap();
        assert_eq!(
            (request.method.as_str(), request.body.as_str()),
            ("POST", sent)
        );
        assert_eq!(request.headers["content-type"], kind);
    }
}

#[tokio::test]
async fn a_token_goes_to_the_server_and_nowhere_else() {
    let token = concat!("made", "-up-token-4711");
    let other = Server::start(|_| answer(200, &[], "elsewhere")).await;
    let elsewhere = format!("{}/end", other.url);
    let server = Server::start(move |request| match request.target.as_str() {
        "/here" => answer(307, &[("Location", "/near")], ""),
        _ => answer(307, &[("Location", &elsewhere)], ""),
    })
    .await;
    let inputs = json!({
        "url": format!("{}/here", server.url),
        "headers": { "X-Api-Key": "also-made-up", "Accept": "text/plain" },
        "bearerToken": { "secretRef": "TOKEN" },
    });
    let bench = Bench::with_secrets(StaticSecrets::new().with("TOKEN", token));
    let ended = bench.run(REQUEST, json!({}), inputs).await;
    assert_eq!(ended.output("node", "body"), "elsewhere");
    for request in server.requests() {
        assert_eq!(request.headers["authorization"], format!("Bearer {token}"));
        assert_eq!(request.headers["x-api-key"], "also-made-up");
    }
    assert_eq!(server.requests().len(), 2);
    let there = &other.requests()[0];
    assert_eq!(there.headers["accept"], "text/plain");
    assert!(!there.headers.contains_key("authorization"), "{there:?}");
    assert!(!there.headers.contains_key("x-api-key"), "{there:?}");
    assert!(!ended.jsonl().contains(token));
}

#[tokio::test]
async fn each_status_of_a_refusal_is_an_error_of_its_kind() {
    let server = Server::start(|request| {
        let status = request.target.trim_start_matches('/').parse().unwrap();
        answer(status, &[], "the reason why")
    })
    .await;
    for (status, kind) in [
        (400, ErrorKind::Validation),
        (401, ErrorKind::Authentication),
        (403, ErrorKind::Permission),
        (404, ErrorKind::NotFound),
        (408, ErrorKind::Timeout),
        (409, ErrorKind::Validation),
        (422, ErrorKind::Validation),
        (429, ErrorKind::RateLimit),
        (500, ErrorKind::Service),
        (503, ErrorKind::Service),
    ] {
        let url = format!("{}/{status}", server.url);
        let error = get(&url, json!({}))
            .await
            .failed(kind, &format!("GET {url}: {status}"));
        let details = error.details.unwrap();
        assert_eq!(
            details,
            json!({ "status": status, "body": "the reason why" })
        );
    }
}

#[tokio::test]
async fn the_next_attempt_waits_as_long_as_the_server_asks() {
    let server = Server::start(|_| answer(429, &[("Retry-After", "1")], "")).await;
    let bench = Bench::new().attempts(2);
    let ended = bench
        .run(REQUEST, json!({}), json!({ "url": server.url }))
        .await;
    let first = ended.events().iter().find_map(|event| match &event.kind {
        EventKind::NodeFailed(failed) => Some(failed.retry_at.unwrap().since(event.timestamp)),
        _ => None,
    });
    assert!(first.unwrap().as_millis() >= 999, "{first:?}");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_while_it_comes() {
    let server = Server::start(|request| match request.target.as_str() {
        "/told" => answer(200, &[], &"x".repeat(1001)),
        _ => {
            let mut bytes = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
            bytes.extend_from_slice(&[b'x'; 100_000]);
            Answer::Bytes(bytes)
        }
    })
    .await;
    for path in ["/told", "/untold"] {
        let ended = get(
            &(server.url.clone() + path),
            json!({ "maxResponseBytes": 1000 }),
        )
        .await;
        let error = ended.failed(ErrorKind::Validation, "larger than 1000 bytes");
        assert!(error.field_errors.contains_key("maxResponseBytes"));
    }
    let ended = get(
        &format!("{}/told", server.url),
        json!({ "maxResponseBytes": 1001 }),
    )
    .await;
    assert_eq!(ended.output("node", "body").as_str().unwrap().len(), 1001);
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_the_parameters_say() {
    let server = Server::start(|_| answer(302, &[("Location", "/again")], "")).await;
    let circle = get(&server.url, json!({})).await;
    circle.failed(ErrorKind::Validation, "more than 10 redirects");
    let ended = get(&server.url, json!({ "followRedirects": false })).await;
    assert_eq!(ended.output("node", "status"), 302);
    assert_eq!(ended.output("node", "headers")["location"], "/again");
}

#[tokio::test]
async fn a_server_that_is_silent_away_or_breaks_off_is_told_apart() {
    let server = Server::start(|request| match request.target.as_str() {
        "/silent" => Answer::Silence,
        _ => Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec()),
    })
    .await;
    let silent = get(
        &format!("{}/silent", server.url),
        json!({ "timeoutSeconds": 0.1 }),
    )
    .await;
    silent.failed(ErrorKind::Timeout, "no complete answer within 0.1 s");
    let broken = get(&server.url, json!({})).await;
    broken.failed(ErrorKind::Network, "the body broke off after 3 bytes");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    get(&url, json!({})).await.failed(ErrorKind::Network, &url);
}

#[tokio::test]
async fn a_request_ends_when_its_run_is_cancelled() {
    let (asked, mut was_asked) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::start(move |_| {
        asked.send(()).unwrap();
        Answer::Silence
    })
    .await;
    let bench = Bench::new();
    let run = bench
        .start(REQUEST, json!({}), json!({ "url": server.url }))
        .await;
    was_asked.recv().await.unwrap();
    run.cancel();
    let ended = run.end().await;
    assert_eq!(ended.outcome().status, WorkflowStatus::Cancelled);
}

#[tokio::test]
async fn what_cannot_be_asked_is_named() {
    let run = |inputs: Json| async {
        let bench = Bench::with_secrets(StaticSecrets::new().with("T", "made\nup"));
        let ended = bench.run(REQUEST, json!({}), inputs).await;
        ended.failed(ErrorKind::Validation, "").field_errors
    };
    let fields = run(json!({ "url": "ftp://host.test/" })).await;
    assert!(fields["url"][0].contains("http or https"), "{fields:?}");
    let fields = run(json!({ "url": "http://host.test/", "method": "GET IT" })).await;
    assert!(fields.contains_key("method"), "{fields:?}");
    let fields = run(json!({ "url": "http://host.test/", "headers": { "a b": "c" } })).await;
    assert!(fields.contains_key("headers"), "{fields:?}");
    let token = json!({ "secretRef": "T" });
    let fields = run(json!({ "url": "http://host.test/", "bearerToken": token })).await;
    assert!(fields.contains_key("bearerToken"), "{fields:?}");
}
