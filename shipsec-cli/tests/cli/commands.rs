//! Each command, as a user meets it.

use serde_json::{Value as Json, json};

use crate::support::{Desk, behind_start, connect, steady};

/// A run with a bit of everything: logs, progress, an artifact, a branch, a handled failure.
fn everything() -> Json {
    let mut graph = behind_start(&[
        (
            "emit",
            "dev.emit",
            json!({"logs": 2, "progress": 3, "artifactBytes": 2000, "outputBytes": 4}),
        ),
        (
            "fail",
            "dev.fail",
            json!({"kind": "NotFoundError", "message": "nothing there", "times": 0}),
        ),
        ("fork", "dev.branch", json!({"port": "left"})),
    ]);
    let nodes = [
        ("handle", "dev.sleep"),
        ("left", "dev.sleep"),
        ("right", "dev.sleep"),
    ];
    for (id, component) in nodes {
        let node = json!({"id": id, "type": component, "data": {"config": {"params": {"ms": 0}}}});
        graph["nodes"].as_array_mut().unwrap().push(node);
    }
    connect(&mut graph, "fail", "handle", "error");
    for port in ["left", "right"] {
        let edge = json!({"id": port, "source": "fork", "target": port, "sourceHandle": port});
        graph["edges"].as_array_mut().unwrap().push(edge);
    }
    // One after the other, so that the log is the same each time.
    connect(&mut graph, "emit", "fork", "success");
    connect(&mut graph, "left", "fail", "finally");
    graph
}

#[test]
fn a_run_is_told_line_by_line_when_piped() {
    let desk = Desk::new();
    desk.graph("graph.json", &everything());
    let said = desk.shipsec(&["run", "graph.json"]).ends(0);
    insta::assert_snapshot!("plain_run", steady(&said.out));
    assert_eq!(said.err, "");
    assert_eq!(
        std::fs::read_to_string(desk.path().join(".shipsec/.gitignore")).unwrap(),
        "*\n"
    );
}

#[test]
fn a_failed_run_ends_with_the_log_of_the_node() {
    let desk = Desk::new();
    let failing = (
        "scan",
        "dev.fail",
        json!({"kind": "ConfigurationError", "message": "no rules", "times": 0}),
    );
    desk.graph("graph.json", &behind_start(&[failing]));
    let said = desk.shipsec(&["run", "graph.json"]).ends(1);
    insta::assert_snapshot!("failed_run", steady(&said.out));
}

#[test]
fn jsonl_is_the_log_and_nothing_else() {
    let desk = Desk::new();
    desk.graph("graph.json", &everything());
    let said = desk
        .shipsec(&["run", "graph.json", "--output", "jsonl"])
        .ends(0);
    let events = said.lines();
    let sequences: Vec<_> = events
        .iter()
        .map(|event| event["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(sequences, (1..=events.len() as u64).collect::<Vec<_>>());
    assert_eq!(events.last().unwrap()["payload"]["status"], "COMPLETED");
    assert_eq!(said.err, "");

    let again = desk.shipsec(&["events", "last"]).ends(0);
    assert_eq!(again.out, said.out);
    let followed = desk
        .shipsec(&["events", "last", "--follow", "--after", "3"])
        .ends(0);
    assert_eq!(followed.lines(), events[3..]);
    let rest = desk.shipsec(&["events", "last", "--after", "9999"]).ends(0);
    assert_eq!(rest.out, "");
}

#[test]
fn a_run_is_found_and_told_about_later() {
    let desk = Desk::new();
    desk.graph("graph.json", &everything());
    desk.shipsec(&["run", "graph.json"]).ends(0);
    let runs = desk.shipsec(&["runs", "--format", "json"]).ends(0).json();
    let id = runs[0]["runId"].as_str().unwrap().to_owned();
    assert_eq!(runs[0]["status"], "COMPLETED");
    insta::assert_snapshot!(
        "runs",
        steady(&desk.shipsec(&["runs"]).ends(0).out)
            .lines()
            .next()
            .unwrap()
    );
    assert_eq!(
        desk.shipsec(&["runs", "--status", "failed"]).ends(0).out,
        "no runs\n"
    );
    desk.shipsec(&["runs", "--status", "sleepy"]).ends(2);

    let status = desk.shipsec(&["status", &id]).ends(0).json();
    assert_eq!(
        status["progress"],
        json!({"completedActions": 7, "totalActions": 7})
    );
    assert_eq!(status["trigger"], json!({"type": "cli"}));
    assert_eq!(desk.shipsec(&["status", &id[..20]]).ends(0).json(), status);
    let unknown = desk.shipsec(&["status", "nope"]).ends(2);
    assert_eq!(
        unknown.err,
        "error: no run \"nope\" is kept here, and it is no archive of a run; `shipsec runs` lists those that are\n"
    );

    let outputs = desk.shipsec(&["outputs", "last"]).ends(0).json();
    assert_eq!(outputs["nodes"]["emit"]["text"]["value"], "the ");

    let artifacts = desk
        .shipsec(&["artifacts", "last", "--format", "json"])
        .ends(0)
        .json();
    let artifact = artifacts[0]["artifactId"].as_str().unwrap();
    for name in [artifact, "emitted.txt"] {
        desk.shipsec(&["artifacts", "last", "--get", name, "-o", "got.txt"])
            .ends(0);
        assert_eq!(
            std::fs::read(desk.path().join("got.txt")).unwrap().len(),
            2000
        );
        std::fs::remove_file(desk.path().join("got.txt")).unwrap();
    }
    let piped = desk
        .shipsec(&["artifacts", "last", "--get", artifact, "-o", "-"])
        .ends(0);
    assert_eq!(piped.out.len(), 2000);
    let missing = desk
        .shipsec(&["artifacts", "last", "--get", "nope", "-o", "x"])
        .ends(2);
    assert!(
        missing
            .err
            .contains("has no artifact \"nope\"; it has:\n  emit/1/1  emitted.txt"),
        "{missing:?}"
    );

    // What is kept under a name leads to the same bytes.
    let by_name = desk
        .path()
        .join(".shipsec/runs")
        .join(&id)
        .join("emitted.txt");
    assert_eq!(std::fs::read(by_name).unwrap(), piped.out.as_bytes());
}

#[test]
fn damaged_bytes_are_not_given_out_as_whole() {
    let desk = Desk::new();
    desk.graph("graph.json", &everything());
    desk.shipsec(&["run", "graph.json"]).ends(0);
    let artifacts = desk
        .shipsec(&["artifacts", "last", "--format", "json"])
        .ends(0)
        .json();
    let location = artifacts[0]["location"].as_str().unwrap();
    let kept = desk.path().join(".shipsec/artifacts").join(location);
    std::fs::write(kept, "other bytes").unwrap();
    let said = desk
        .shipsec(&["artifacts", "last", "--get", "emitted.txt", "-o", "got.txt"])
        .ends(1);
    assert!(said.err.contains("is damaged"), "{said:?}");
    assert!(!desk.path().join("got.txt").exists());
}

#[test]
fn problems_are_shown_in_their_lines_all_at_once() {
    let desk = Desk::new();
    desk.write(
        "bad.json",
        r#"{
  "name": "Bad",
  "nodes": [
    {"id": "start", "type": "core.workflow.entrypoint"},
    {"id": "split", "type": "core.text.spliter"},
    {"id": "pause", "type": "dev.sleep", "data": {"config": {"params": {"ms": "long", "colour": 3}}}}
  ],
  "edges": [
    {"id": "e1", "source": "start", "target": "pause", "sourceHandle": "nope", "targetHandle": "value"},
    {"id": "e2", "source": "starr", "target": "split"}
  ]
}
"#,
    );
    let said = desk.shipsec(&["validate", "bad.json"]).ends(2);
    insta::assert_snapshot!("problems", said.out);
    let ran = desk.shipsec(&["run", "bad.json"]).ends(2);
    assert_eq!((ran.err, ran.out.as_str()), (said.out, ""));
    assert!(
        !desk.path().join(".shipsec").exists(),
        "nothing was run, so nothing is kept"
    );

    let verdict = desk
        .shipsec(&["validate", "bad.json", "--format", "json"])
        .ends(2)
        .json();
    assert_eq!(verdict["valid"], false);
    for problem in verdict["diagnostics"].as_array().unwrap() {
        let mut keys: Vec<_> = problem.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["code", "message", "path", "severity", "suggestion"]);
    }
}

#[test]
fn a_valid_graph_is_said_to_be_one_and_compiles() {
    let desk = Desk::new();
    desk.graph("graph.json", &everything());
    let said = desk.shipsec(&["validate", "graph.json"]).ends(0);
    assert_eq!(said.out, "graph.json is valid: 7 nodes, 8 edges\n");
    let verdict = desk
        .shipsec(&["validate", "graph.json", "--format", "json"])
        .ends(0)
        .json();
    assert_eq!(verdict, json!({"valid": true, "diagnostics": []}));
    let definition = desk.shipsec(&["compile", "graph.json"]).ends(0).json();
    assert_eq!(definition["entrypoint"], json!({"ref": "start"}));
    assert_eq!(definition["actions"].as_array().unwrap().len(), 7);
    let piped = desk
        .shipsec_reading(&["compile", "-"], everything().to_string().as_bytes())
        .ends(0);
    assert_eq!(piped.json(), definition);
}

#[test]
fn inputs_and_secrets_come_from_arguments_files_and_the_environment() {
    let desk = Desk::new();
    let inputs = json!([
        {"id": "text", "type": "text", "required": true},
        {"id": "count", "type": "number", "default": 3},
        {"id": "token", "type": "secret"},
        {"id": "hosts", "type": "list<text>"},
    ]);
    let mut graph = behind_start(&[("echo", "dev.echo", json!({}))]);
    graph["nodes"][0]["data"] = json!({"config": {"params": {"runtimeInputs": inputs}}});
    graph["edges"][0] = json!({"id": "e", "source": "start", "sourceHandle": "text",
        "target": "echo", "targetHandle": "value"});
    desk.graph("graph.json", &graph);
    desk.write("inputs.json", r#"{"text": "from the file", "count": 7}"#);
    desk.write("hosts.txt", "a.test\nb.test\n");
    let secret = concat!("made-up-", "token-0451");

    let mut command = desk.command(&[
        "run",
        "graph.json",
        "--inputs",
        "inputs.json",
        "--input",
        "hosts=@hosts.txt",
        "--input",
        "count=8",
        "--secret",
        "TOKEN=MADE_UP",
        "--input",
        "token=TOKEN",
        "--output",
        "jsonl",
    ]);
    let output = command.env("MADE_UP", secret).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(!out.contains(secret));
    let first: Json = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!(
        first["payload"]["inputs"],
        json!({"text": "from the file", "count": "8", "hosts": ["a.test", "b.test"],
            "token": {"secretRef": "TOKEN"}})
    );
    let outputs = desk.shipsec(&["outputs", "last"]).ends(0).json();
    assert_eq!(outputs["nodes"]["start"]["count"]["value"], 8);
    assert_eq!(
        outputs["nodes"]["start"]["token"],
        json!({"kind": "secret", "name": "TOKEN"})
    );

    let none = desk.shipsec(&["run", "graph.json"]).ends(2);
    insta::assert_snapshot!("missing_inputs", none.err);
    for wrong in [
        vec!["--input", "text"],
        vec!["--input", "text=@missing.txt"],
        vec!["--inputs", "hosts.txt"],
        vec!["--input", "text=x", "--input", "nope=1"],
        vec!["--input", "text=x", "--input", "count=many"],
        vec!["--input", "text=x", "--input", "token=UNNAMED"],
        vec!["--input", "text=x", "--secret", "TOKEN=NOT_SET_ANYWHERE"],
    ] {
        let arguments: Vec<_> = ["run", "graph.json"].into_iter().chain(wrong).collect();
        let said = desk.shipsec(&arguments).ends(2);
        assert!(
            said.err.starts_with("error: ") && said.out.is_empty(),
            "{said:#?}"
        );
    }
}

#[test]
fn components_are_listed_and_shown() {
    let desk = Desk::new();
    let all = desk
        .shipsec(&["components", "--format", "json"])
        .ends(0)
        .json();
    let ids: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    let list = desk.shipsec(&["components"]).ends(0);
    for id in ids {
        assert!(list.out.contains(id), "{id} is missing");
    }
    let one = desk.shipsec(&["components", "core.http.request"]).ends(0);
    insta::assert_snapshot!("component", one.out);
    let json = desk
        .shipsec(&["components", "core.http.request", "--format", "json"])
        .ends(0)
        .json();
    assert_eq!(json["id"], "core.http.request");
    let unknown = desk.shipsec(&["components", "core.http.requst"]).ends(2);
    assert!(
        unknown.err.contains("did you mean core.http.request"),
        "{unknown:?}"
    );
    let version = desk
        .shipsec(&["components", "core.http.request@9.9.9"])
        .ends(2);
    assert!(version.err.contains("its version is"), "{version:?}");
}

#[test]
fn completions_know_the_commands() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = desk.shipsec(&["completions", shell]).ends(0).out;
        for command in ["validate", "artifacts", "completions"] {
            assert!(script.contains(command), "{shell} lacks {command}");
        }
    }
}

#[test]
fn the_store_may_be_elsewhere_or_nowhere() {
    let desk = Desk::new();
    desk.graph("graph.json", &behind_start(&[]));
    let store = ["--store", "sqlite:elsewhere.db", "--artifacts", "file:kept"];
    desk.shipsec(&[&["run", "graph.json"], &store[..]].concat())
        .ends(0);
    assert!(desk.path().join("elsewhere.db").is_file() && desk.path().join("kept").is_dir());
    assert!(!desk.path().join(".shipsec").exists());
    desk.shipsec(&["status", "last", "--store", "sqlite:elsewhere.db"])
        .ends(0);
    let here = desk.shipsec(&["runs"]).ends(2);
    assert!(here.err.contains("no runs are kept here"), "{here:?}");

    desk.shipsec(&[
        "run",
        "graph.json",
        "--store",
        "memory:",
        "--artifacts",
        "memory:",
    ])
    .ends(0);
    assert!(!desk.path().join(".shipsec").exists());
    desk.shipsec(&["runs", "--store", "memory:"]).ends(2);
    desk.shipsec(&["run", "graph.json", "--store", "carrier-pigeon:loft"])
        .ends(2);
}
