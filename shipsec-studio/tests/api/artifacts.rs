//! Artifacts and their bytes.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::json;
use shipsec_sqlite::SqliteStore;

use crate::support::{Server, chain, problem};

#[tokio::test]
async fn bytes_are_given_whole_and_in_parts_and_never_as_a_page() {
    let server = Server::start().await;
    let params = json!({ "logs": 0, "progress": 0, "artifactBytes": 1000 });
    server
        .keep(&chain("flow", &[("say", "dev.emit", params)]))
        .await;
    let run = server.ended("flow", json!({})).await;
    let list = server
        .json(&format!("/workflows/runs/{run}/artifacts"))
        .await;
    let artifact = &list["artifacts"][0];
    let path = format!(
        "/workflows/runs/{run}/artifacts/{}",
        artifact["artifactId"].as_str().unwrap()
    );

    let whole = server.get(&path).send().await.unwrap();
    assert_eq!(whole.status(), StatusCode::OK);
    let header = |name: &str| whole.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-length"), "1000");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(
        header("content-security-policy"),
        "default-src 'none'; sandbox"
    );
    assert!(header("content-disposition").starts_with("attachment; "));
    let tag = header("etag");
    assert_eq!(tag, format!("\"{}\"", artifact["sha256"].as_str().unwrap()));
    let bytes = whole.bytes().await.unwrap();
    assert_eq!(bytes.len(), 1000);

    let part = server
        .get(&path)
        .header("range", "bytes=990-2000")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], "bytes 990-999/1000");
    assert_eq!(part.bytes().await.unwrap(), bytes[990..]);
    let changed = server
        .get(&path)
        .header("range", "bytes=0-1")
        .header("if-range", "\"x\"");
    assert_eq!(changed.send().await.unwrap().status(), StatusCode::OK);
    let beyond = problem(server.get(&path).header("range", "bytes=1000-")).await;
    assert_eq!(beyond, (416, "range-not-satisfiable".to_owned()));
    let known = server
        .get(&path)
        .header("if-none-match", &tag)
        .send()
        .await
        .unwrap();
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    let unknown = problem(server.get(&format!("{path}9"))).await;
    assert_eq!(unknown, (404, "unknown-artifact".to_owned()));
}

#[tokio::test]
async fn hostile_artifacts_do_nothing() {
    let server = Server::start().await;
    let params = json!({ "name": "x\"; filename=y.html", "mediaType": "text/html" });
    let mut graph = chain("flow", &[("write", "core.artifact.write", params)]);
    let given = json!({ "content": "<script>alert(1)</script>" });
    graph["nodes"][1]["data"]["config"]["inputOverrides"] = given;
    let said = server
        .post("/workflows/validate")
        .json(&graph)
        .send()
        .await
        .unwrap();
    let said = said.text().await.unwrap();
    assert!(said.contains("\"valid\":true"), "{said}");
    server.keep(&graph).await;
    let run = server.ended("flow", json!({})).await;
    let list = server
        .json(&format!("/workflows/runs/{run}/artifacts"))
        .await;
    let id = list["artifacts"][0]["artifactId"].as_str().unwrap();
    for query in ["", "?inline=true"] {
        let path = format!("/workflows/runs/{run}/artifacts/{id}{query}");
        let given = server.get(&path).send().await.unwrap();
        assert_eq!(given.headers()["content-type"], "application/octet-stream");
        let disposition = given.headers()["content-disposition"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            disposition.starts_with("attachment; filename=\""),
            "{disposition}"
        );
        assert!(!disposition.contains("=y"), "{disposition}");
    }
}

#[tokio::test]
async fn an_output_is_given_wherever_it_is_kept() {
    // A store in memory keeps large values as they are.
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("runs.db")).unwrap();
    let server = Server::with(Arc::new(store), |host| host).await;
    let large = json!({ "logs": 0, "progress": 0, "outputBytes": 1_000_000 });
    let small = json!({ "logs": 0, "progress": 0, "outputBytes": 5 });
    let nodes = [("large", "dev.emit", large), ("small", "dev.emit", small)];
    server.keep(&chain("flow", &nodes)).await;
    let run = server.ended("flow", json!({})).await;
    let outputs = server.json(&format!("/workflows/runs/{run}/outputs")).await;
    let kept = &outputs["nodes"]["large"]["text"];
    assert_eq!(kept["kind"], "reference");
    let path =
        |node: &str, port: &str| format!("/workflows/runs/{run}/nodes/{node}/outputs/{port}");

    let whole = server.get(&path("large", "text")).send().await.unwrap();
    assert_eq!(whole.status(), StatusCode::OK);
    let header = |name: &str| whole.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("content-length"), kept["size"].to_string());
    let saved = header("content-disposition");
    assert!(
        saved.starts_with("attachment; filename=\"large.text.json\""),
        "{saved}"
    );
    let text: String = whole.json().await.unwrap();
    assert_eq!(text.len(), 1_000_000);
    let part = server
        .get(&path("large", "text"))
        .header("range", "bytes=1-3");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.text().await.unwrap(), text[..3]);

    let inline = server.json(&path("small", "text")).await;
    assert_eq!(inline.as_str().map(str::len), Some(5));
    let no_port = problem(server.get(&path("small", "nothing"))).await;
    assert_eq!(no_port, (404, "unknown-output".to_owned()));
    let no_node = problem(server.get(&path("nobody", "text"))).await;
    assert_eq!(no_node, (404, "unknown-node".to_owned()));
}
