//! Workflows and their versions.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Server, chain, given, problem};

#[tokio::test]
async fn a_workflow_is_kept_changed_and_removed() {
    let server = Server::start().await;
    let graph = chain("flow", &[("wait", "dev.sleep", json!({ "ms": 1 }))]);
    let kept = server.keep(&graph).await;
    assert_eq!((&kept["id"], &kept["version"]), (&json!("flow"), &json!(1)));

    let listed = server.json("/workflows").await;
    assert_eq!(listed["workflows"][0]["hash"], kept["hash"]);
    let read = server.get("/workflows/flow").send().await.unwrap();
    let tag = read.headers()["etag"].to_str().unwrap().to_owned();
    let read = given(read, StatusCode::OK).await;
    assert_eq!(read["graph"]["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(read["definition"]["workflowId"], "flow");
    assert_eq!(read["layout"]["nodes"].as_array().map(Vec::len), Some(2));

    // The same again is no version; another one is, for whoever has seen the newest.
    let put = |graph, tag: &str| {
        let request = server.request(Method::PUT, "/workflows/flow").json(graph);
        request.header("if-match", tag)
    };
    let same = given(put(&graph, &tag).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(same["version"], 1);
    let other = chain("flow", &[("wait", "dev.sleep", json!({ "ms": 2 }))]);
    let changed = given(put(&other, &tag).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(changed["version"], 2);
    let late = problem(put(&graph, &tag)).await;
    assert_eq!(late, (412, "version-conflict".to_owned()));
    // A canvas that moved compiles to the same, and is another version all the same.
    let mut moved = other.clone();
    moved["viewport"] = json!({ "x": 1, "y": 2, "zoom": 1 });
    let moved = server.request(Method::PUT, "/workflows/flow").json(&moved);
    let moved = moved.send().await.unwrap();
    let newest = moved.headers()["etag"].to_str().unwrap().to_owned();
    let moved = given(moved, StatusCode::OK).await;
    assert_eq!(
        (&moved["version"], &moved["hash"]),
        (&json!(3), &changed["hash"])
    );
    let back = given(put(&other, &newest).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(back["version"], 4);

    let first = server.json("/workflows/flow?version=1").await;
    assert_eq!(first["version"], 1);
    assert_eq!(first["versions"].as_array().unwrap().len(), 4);
    let missing = problem(server.get("/workflows/flow?version=9")).await;
    assert_eq!(missing, (404, "unknown-version".to_owned()));

    let again = problem(server.post("/workflows").json(&graph)).await;
    assert_eq!(again, (409, "workflow-exists".to_owned()));
    let put = |name: &'static str, value: &'static str, workflow: &str| {
        let path = format!("/workflows/{workflow}");
        let request = server.request(Method::PUT, &path).json(&graph);
        request.header(name, value)
    };
    for (name, value, workflow) in [("if-none-match", "*", "flow"), ("if-match", "*", "nope")] {
        let refused = problem(put(name, value, workflow)).await;
        assert_eq!(refused, (412, "version-conflict".to_owned()), "{name}");
    }
    for (name, value) in [
        ("if-match", "x"),
        ("if-match", "\"x\""),
        ("if-none-match", "\"x\""),
    ] {
        let refused = problem(put(name, value, "flow")).await;
        assert_eq!(
            refused,
            (400, "invalid-request".to_owned()),
            "{name}: {value}"
        );
    }
    let delete = || server.request(Method::DELETE, "/workflows/flow");
    let gone = delete().send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    assert_eq!(
        problem(delete()).await,
        (404, "unknown-workflow".to_owned())
    );
    assert_eq!(server.json("/workflows").await["workflows"], json!([]));
}

#[tokio::test]
async fn workflows_are_listed_in_pages() {
    let server = Server::start().await;
    for id in ["c", "a", "e", "b", "d"] {
        server
            .keep(&chain(id, &[("wait", "dev.sleep", json!({ "ms": 1 }))]))
            .await;
    }
    let (mut ids, mut path) = (Vec::new(), "/workflows?limit=2".to_owned());
    loop {
        let page = server.json(&path).await;
        let workflows = page["workflows"].as_array().unwrap();
        ids.extend(
            workflows
                .iter()
                .map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["nextCursor"].as_str() else {
            break;
        };
        path = format!("/workflows?limit=2&cursor={next}");
    }
    assert_eq!(ids, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn what_cannot_run_is_not_kept_and_told_why() {
    let server = Server::start().await;
    let graph = chain("flow", &[("wait", "dev.slep", json!({ "ms": 1 }))]);
    let said = server
        .post("/workflows/validate")
        .json(&graph)
        .send()
        .await
        .unwrap();
    let said = given(said, StatusCode::OK).await;
    assert_eq!(said["valid"], false);
    assert_eq!(said["diagnostics"][0]["code"], "unknown-component");
    assert_eq!(said["diagnostics"][0]["path"], "/nodes/1/type");
    let refused = server.post("/workflows").json(&graph).send().await.unwrap();
    let refused = given(refused, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(refused["diagnostics"], said["diagnostics"]);

    let read = |text: &'static str| {
        let request = server
            .post("/workflows")
            .header("content-type", "application/json");
        request.body(text)
    };
    assert_eq!(
        problem(read("{\"nodes\": 7}")).await,
        (422, "invalid-graph".to_owned())
    );
    assert_eq!(
        problem(read("{\"nodes\": [")).await,
        (422, "invalid-graph".to_owned())
    );
    let plain = server.post("/workflows").body("{}");
    assert_eq!(
        problem(plain).await,
        (415, "unsupported-media-type".to_owned())
    );
    for id in ["runs", "validate", "a%2Fb", ".hidden", ""] {
        let path = format!("/workflows?id={id}");
        let refused = problem(server.post(&path).json(&chain("x", &[]))).await;
        assert_eq!(refused, (422, "invalid-workflow-id".to_owned()), "{id:?}");
    }
}
