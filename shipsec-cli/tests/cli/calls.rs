//! Runs that call runs: which is the last one, who is answered, and who goes on.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

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

/// Where the workflows are not found the run would fail for good: it is left as it is.
#[test]
fn a_run_whose_workflows_are_elsewhere_is_not_gone_on_with() {
    let desk = desk();
    let folder = desk.path().join("graphs");
    std::fs::create_dir(&folder).unwrap();
    for name in ["inner.json", "outer.json"] {
        std::fs::rename(desk.path().join(name), folder.join(name)).unwrap();
    }
    let arguments = ["run", "graphs/outer.json"];
    let (child, root) = until(&desk, &arguments, "call", "NODE_CHILD_STARTED");
    question(&desk, &root, 1);
    kill(child);
    for refused in [
        desk.shipsec(&["resume", "last"]).ends(2),
        desk.shipsec(&["answer", "last", "--approve"]).ends(2),
    ] {
        assert!(
            refused.err.contains("--workflows FOLDER"),
            "{}",
            refused.err
        );
    }
    let some = desk.shipsec(&["resume", "--all"]).ends(1);
    assert!(some.err.contains("--all --workflows FOLDER"), "{some:#?}");
    let all: Vec<Json> = runs(&desk);
    assert!(all.iter().all(|run| run["status"] != "FAILED"), "{all:?}");
    // The answer is there, and need not be given again.
    desk.shipsec(&["resume", "last", "--workflows", "graphs"])
        .ends(0);
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

/// What a command says up to a line, and the command.
fn said_until(desk: &Desk, arguments: &[&str], line: &str) -> (String, Child) {
    let mut command = desk.command(arguments);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    for read in out.lines() {
        let read = read.unwrap();
        said.push_str(&read);
        said.push('\n');
        if read.contains(line) {
            return (said, child);
        }
    }
    kill(child);
    panic!("no line has {line:?}:\n{said}");
}

/// How to answer is said where somebody is asked, also in a run that was called.
#[test]
fn whoever_watches_is_told_how_to_answer() {
    let desk = desk();
    let how = "answer with: ";
    let (said, child) = said_until(&desk, &["run", "inner.json"], how);
    kill(child);
    insta::assert_snapshot!("how_to_answer", steady(&said));
    let resume = ["resume", "last", "--output", "plain"];
    let (again, child) = said_until(&desk, &resume, how);
    kill(child);
    assert!(again.contains("ask waits for an answer: Go on?"), "{again}");

    let (said, child) = said_until(&desk, &["run", "outermost.json"], how);
    assert_eq!(said.matches(how).count(), 1, "{said}");
    let lines: Vec<_> = said.lines().collect();
    let (asked, how_to) = (lines[lines.len() - 2], lines[lines.len() - 1]);
    let (_, command) = how_to.split_once("shipsec ").unwrap();
    let arguments: Vec<&str> = command.split([' ', ',']).take(4).collect();
    assert!(
        asked.contains(&format!("node ask of run {} waits", arguments[1])),
        "{said}"
    );
    // As it says; the process that runs all three goes on.
    desk.shipsec(&arguments).ends(0);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn what_does_not_fit_a_workflow_that_is_called_is_told_by_field() {
    let desk = Desk::new();
    let mut inner = behind_start(&[("nap", "dev.sleep", json!({"ms": 0}))]);
    let inputs =
        json!([{"id": "host", "type": "text", "required": true}, {"id": "port", "type": "number"}]);
    inner["nodes"][0]["data"] = json!({"config": {"params": {"runtimeInputs": inputs}}});
    desk.graph("inner.json", &inner);
    let call = ("call", "core.workflow.call", json!({"workflow": "inner"}));
    let mut outer = behind_start(&[call]);
    outer["nodes"][1]["data"]["config"]["inputOverrides"] = json!({"inputs": {"port": "many"}});
    desk.graph("outer.json", &outer);
    let said = desk.shipsec(&["run", "outer.json"]).ends(1);
    insta::assert_snapshot!("fields_of_a_call", steady(&said.out));
}
