//! Runs that are killed, gone on with, run again and answered, each by a process of its own.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use serde_json::{Value as Json, json};

use crate::support::{Desk, Said, behind_start, connect, steady};

/// Starts a run, and reads its log until an event of this type about this node.
pub(crate) fn until(
    desk: &Desk,
    arguments: &[&str],
    node: &str,
    event_type: &str,
) -> (Child, String) {
    let mut all = arguments.to_vec();
    all.extend(["--output", "jsonl"]);
    let mut command = desk.command(&all);
    command.stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    for line in out.lines() {
        let event: Json = serde_json::from_str(&line.unwrap()).unwrap();
        if event["nodeId"] == node && event["type"] == event_type {
            let run = event["runId"].as_str().unwrap().to_owned();
            return (child, run);
        }
    }
    kill(child);
    panic!("the run ended before {event_type} of {node}");
}

pub(crate) fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

pub(crate) fn log(desk: &Desk, run: &str) -> Vec<Json> {
    desk.shipsec(&["events", run]).ends(0).lines()
}

fn sequences_are_whole(log: &[Json]) {
    let sequences = log.iter().map(|event| event["sequence"].as_u64().unwrap());
    assert!(sequences.eq(1..=log.len() as u64));
}

pub(crate) fn count(log: &[Json], node: &str, event_type: &str) -> usize {
    let of = |event: &&Json| event["nodeId"] == node && event["type"] == event_type;
    log.iter().filter(of).count()
}

/// `first`, then `slow`, which sleeps for so long, then `last`.
fn slow(ms: u64) -> Json {
    let mut graph = behind_start(&[(
        "first",
        "dev.emit",
        json!({"logs": 1, "artifactBytes": 100}),
    )]);
    for (id, params) in [("slow", json!({ "ms": ms })), ("last", json!({"ms": 0}))] {
        let node = json!({"id": id, "type": "dev.sleep", "data": {"config": {"params": params}}});
        graph["nodes"].as_array_mut().unwrap().push(node);
    }
    connect(&mut graph, "first", "slow", "success");
    connect(&mut graph, "slow", "last", "success");
    graph
}

#[test]
fn a_killed_run_is_gone_on_with() {
    let desk = Desk::new();
    // Long enough that nobody waits for it; the second time it is asked to stop.
    desk.graph("graph.json", &slow(600_000));
    let (child, run) = until(&desk, &["run", "graph.json"], "slow", "NODE_STARTED");
    kill(child);
    let listed = desk.shipsec(&["runs"]).ends(0).out;
    assert!(listed.contains("INTERRUPTED"), "{listed}");
    assert!(listed.contains("shipsec resume RUN"), "{listed}");
    let status = desk.shipsec(&["status", &run]).ends(0).json();
    assert_eq!(
        (&status["status"], &status["interrupted"]),
        (&json!("RUNNING"), &json!(true))
    );

    let (child, again) = until(&desk, &["resume", "last"], "slow", "NODE_STARTED");
    assert_eq!(again, run);
    // While a process runs it nobody else may.
    let held = desk.shipsec(&["resume", &run]).ends(2);
    assert!(held.err.contains("is run by process"), "{}", held.err);
    let status = desk.shipsec(&["status", &run]).ends(0).json();
    assert_eq!(status.get("interrupted"), None);
    kill(child);
    let log = log(&desk, &run);
    sequences_are_whole(&log);
    assert_eq!(count(&log, "first", "NODE_STARTED"), 1);
    assert_eq!(count(&log, "slow", "NODE_STARTED"), 2);
    assert_eq!(count(&log, "slow", "NODE_FAILED"), 1);
}

#[test]
fn what_goes_on_is_told_from_there() {
    let desk = Desk::new();
    // The node waits for an answer that nobody gives: the run can be cut off there each time.
    let mut graph = behind_start(&[("first", "dev.emit", json!({"logs": 1}))]);
    let ask = json!({"id": "ask", "type": "core.approval", "data": {"config": {"params": {"title": "Go on?"}}}});
    graph["nodes"].as_array_mut().unwrap().push(ask);
    connect(&mut graph, "first", "ask", "success");
    desk.graph("graph.json", &graph);
    let (child, run) = until(&desk, &["run", "graph.json"], "ask", "NODE_AWAITING_INPUT");
    kill(child);

    let unanswered = desk.shipsec(&["answer", &run]).ends(2);
    insta::assert_snapshot!("approval_question", steady(&unanswered.err));
    let wrong = desk
        .shipsec(&["answer", &run, "nowhere", "--approve"])
        .ends(2);
    insta::assert_snapshot!("approval_of_another_node", steady(&wrong.err));
    let wrong = desk
        .shipsec(&["answer", &run, "--set", "approved=maybe"])
        .ends(2);
    assert!(
        wrong.err.contains("is not of type \"boolean\""),
        "{}",
        wrong.err
    );

    let answered = desk.shipsec(&[
        "answer",
        &run,
        "ask",
        "--approve",
        "--comment",
        "fine",
        "--by",
        "Ada",
    ]);
    let answered = answered.ends(0);
    // Whether the run had said that it waits when it was killed is left to chance.
    let out = steady(&answered.out);
    let gone_on = out
        .lines()
        .map(|line| match line.split_once("resumed after event") {
            Some((before, _)) => format!("{before}resumed after event [n]"),
            None => line.to_owned(),
        });
    let gone_on: Vec<String> = gone_on.collect();
    insta::assert_snapshot!("approved_and_gone_on", gone_on.join("\n"));
    let log = log(&desk, &run);
    sequences_are_whole(&log);
    assert_eq!(
        count(&log, "ask", "NODE_STARTED"),
        1,
        "waiting is no work that is lost"
    );
    let late = desk.shipsec(&["answer", &run, "ask", "--reject"]).ends(2);
    assert!(late.err.contains("is completed"), "{}", late.err);
    let nothing = desk.shipsec(&["resume", "--all"]).ends(0);
    assert_eq!(nothing.out, "no run was interrupted\n");
    let ended = desk.shipsec(&["resume", &run]).ends(2);
    insta::assert_snapshot!("resume_of_an_ended_run", steady(&ended.err));
}

/// A process that runs the run goes on with an answer from another.
#[test]
fn an_answer_reaches_the_process_that_waits() {
    let desk = Desk::new();
    // Not in the order of their names.
    let fields = json!([{"id": "port", "type": "number"}, {"id": "host", "label": "Which host?", "required": true}]);
    desk.graph(
        "graph.json",
        &behind_start(&[(
            "ask",
            "core.form",
            json!({"title": "What?", "fields": fields}),
        )]),
    );
    let (child, run) = until(&desk, &["run", "graph.json"], "ask", "NODE_AWAITING_INPUT");
    let question = desk.shipsec(&["answer", &run]).ends(2);
    insta::assert_snapshot!("form_question", steady(&question.err));
    let answered = desk.shipsec(&[
        "answer",
        &run,
        "--set",
        "host=a.example",
        "--set",
        "port=443",
    ]);
    assert_eq!(
        answered.ends(0).out,
        format!("answered node ask of run {run}\n")
    );
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    let outputs = desk.shipsec(&["outputs", &run]).ends(0).json();
    assert_eq!(
        outputs["outputs"]["ask"]["submitted"]["value"],
        json!({"host": "a.example", "port": 443})
    );
}

#[test]
fn every_interrupted_run_is_gone_on_with() {
    let desk = Desk::new();
    desk.graph(
        "graph.json",
        &behind_start(&[("ask", "core.approval", json!({"title": "Go on?"}))]),
    );
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (child, run) = until(&desk, &["run", "graph.json"], "ask", "NODE_AWAITING_INPUT");
        kill(child);
        desk.shipsec(&["answer", &run, "--reject", "--no-resume"])
            .ends(0);
        runs.push(run);
    }
    let said = desk.shipsec(&["resume", "--all"]).ends(0);
    for run in &runs {
        assert!(
            said.out.contains(&format!("{run} COMPLETED")),
            "{}",
            said.out
        );
    }
}

fn rerun(desk: &Desk, arguments: &[&str]) -> Said {
    let mut all = vec!["rerun", "last"];
    all.extend(arguments);
    desk.shipsec(&all)
}

#[test]
fn a_rerun_takes_over_what_has_not_changed() {
    let desk = Desk::new();
    let mut graph = behind_start(&[("a", "dev.echo", json!({}))]);
    graph["nodes"][0]["data"] =
        json!({"config": {"params": {"runtimeInputs": [{"id": "x", "type": "any"}]}}});
    graph["edges"][0]["sourceHandle"] = "x".into();
    graph["edges"][0]["targetHandle"] = "value".into();
    let node = json!({"id": "b", "type": "dev.echo"});
    graph["nodes"].as_array_mut().unwrap().push(node);
    let edge = json!({"id": "a-b", "source": "a", "sourceHandle": "value", "target": "b", "targetHandle": "value"});
    graph["edges"].as_array_mut().unwrap().push(edge);
    desk.graph("graph.json", &graph);
    desk.shipsec(&["run", "graph.json", "--input", "x=1"])
        .ends(0);

    let cached = rerun(&desk, &["--cached"]).ends(0);
    insta::assert_snapshot!("rerun_cached", steady(&cached.out));
    let status = desk.shipsec(&["status", "last"]).ends(0).json();
    assert_eq!(
        (&status["parent"]["relation"], &status["parent"]["cached"]),
        (&json!("rerun"), &json!(true))
    );
    let from = rerun(&desk, &["--from", "b"]).ends(0);
    assert!(
        from.out.contains("2 of 3 nodes taken over from run"),
        "{}",
        from.out
    );
    let other = rerun(&desk, &["--cached", "--input", "x=2"]).ends(0);
    assert!(!other.out.contains("taken over"), "{}", other.out);
    let nowhere = rerun(&desk, &["--from", "c"]).ends(2);
    insta::assert_snapshot!("rerun_from_nowhere", steady(&nowhere.err));
    // A new version of the graph, which does not take the input any more.
    graph["nodes"][0]["data"]["config"]["params"]["runtimeInputs"][0]["id"] = "y".into();
    graph["edges"][0]["sourceHandle"] = "y".into();
    desk.graph("new.json", &graph);
    let renewed = rerun(
        &desk,
        &["--graph", "new.json", "--input", "y=2", "--cached"],
    )
    .ends(0);
    assert_eq!(
        renewed.err,
        "input x is none of the new graph's: left out\n"
    );
    assert!(
        renewed.out.contains("2 of 3 nodes taken over"),
        "{}",
        renewed.out
    );
}

#[test]
fn workflows_are_called_from_the_graphs_folder() {
    let desk = Desk::new();
    desk.graph(
        "inner.json",
        &behind_start(&[("nap", "dev.sleep", json!({"ms": 0}))]),
    );
    let call = ("call", "core.workflow.call", json!({"workflow": "inner"}));
    desk.graph("outer.json", &behind_start(&[call]));
    desk.shipsec(&["run", "outer.json"]).ends(0);
    let missing = (
        "call",
        "core.workflow.call",
        json!({"workflow": "../inner"}),
    );
    desk.graph("bad.json", &behind_start(&[missing]));
    let said = desk.shipsec(&["run", "bad.json"]).ends(1);
    assert!(said.out.contains("without a path"), "{}", said.out);
}
