//! Two runs compared.

use serde_json::{Value as Json, json};

use crate::support::{Desk, behind_start, steady};

/// A run whose node `scan` gives these findings, and its id.
fn run(desk: &Desk, findings: &Json) -> String {
    let mut graph = behind_start(&[("scan", "dev.echo", json!({}))]);
    graph["nodes"][1]["data"]["config"]["inputOverrides"] = json!({ "value": findings });
    desk.graph("graph.json", &graph);
    desk.shipsec(&["run", "graph.json"]).ends(0);
    let runs = desk.shipsec(&["runs", "--format", "json"]).ends(0).json();
    runs[0]["runId"].as_str().unwrap().to_owned()
}

fn finding(id: &str, title: &str) -> Json {
    json!({"fingerprint": id, "severity": "high", "title": title, "path": "src/a.py", "line": 3, "seenAt": id})
}

#[test]
fn what_is_new_and_what_is_gone_is_told() {
    let desk = Desk::new();
    let before = json!([finding("1", "A key"), finding("2", "A token")]);
    let after = json!([
        finding("3", "A *password*\u{1b}[31m"),
        finding("1", "A key")
    ]);
    let (a, b) = (run(&desk, &before), run(&desk, &after));

    let same = desk.shipsec(&["diff", &a, &a]).ends(0);
    assert!(same.out.ends_with("no difference\n"), "{}", same.out);
    let said = desk
        .shipsec(&["diff", &a, &b, "--ignore", "scan/value"])
        .ends(0);
    let dated = |text: &str| {
        let mut text = steady(text);
        while let Some(at) = text.find("(COMPLETED, ") {
            text.replace_range(
                at..at + "(COMPLETED, 2026-01-01 00:00:00)".len(),
                "(completed)",
            );
        }
        text
    };
    insta::assert_snapshot!("diff_ignored", dated(&said.out));
    let said = desk.shipsec(&["diff", &a, "last"]).ends(0);
    insta::assert_snapshot!("diff_text", dated(&said.out));
    let said = desk
        .shipsec(&["diff", &a, &b, "--format", "markdown"])
        .ends(0);
    insta::assert_snapshot!("diff_markdown", steady(&said.out));
    let json = desk
        .shipsec(&["diff", &a, &b, "--format", "json"])
        .ends(0)
        .json();
    assert_eq!(json["counts"], json!({"input": 2, "output": 2}));
    assert_eq!(json["b"]["runId"], b.as_str());

    desk.shipsec(&["diff", &a, &b, "--fail-on", "output"])
        .ends(1);
    desk.shipsec(&["diff", &a, &b, "--fail-on", "status,added"])
        .ends(0);
    desk.shipsec(&["diff", &a, &a, "--fail-on", "output"])
        .ends(0);
    let bad = desk
        .shipsec(&["diff", &a, &b, "--fail-on", "findings"])
        .ends(2);
    assert!(
        bad.err.contains("expected one of status, added"),
        "{}",
        bad.err
    );
    let bad = desk.shipsec(&["diff", &a, &b, "--ignore", "a//b"]).ends(2);
    assert!(
        bad.err.contains("\"a//b\" is no path to ignore"),
        "{}",
        bad.err
    );
    desk.shipsec(&["diff", &a, "nothing"]).ends(2);
}

/// A node behind another differs by what that one gave: it is counted, and told there.
#[test]
fn what_follows_from_an_output_is_counted_apart() {
    let desk = Desk::new();
    let mut graph = behind_start(&[("a", "dev.echo", json!({})), ("b", "dev.echo", json!({}))]);
    graph["edges"][1] = json!({"id": "a-b", "source": "a", "sourceHandle": "value", "target": "b", "targetHandle": "value"});
    let mut run = |value: u32| {
        graph["nodes"][1]["data"]["config"]["inputOverrides"] = json!({ "value": value });
        desk.graph("graph.json", &graph);
        desk.shipsec(&["run", "graph.json"]).ends(0);
        desk.shipsec(&["status", "last"]).ends(0).json()["runId"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (a, b) = (run(1), run(2));
    let said = desk.shipsec(&["diff", &a, &b]).ends(0);
    let (_, told) = said.out.split_once("\n\n").unwrap();
    insta::assert_snapshot!("diff_following", told);
    let json = desk.shipsec(&["diff", &a, &b, "--format", "json"]).ends(0);
    let json = json.json();
    assert_eq!(json["following"], 1);
    for change in json["changes"].as_array().unwrap() {
        let told = ["before", "after", "from"].map(|side| change.get(side).is_some());
        assert!(told.contains(&true), "{change}");
    }
    assert_eq!(json["changes"].as_array().unwrap().len(), 4);
}

#[test]
fn durations_are_compared_with_a_threshold_alone_and_have_a_unit() {
    let desk = Desk::new();
    let run = |ms: u32| {
        desk.graph(
            "graph.json",
            &behind_start(&[("nap", "dev.sleep", json!({ "ms": ms }))]),
        );
        desk.shipsec(&["run", "graph.json"]).ends(0);
        desk.shipsec(&["status", "last"]).ends(0).json()["runId"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (a, b) = (run(0), run(1500));
    let refused = desk
        .shipsec(&["diff", &a, &b, "--fail-on", "duration"])
        .ends(2);
    assert!(
        refused.err.contains("--duration-threshold PERCENT"),
        "{}",
        refused.err
    );
    let arguments = ["--fail-on", "duration", "--duration-threshold", "200"];
    let told = desk
        .shipsec(&[&["diff", &a, &b], &arguments[..]].concat())
        .ends(1);
    let (_, durations) = told.out.split_once("nap: duration\n").unwrap();
    let line = durations.lines().next().unwrap();
    let (before, after) = line.split_once(" → ").unwrap();
    assert!(before.ends_with('s') && after.ends_with(" s"), "{line}");
}
