//! Runs that call runs: which is the last one, who is answered, and who goes on.

use serde_json::{Value as Json, json};

use crate::{
    durable::{count, kill, log, until},
    support::{Desk, Said, behind_start, steady},
};

/// A workflow that asks, one that calls it, and one that calls that.
fn desk() -> Desk {
    let desk = Desk::new();
    let ask = ("ask", "core.approval", json!({"title": "Go on?"}));
    desk.graph("inner.json", &behind_start(&[ask]));
    let call = |of| ("call", "core.workflow.call", json!({ "workflow": of }));
    desk.graph("outer.json", &behind_start(&[call("inner")]));
    desk.graph("outermost.json", &behind_start(&[call("outer")]));
    desk
}

/// The runs, the newest first.
fn runs(desk: &Desk) -> Vec<Json> {
    let listed = desk.shipsec(&["runs", "--format", "json"]).ends(0).json();
    listed.as_array().unwrap().clone()
}

/// What `answer RUN` says once so many questions wait.
fn question(desk: &Desk, run: &str, nodes: usize) -> Said {
    loop {
        let said = desk.shipsec(&["answer", run]).ends(2);
        let waiting = said.err.matches("Go on?").count();
        assert!(waiting <= nodes, "{said:#?}");
        if waiting == nodes {
            return said;
        }
    }
}

#[test]
fn a_run_that_another_called_is_not_the_last_one() {
    let desk = desk();
    desk.graph(
        "inner.json",
        &behind_start(&[("a", "dev.sleep", json!({"ms": 0}))]),
    );
    desk.shipsec(&["run", "outermost.json"]).ends(0);
    assert_eq!(runs(&desk).len(), 3);
    let last = |desk: &Desk| desk.shipsec(&["status", "last"]).ends(0).json();
    let first = last(&desk);
    assert_eq!(first.get("parent"), None);
    // A repetition has a parent too, and is a run of its own.
    desk.shipsec(&["rerun", "last"]).ends(0);
    let again = last(&desk);
    assert_eq!(again["parent"]["runId"], first["runId"]);
    assert_eq!(again["parent"]["relation"], "rerun");
}

#[test]
fn a_question_of_a_run_that_was_called_is_found_and_answered_through_its_callers() {
    let desk = desk();
    let arguments = ["run", "outermost.json"];
    let (child, root) = until(&desk, &arguments, "call", "NODE_CHILD_STARTED");
    let asked = question(&desk, &root, 1);
    kill(child);
    insta::assert_snapshot!("question_of_a_called_run", steady(&asked.err));
    let nowhere = desk
        .shipsec(&["answer", &root, "nowhere", "--approve"])
        .ends(2);
    insta::assert_snapshot!("no_such_question", steady(&nowhere.err));

    // Gone on with is the run that somebody started, whichever is named.
    let (child, last) = until(&desk, &["resume", "last"], "call", "NODE_CHILD_STARTED");
    assert_eq!(last, root);
    kill(child);
    let innermost = runs(&desk)[0]["runId"].as_str().unwrap().to_owned();
    assert_ne!(innermost, root);
    let (child, named) = until(&desk, &["resume", &innermost], "call", "NODE_CHILD_STARTED");
    assert_eq!(named, root);
    kill(child);

    let answered = desk
        .shipsec(&["answer", &root, "ask", "--approve", "--by", "Ada"])
        .ends(0);
    let said = [
        format!("answered node ask of run {innermost}\n"),
        format!("run {root} waits for run {innermost}, which it called: going on with both\n"),
    ];
    for line in said {
        assert!(answered.out.contains(&line), "{}", answered.out);
    }
    for run in runs(&desk) {
        assert_eq!(run["status"], "COMPLETED", "{run}");
    }
    assert_eq!(
        count(&log(&desk, &innermost), "ask", "NODE_INPUT_RECEIVED"),
        1
    );
}

#[test]
fn questions_of_several_runs_are_told_apart() {
    let desk = desk();
    let call = |node| (node, "core.workflow.call", json!({"workflow": "inner"}));
    desk.graph("twice.json", &behind_start(&[call("one"), call("two")]));
    let (child, root) = until(&desk, &["run", "twice.json"], "two", "NODE_CHILD_STARTED");
    let asked = question(&desk, &root, 2);
    insta::assert_snapshot!("questions_of_two_called_runs", steady(&asked.err));
    let named = desk.shipsec(&["answer", &root, "ask", "--approve"]).ends(2);
    assert!(named.err.contains("name the run"), "{}", named.err);
    let called: Vec<String> = runs(&desk)
        .iter()
        .map(|run| run["runId"].as_str().unwrap().to_owned())
        .filter(|run| *run != root)
        .collect();
    // The process that runs all three goes on with the answers.
    for run in &called {
        let answered = desk.shipsec(&["answer", run, "--approve"]).ends(0);
        assert_eq!(answered.out, format!("answered node ask of run {run}\n"));
    }
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
}
