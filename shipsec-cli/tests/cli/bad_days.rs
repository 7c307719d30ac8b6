//! Hostile input and broken surroundings: a clear error that names the thing, never a panic, and
//! nothing outside the workspace folder.

use std::{
    io::{BufRead as _, Read as _},
    process::Stdio,
};

use serde_json::json;

use crate::support::{Desk, behind_start};

#[test]
fn a_file_that_is_no_graph_is_named() {
    let desk = Desk::new();
    desk.write("truncated.json", r#"{"name": "x", "nodes": [{"id": "#);
    desk.write("binary.json", [0xff, 0xfe, 0x00, 0x80]);
    desk.write("deep.json", "[".repeat(100_000));
    desk.write(
        "deep-inside.json",
        format!(r#"{{"nodes": [], "x": {}}}"#, "[".repeat(100_000)),
    );
    desk.write("list.json", "[1, 2]");
    desk.write("empty.json", "");
    desk.write(
        "wrong.json",
        "{\n  \"nodes\": [\n    {\"id\": 7, \"data\": {\"label\": 1}}\n  ]\n}",
    );
    std::fs::create_dir(desk.path().join("folder.json")).unwrap();
    for name in [
        "truncated",
        "binary",
        "deep",
        "deep-inside",
        "list",
        "empty",
        "wrong",
        "folder",
        "missing",
    ] {
        let name = format!("{name}.json");
        for command in ["validate", "run", "compile"] {
            let said = desk.shipsec(&[command, &name]).ends(2);
            let told = format!("{}{}", said.out, said.err);
            assert!(told.contains(&name) && told.starts_with("error"), "{told}");
            assert!(!told.contains("panicked"), "{told}");
        }
        let verdict = desk
            .shipsec(&["validate", &name, "--format", "json"])
            .ends(2)
            .json();
        assert_eq!(verdict["valid"], false);
        // Of a text that is JSON every wrong value.
        let problems = if name == "wrong.json" { 3 } else { 1 };
        assert_eq!(verdict["diagnostics"].as_array().unwrap().len(), problems);
    }
    let wrong = desk.shipsec(&["validate", "wrong.json"]).ends(2);
    insta::assert_snapshot!("wrong_type", wrong.out);
    let truncated = desk.shipsec(&["validate", "truncated.json"]).ends(2);
    insta::assert_snapshot!("truncated", truncated.out);
}

#[test]
fn names_with_line_ends_and_escapes_are_shown_as_what_they_are() {
    let desk = Desk::new();
    let mut graph = behind_start(&[("a\nb\u{1b}[2J", "no.such\u{9b}", json!({}))]);
    graph["name"] = "title\n\u{1b}[31m".into();
    desk.graph("graph.json", &graph);
    let said = desk.shipsec(&["validate", "graph.json"]).ends(2);
    assert!(!said.out.contains(['\u{1b}', '\u{9b}']), "{}", said.out);
    assert!(
        said.out.contains("unknown-component") && said.out.contains("invalid-id"),
        "{}",
        said.out
    );
}

#[test]
fn a_graph_of_a_hundred_thousand_nodes_runs() {
    let desk = Desk::new();
    let mut nodes = vec![json!({"id": "start", "type": "core.workflow.entrypoint"})];
    let mut edges = Vec::new();
    for at in 0..100_000 {
        nodes.push(json!({"id": format!("n{at}"), "type": "dev.sleep", "data": {"config": {"params": {"ms": 0}}}}));
        edges.push(json!({"id": format!("e{at}"), "source": "start", "target": format!("n{at}")}));
    }
    desk.graph(
        "graph.json",
        &json!({"name": "Wide", "nodes": nodes, "edges": edges}),
    );
    let said = desk.shipsec(&["validate", "graph.json"]).ends(0);
    assert_eq!(
        said.out,
        "graph.json is valid: 100001 nodes, 100000 edges\n"
    );
    let verdict = desk.shipsec(&["run", "graph.json"]).ends(0);
    assert!(verdict.out.ends_with("100001 nodes: 100001 completed\n"));
}

#[test]
fn a_store_that_cannot_be_used_is_named() {
    let desk = Desk::new();
    desk.graph("graph.json", &behind_start(&[]));
    desk.write(
        "no-store.db",
        "this is no database, however long it may be ".repeat(200),
    );
    let said = desk
        .shipsec(&["run", "graph.json", "--store", "no-store.db"])
        .ends(2);
    assert!(said.err.contains("no-store.db"), "{said:?}");
    let said = desk.shipsec(&["runs", "--store", "no-store.db"]).ends(2);
    assert!(said.err.contains("no-store.db"), "{said:?}");
    assert!(
        std::fs::read(desk.path().join("no-store.db"))
            .unwrap()
            .starts_with(b"this is no")
    );
    let said = desk
        .shipsec(&["run", "graph.json", "--store", "sqlite:/proc/nowhere/x.db"])
        .ends(2);
    assert!(said.err.contains("/proc/nowhere/x.db"), "{said:?}");
}

#[test]
fn a_damaged_store_is_told_and_left_as_it_is() {
    let desk = Desk::new();
    desk.graph(
        "graph.json",
        &behind_start(&[("emit", "dev.emit", json!({"logs": 2000}))]),
    );
    desk.shipsec(&["run", "graph.json"]).ends(0);
    let file = desk.path().join(".shipsec/shipsec.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    let end = (middle + 20_000).min(bytes.len());
    bytes[middle..end].fill(0xa5);
    std::fs::write(&file, &bytes).unwrap();
    let said = desk.shipsec(&["events", "last"]);
    assert!(matches!(said.code, Some(1 | 2)), "{:?}", said.code);
    assert!(
        said.err.contains("shipsec.db") && !said.err.contains("panicked"),
        "{}",
        said.err
    );
}

#[test]
fn what_may_not_be_written_is_named() {
    // Permissions do not bind root, who may run this; a file in the way binds everybody.
    let desk = Desk::new();
    desk.graph("graph.json", &behind_start(&[]));
    desk.write(".shipsec", "a file in the way");
    let said = desk.shipsec(&["run", "graph.json"]).ends(2);
    assert!(said.err.contains("workspace folder .shipsec"), "{said:?}");
}

/// A file that may not grow stands for a disk that is full.
#[test]
fn a_full_disk_is_told_and_loses_nothing_that_was_recorded() {
    let desk = Desk::new();
    let emit = ("emit", "dev.emit", json!({"logs": 20_000}));
    desk.graph("graph.json", &behind_start(&[emit]));
    let script = "trap '' XFSZ; ulimit -f 400; exec \"$0\" run graph.json --store-patience 1";
    let mut shell = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_shipsec");
    let output = shell
        .args(["-c", script, program])
        .current_dir(desk.path())
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(
        err.contains("the trace store is away") && err.contains("shipsec.db"),
        "{err}"
    );
    assert!(
        err.contains("could not be recorded") && !err.contains("panicked"),
        "{err}"
    );
    let events = desk.shipsec(&["events", "last"]).ends(0).lines();
    assert!(events.len() > 100, "{} events", events.len());
    let sequences = events
        .iter()
        .map(|event| event["sequence"].as_u64().unwrap());
    assert!(sequences.eq(1..=events.len() as u64));
}

#[test]
fn two_processes_write_into_one_store() {
    let desk = Desk::new();
    desk.graph(
        "graph.json",
        &behind_start(&[("emit", "dev.emit", json!({"logs": 500}))]),
    );
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = desk.command(&["run", "graph.json", "--output", "jsonl"]);
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let sequences = output.stdout.lines().map(|line| {
            let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            event["sequence"].as_u64().unwrap()
        });
        assert!(sequences.eq(1..=506));
    }
    let runs = desk.shipsec(&["runs", "--format", "json"]).ends(0).json();
    assert_eq!(runs.as_array().unwrap().len(), 4);
}

#[test]
fn a_run_goes_on_when_nobody_reads() {
    let desk = Desk::new();
    desk.graph(
        "graph.json",
        &behind_start(&[("emit", "dev.emit", json!({"logs": 20_000}))]),
    );
    for output in ["plain", "jsonl"] {
        let mut command = desk.command(&["run", "graph.json", "--output", output]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut some = [0; 100];
        child.stdout.take().unwrap().read_exact(&mut some).unwrap();
        let mut err = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
        let status = desk.shipsec(&["status", "last"]).ends(0).json();
        assert_eq!(status["status"], "COMPLETED");
    }
    let mut command = desk.command(&["events", "last"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}
