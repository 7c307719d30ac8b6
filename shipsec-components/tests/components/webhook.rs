//! `core.notify.webhook` against a server on the loopback interface.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use shipsec_core::{ErrorKind, context::StaticSecrets};

use super::{
    bench::Bench,
    server::{Server, answer},
};

const WEBHOOK: &str = "core.notify.webhook";

#[tokio::test]
async fn a_payload_is_signed_and_delivered_under_one_id_at_the_second_try() {
    let tries = AtomicU32::new(0);
    let server = Server::start(move |_| match tries.fetch_add(1, Ordering::Relaxed) {
        0 => answer(503, &[], "busy"),
        _ => answer(202, &[], ""),
    })
    .await;
    let secret = concat!("made-up", "-signing-key");
    let bench = Bench::with_secrets(StaticSecrets::new().with("KEY", secret)).attempts(2);
    let inputs = json!({
        "url": server.url,
        "payload": { "findings": 3 },
        "headers": { "X-Team": "blue" },
        "signingSecret": { "secretRef": "KEY" },
    });
    let ended = bench.run(WEBHOOK, json!({}), inputs).await;
    assert_eq!(ended.output("node", "status"), 202);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert_eq!(
            (request.method.as_str(), request.body.as_str()),
            ("POST", r#"{"findings":3}"#)
        );
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.headers["x-team"], "blue");
        assert_eq!(
            request.headers["x-shipsec-delivery"],
            ended.output("node", "deliveryId")
        );
        assert_eq!(
            request.headers["x-shipsec-signature-256"],
            "sha256=5ae9186c17afb775e4792853346ae6c644c06e176a5a66b5e84c8e36cdb179bd"
        );
    }
    assert!(!ended.jsonl().contains(secret));
}

#[tokio::test]
async fn a_url_that_is_a_secret_is_not_recorded() {
    let server = Server::start(|_| answer(404, &[], "no such hook")).await;
    let url = format!("{}/services/{}", server.url, concat!("T0", "made/up"));
    let bench = Bench::with_secrets(StaticSecrets::new().with("HOOK", url.clone()));
    let inputs = json!({ "secretUrl": { "secretRef": "HOOK" }, "payload": "hello" });
    let ended = bench.run(WEBHOOK, json!({}), inputs).await;
    ended.failed(ErrorKind::NotFound, "404");
    assert_eq!(server.requests()[0].body, r#""hello""#);
    assert!(!ended.jsonl().contains(&url), "{}", ended.jsonl());
}

#[tokio::test]
async fn one_url_is_asked_for_and_redirects_are_not_followed() {
    let bench = Bench::new();
    let ended = bench.run(WEBHOOK, json!({}), json!({ "payload": 1 })).await;
    ended.failed(ErrorKind::Validation, "give one of url and secretUrl");
    let server = Server::start(|_| answer(308, &[("Location", "/other")], "")).await;
    let ended = bench
        .run(
            WEBHOOK,
            json!({}),
            json!({ "url": server.url, "payload": 1 }),
        )
        .await;
    ended.failed(ErrorKind::Configuration, "308");
    assert_eq!(server.requests().len(), 1);
}
