//! Runs: starting, looking, stopping, answering, comparing.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use shipsec_core::{
    RunId,
    run::RunView,
    trace::{LeaseError, MemoryStore, TraceStore},
};
use shipsec_sqlite::SqliteStore;

use crate::support::{HIDDEN, Server, chain, given, problem};

async fn with_flow(nodes: &[(&str, &str, Json)]) -> Server {
    let server = Server::start().await;
    server.keep(&chain("flow", nodes)).await;
    server
}

#[tokio::test]
async fn a_run_is_what_its_log_says() {
    let server = with_flow(&[
        (
            "say",
            "dev.emit",
            json!({ "logs": 3, "progress": 2, "artifactBytes": 10 }),
        ),
        (
            "fail",
            "dev.fail",
            json!({ "kind": "NotFoundError", "message": "gone" }),
        ),
    ])
    .await;
    let run = server.ended("flow", json!({ "text": "x" })).await;
    let path = format!("/workflows/runs/{run}");

    let status = server.json(&format!("{path}/status")).await;
    assert_eq!(
        (&status["status"], &status["interrupted"]),
        (&json!("FAILED"), &json!(false))
    );
    assert_eq!(status["failure"]["nodeId"], "fail");
    assert_eq!(status["trigger"]["type"], "api");
    let detail = server.json(&path).await;
    assert_eq!(detail["run"], status);
    assert_eq!(detail["inputs"], json!({ "text": "x" }));
    assert_eq!(detail["definition"]["workflowId"], "flow");
    assert!(detail["layout"]["nodes"].is_array());

    // Every moment is what the reducer makes of the log up to there.
    let id = RunId::parse(&run).unwrap();
    let log = server.executor.store().read(&id, 0, 1000).await.unwrap();
    assert_eq!(detail["lastSequence"], log.len());
    for at in [0, 1, 4, log.len()] {
        let state = server.json(&format!("{path}/state?at={at}")).await;
        let folded = RunView::from_events(id.clone(), &log[..at]);
        assert_eq!(state, serde_json::to_value(&folded).unwrap(), "{at}");
    }
    let node = server.json(&format!("{path}/nodes/fail")).await;
    assert_eq!(
        (&node["state"], &node["error"]["message"]),
        (&json!("FAILED"), &json!("gone"))
    );
    let outputs = server.json(&format!("{path}/outputs")).await;
    assert!(outputs["nodes"]["say"].is_object(), "{outputs}");

    let nothing = problem(server.get(&format!("{path}/nodes/nobody"))).await;
    assert_eq!(nothing, (404, "unknown-node".to_owned()));
    for path in [
        "/workflows/runs/nope/status",
        "/workflows/runs/..%2Fx/status",
        "/workflows/runs/nope/trace",
        "/workflows/runs/nope/events",
    ] {
        assert_eq!(
            problem(server.get(path)).await,
            (404, "unknown-run".to_owned()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn runs_are_listed_in_pages_and_by_what_they_are() {
    let server = with_flow(&[("say", "dev.emit", json!({ "logs": 1 }))]).await;
    let mut started = Vec::new();
    for _ in 0..5 {
        started.push(server.ended("flow", json!({})).await);
    }
    started.reverse();
    let (mut listed, mut path) = (
        Vec::new(),
        "/workflows/runs?limit=2&workflow=flow".to_owned(),
    );
    loop {
        let page = server.json(&path).await;
        for run in page["runs"].as_array().unwrap() {
            assert_eq!(
                (&run["status"], &run["interrupted"]),
                (&json!("COMPLETED"), &json!(false))
            );
            listed.push(run["runId"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["nextCursor"].as_str() else {
            break;
        };
        path = format!("/workflows/runs?limit=2&workflow=flow&cursor={next}");
    }
    assert_eq!(listed, started);
    let none = server.json("/workflows/runs?status=FAILED").await;
    assert_eq!(none, json!({ "runs": [] }));
    for query in ["limit=0", "limit=1001", "cursor=x", "status=DONE", "what=1"] {
        let refused = problem(server.get(&format!("/workflows/runs?{query}"))).await;
        assert_eq!(refused, (400, "invalid-request".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_key_starts_one_run_however_often_it_comes() {
    let server = with_flow(&[("say", "dev.emit", json!({ "logs": 1 }))]).await;
    let start = |key: &str, text: &str| {
        let body = json!({ "inputs": { "text": text } });
        server
            .post("/workflows/flow/run")
            .header("idempotency-key", key)
            .json(&body)
    };
    let requests = (0..8).map(|_| start("one", "x").send());
    let mut runs = Vec::new();
    for response in futures::future::join_all(requests).await {
        let response = response.unwrap();
        let place = response.headers()["location"].to_str().unwrap().to_owned();
        let started = given(response, StatusCode::ACCEPTED).await;
        let run = started["runId"].as_str().unwrap().to_owned();
        assert_eq!(place, format!("../runs/{run}"));
        runs.push(run);
    }
    runs.dedup();
    assert_eq!(runs.len(), 1, "{runs:?}");
    let other = given(
        start("two", "x").send().await.unwrap(),
        StatusCode::ACCEPTED,
    )
    .await;
    assert_ne!(other["runId"], runs[0].as_str());
    let refused = problem(start("one", "y")).await;
    assert_eq!(refused, (422, "idempotency-key-used".to_owned()));
    let twice = start("one", "x").header("idempotency-key", "two");
    assert_eq!(problem(twice).await, (400, "invalid-request".to_owned()));
    assert_eq!(
        problem(start("", "x")).await,
        (400, "invalid-request".to_owned())
    );
    let listed = server.json("/workflows/runs").await;
    assert_eq!(listed["runs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn inputs_that_do_not_fit_start_nothing() {
    let server = with_flow(&[("say", "dev.emit", json!({ "logs": 1 }))]).await;
    let body = json!({ "inputs": { "text": [1], "more": 1 } });
    let refused = server
        .post("/workflows/flow/run")
        .json(&body)
        .send()
        .await
        .unwrap();
    let refused = given(refused, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(refused["code"], "invalid-inputs");
    let fields: Vec<_> = refused["fields"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["more", "text"]);
    let unknown = problem(
        server
            .post("/workflows/flow/run")
            .json(&json!({ "input": {} })),
    )
    .await;
    assert_eq!(unknown, (400, "invalid-request".to_owned()));
    assert_eq!(server.json("/workflows/runs").await["runs"], json!([]));
    // Without a body it runs without inputs.
    let started = server.post("/workflows/flow/run").send().await.unwrap();
    given(started, StatusCode::ACCEPTED).await;
}

#[tokio::test]
async fn a_run_is_cancelled_and_run_again() {
    let server = with_flow(&[
        ("say", "dev.emit", json!({ "logs": 1 })),
        ("wait", "dev.sleep", json!({ "ms": 600_000 })),
    ])
    .await;
    for (stop, status) in [("cancel", "CANCELLED"), ("terminate", "TERMINATED")] {
        let run = server.run("flow", json!({})).await;
        let path = format!("/workflows/runs/{run}/{stop}");
        let asked = server
            .post(&path)
            .json(&json!({ "reason": "enough" }))
            .send()
            .await
            .unwrap();
        given(asked, StatusCode::ACCEPTED).await;
        server.follow(&run).await;
        let ended = server.json(&format!("/workflows/runs/{run}/status")).await;
        assert_eq!(ended["status"], status);
        assert_eq!(
            problem(server.post(&path)).await,
            (409, "run-ended".to_owned())
        );
        let resumed = problem(server.post(&format!("/workflows/runs/{run}/resume"))).await;
        assert_eq!(resumed, (409, "run-ended".to_owned()));

        let again = format!("/workflows/runs/{run}/rerun");
        let body = json!({ "from": "wait" });
        let again = server.post(&again).json(&body).send().await.unwrap();
        let again = given(again, StatusCode::ACCEPTED).await;
        let again = again["runId"].as_str().unwrap();
        let status = server
            .json(&format!("/workflows/runs/{again}/status"))
            .await;
        assert_eq!(status["parent"]["runId"], run.as_str());
        let cancel = format!("/workflows/runs/{again}/cancel");
        given(
            server.post(&cancel).send().await.unwrap(),
            StatusCode::ACCEPTED,
        )
        .await;
        server.follow(again).await;
    }
    let unknown = problem(server.post("/workflows/runs/nope/cancel")).await;
    assert_eq!(unknown, (404, "unknown-run".to_owned()));
    let unknown = problem(server.post("/workflows/runs/nope/rerun")).await;
    assert_eq!(unknown, (404, "unknown-run".to_owned()));
}

#[tokio::test]
async fn a_question_is_answered() {
    let server = with_flow(&[("ask", "core.approval", json!({ "title": "Go on?" }))]).await;
    let run = server.run("flow", json!({})).await;
    let id = RunId::parse(&run).unwrap();
    let mut last = 0;
    loop {
        last = server
            .executor
            .store()
            .wait_beyond(&id, last)
            .await
            .unwrap();
        let node = server
            .json(&format!("/workflows/runs/{run}/nodes/ask"))
            .await;
        if node["state"] == "AWAITING_INPUT" {
            assert_eq!(node["awaiting"]["title"], "Go on?");
            break;
        }
    }
    let path = format!("/workflows/runs/{run}/answer");
    let answer = |node: &str, answer: Json| {
        server
            .post(&path)
            .json(&json!({ "node": node, "answer": answer, "by": "somebody" }))
    };
    assert_eq!(
        problem(answer("nobody", json!(1))).await,
        (404, "unknown-node".to_owned())
    );
    let secret = format!("take {HIDDEN}");
    let in_clear = problem(answer(
        "ask",
        json!({ "approved": true, "comment": secret }),
    ))
    .await;
    assert_eq!(in_clear, (422, "secret-in-clear".to_owned()));
    let by = json!({ "node": "ask", "answer": { "approved": true }, "by": secret });
    let in_clear = problem(server.post(&path).json(&by)).await;
    assert_eq!(in_clear, (422, "secret-in-clear".to_owned()));
    let list = json!(["ask", { "approved": true }]);
    let unfit = problem(server.post(&path).json(&list)).await;
    assert_eq!(unfit, (400, "invalid-request".to_owned()));
    let unfit = problem(answer("ask", json!({ "approved": "perhaps" }))).await;
    assert_eq!(unfit, (422, "invalid-answer".to_owned()));
    let taken = answer("ask", json!({ "approved": true }))
        .send()
        .await
        .unwrap();
    assert_eq!(taken.status(), StatusCode::NO_CONTENT);
    server.follow(&run).await;
    let late = problem(answer("ask", json!({ "approved": true }))).await;
    assert_eq!(late, (409, "run-ended".to_owned()));
    let status = server.json(&format!("/workflows/runs/{run}/status")).await;
    assert_eq!(status["status"], "COMPLETED");
}

#[tokio::test]
async fn no_secret_comes_into_a_log_by_an_input() {
    let server = with_flow(&[("wait", "dev.sleep", json!({ "ms": 1 }))]).await;
    let inputs = json!({ "inputs": { "text": format!("it is {HIDDEN}") } });
    let refused = problem(server.post("/workflows/flow/run").json(&inputs)).await;
    assert_eq!(refused, (422, "invalid-inputs".to_owned()));
    let list = problem(server.post("/workflows/flow/run").json(&json!([]))).await;
    assert_eq!(list, (400, "invalid-request".to_owned()));
    let runs = server.json("/workflows/runs").await;
    assert_eq!(runs["runs"], json!([]));
}

#[tokio::test]
async fn two_runs_are_compared() {
    let server = Server::start().await;
    let graph = |ms: u32| chain("flow", &[("wait", "dev.sleep", json!({ "ms": ms }))]);
    server.keep(&graph(1)).await;
    let a = server.ended("flow", json!({ "text": "x" })).await;
    let put = server
        .request(reqwest::Method::PUT, "/workflows/flow")
        .json(&graph(2));
    given(put.send().await.unwrap(), StatusCode::OK).await;
    let b = server.ended("flow", json!({ "text": "y" })).await;
    let same = server.json(&format!("/runs/diff?a={a}&b={a}")).await;
    assert_eq!(
        (&same["counts"], &same["changes"]),
        (&json!({}), &json!([]))
    );
    let diff = server.json(&format!("/runs/diff?a={a}&b={b}")).await;
    assert_eq!(diff["counts"]["parameter"], 1, "{diff}");
    assert!(diff["counts"]["input"].as_u64() > Some(0), "{diff}");
    let less = server
        .json(&format!(
            "/runs/diff?a={a}&b={b}&ignore=wait/**&ignore=start/**"
        ))
        .await;
    assert!(less["changes"].as_array().unwrap().len() < diff["changes"].as_array().unwrap().len());
    let unknown = problem(server.get(&format!("/runs/diff?a={a}&b=nope"))).await;
    assert_eq!(unknown, (404, "unknown-run".to_owned()));
    for query in ["volatile=perhaps", "durationThreshold=-1", "x=1"] {
        let refused = problem(server.get(&format!("/runs/diff?a={a}&b={b}&{query}"))).await;
        assert_eq!(refused, (400, "invalid-request".to_owned()), "{query}");
    }
    let no_rule = problem(server.get(&format!("/runs/diff?a={a}&b={b}&ignore=/"))).await;
    assert_eq!(no_rule, (400, "invalid-request".to_owned()));
}

#[tokio::test]
async fn the_trace_comes_in_pages_of_what_is_wanted() {
    let server = with_flow(&[("say", "dev.emit", json!({ "logs": 50, "progress": 0 }))]).await;
    let run = server.ended("flow", json!({})).await;
    let path = format!("/workflows/runs/{run}/trace");
    let (mut after, mut sequences) = (0, Vec::new());
    loop {
        let page = server.json(&format!("{path}?after={after}&limit=7")).await;
        let events = page["events"].as_array().unwrap();
        sequences.extend(
            events
                .iter()
                .map(|event| event["sequence"].as_u64().unwrap()),
        );
        after = page["cursor"].as_u64().unwrap();
        if page["done"] == true {
            break;
        }
        assert_eq!(events.len(), 7);
    }
    let count = sequences.len() as u64;
    assert_eq!(sequences, (1..=count).collect::<Vec<_>>());
    let logs = server
        .json(&format!("{path}?types=NODE_LOG&node=say&limit=10000"))
        .await;
    assert_eq!(logs["events"].as_array().unwrap().len(), 50);
    assert_eq!(
        (&logs["cursor"], &logs["done"]),
        (&json!(count), &json!(true))
    );
    let one = server.json(&format!("{path}?types=NODE_LOG&limit=1")).await;
    assert_eq!(one["events"].as_array().unwrap().len(), 1);
    assert_eq!(one["done"], false);
    let none = server.json(&format!("{path}?level=error")).await;
    assert_eq!(none["events"], json!([]));
    let message = logs["events"][3]["message"]
        .as_str()
        .unwrap()
        .to_uppercase();
    let text: String = message
        .chars()
        .map(|c| if c == ' ' { '+' } else { c })
        .collect();
    let found = server
        .get(&format!("{path}?text={text}"))
        .send()
        .await
        .unwrap();
    let found = given(found, StatusCode::OK).await;
    assert!(
        found["events"]
            .as_array()
            .unwrap()
            .contains(&logs["events"][3])
    );
    let end = server.json(&format!("{path}?after={count}")).await;
    assert_eq!((&end["events"], &end["done"]), (&json!([]), &json!(true)));
}

#[tokio::test]
async fn a_key_needs_its_workflow_no_more_and_repeats_a_run_once() {
    let server = with_flow(&[("say", "dev.emit", json!({ "logs": 1 }))]).await;
    let start = || {
        server
            .post("/workflows/flow/run")
            .header("idempotency-key", "one")
    };
    let first = given(start().send().await.unwrap(), StatusCode::ACCEPTED).await;
    let run = first["runId"].as_str().unwrap();
    let gone = server
        .request(reqwest::Method::DELETE, "/workflows/flow")
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    let again = given(start().send().await.unwrap(), StatusCode::ACCEPTED).await;
    assert_eq!(again["runId"], run);
    let path = format!("/workflows/runs/{run}/rerun");
    let rerun = |text: &str| {
        let body = json!({ "inputs": { "text": text } });
        server
            .post(&path)
            .header("idempotency-key", "two")
            .json(&body)
    };
    let once = given(rerun("x").send().await.unwrap(), StatusCode::ACCEPTED).await;
    let twice = given(rerun("x").send().await.unwrap(), StatusCode::ACCEPTED).await;
    assert_eq!(once["runId"], twice["runId"]);
    let other = problem(rerun("y")).await;
    assert_eq!(other, (422, "idempotency-key-used".to_owned()));
    for more in [("cached", json!(true)), ("from", json!("say"))] {
        let mut body = json!({ "inputs": { "text": "x" } });
        body[more.0] = more.1;
        let other = problem(rerun("x").json(&body)).await;
        assert_eq!(other, (422, "idempotency-key-used".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn a_key_names_one_version() {
    let server = with_flow(&[("say", "dev.emit", json!({ "logs": 1 }))]).await;
    let start = |body: Json| {
        server
            .post("/workflows/flow/run")
            .header("idempotency-key", "one")
            .json(&body)
    };
    let newest = given(start(json!({})).send().await.unwrap(), StatusCode::ACCEPTED).await;
    let run = newest["runId"].as_str().unwrap();
    let second = chain("flow", &[("say", "dev.emit", json!({ "logs": 2 }))]);
    let put = server.request(reqwest::Method::PUT, "/workflows/flow");
    let kept = given(put.json(&second).send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(kept["version"], 2);
    // The same request again, though another version is the newest now; and the same in other words.
    for body in [json!({}), json!({ "version": 1 })] {
        let again = start(body).send().await.unwrap();
        assert_eq!(given(again, StatusCode::ACCEPTED).await["runId"], run);
    }
    let other = problem(start(json!({ "version": 2 }))).await;
    assert_eq!(other, (422, "idempotency-key-used".to_owned()));
}

#[tokio::test]
async fn a_run_that_was_removed_and_comes_again_is_another_one() {
    let server = with_flow(&[("say", "dev.emit", json!({ "logs": 1 }))]).await;
    let start = async |text: &str| {
        let body = json!({ "inputs": { "text": text } });
        let start = server
            .post("/workflows/flow/run")
            .header("idempotency-key", "one");
        let started = given(
            start.json(&body).send().await.unwrap(),
            StatusCode::ACCEPTED,
        )
        .await;
        let run = started["runId"].as_str().unwrap().to_owned();
        server.follow(&run).await;
        let detail = server.json(&format!("/workflows/runs/{run}")).await;
        assert_eq!(detail["inputs"], json!({ "text": text }));
        RunId::parse(&run).unwrap()
    };
    let run = start("old").await;
    // Its executor gives the lease back after its last event.
    while let Err(error) = server.executor.store().remove(&run).await {
        assert!(matches!(error, LeaseError::Held { .. }), "{error}");
        tokio::task::yield_now().await;
    }
    let gone = problem(server.get(&format!("/workflows/runs/{run}/status"))).await;
    assert_eq!(gone, (404, "unknown-run".to_owned()));
    assert_eq!(start("new").await, run);
}

/// A run of so many nodes, each of which puts what the one before gave into a list.
async fn packed(server: &Server, count: usize) -> Json {
    let mut nodes = vec![json!({
        "id": "start", "type": "core.workflow.entrypoint",
        "data": { "config": { "params": { "runtimeInputs": [{ "id": "text", "type": "text" }] } } }
    })];
    let mut edges = Vec::new();
    let mut before = ("start".to_owned(), "text");
    for at in 0..count {
        let id = format!("p{at}");
        nodes.push(json!({
            "id": id, "type": "core.array.pack",
            "data": { "config": { "params": { "inputs": ["first"] } } },
        }));
        edges.push(json!({
            "id": format!("e{at}"), "source": before.0, "sourceHandle": before.1,
            "target": id, "targetHandle": "first",
        }));
        before = (id, "items");
    }
    let id = format!("packs-{count}");
    server
        .keep(&json!({ "id": id, "name": id, "nodes": nodes, "edges": edges }))
        .await;
    let run = server.ended(&id, json!({ "text": "x" })).await;
    let path = format!("/workflows/runs/{run}");
    for part in ["state", "outputs", "trace?limit=10000"] {
        server.json(&format!("{path}/{part}")).await;
    }
    server.json(&format!("{path}/status")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_nest_without_end_fail_their_node_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let on_disk = SqliteStore::open(folder.path().join("runs.db")).unwrap();
    let in_memory = MemoryStore::new();
    for store in [
        Arc::new(on_disk) as Arc<dyn TraceStore>,
        Arc::new(in_memory),
    ] {
        let server = Server::with(store, |host| host).await;
        assert_eq!(packed(&server, 120).await["status"], "COMPLETED");
        let status = packed(&server, 300).await;
        assert_eq!(status["status"], "FAILED");
        assert_eq!(status["failure"]["nodeId"], "p120");
        assert_eq!(
            status["failure"]["error"]["kind"], "ValidationError",
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_page_of_large_events_ends_sooner() {
    let params = json!({ "logs": 0, "progress": 0, "outputBytes": 3_000_000 });
    let nodes: Vec<_> = ["a", "b", "c", "d", "e"]
        .map(|id| (id, "dev.emit", params.clone()))
        .into();
    let server = with_flow(&nodes).await;
    let run = server.ended("flow", json!({})).await;
    let (mut after, mut pages, mut seen) = (0, 0, 0);
    loop {
        let page = server
            .json(&format!(
                "/workflows/runs/{run}/trace?limit=10000&after={after}"
            ))
            .await;
        pages += 1;
        seen += page["events"].as_array().unwrap().len() as u64;
        after = page["cursor"].as_u64().unwrap();
        if page["done"] == true {
            assert_eq!(seen, page["lastSequence"].as_u64().unwrap());
            break;
        }
    }
    assert_eq!(pages, 2, "three of them are more than 8 MiB");
}
