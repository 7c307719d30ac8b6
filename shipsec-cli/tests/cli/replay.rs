//! A run at any moment: printed, and played on a terminal.

use serde_json::{Value as Json, json};
use shipsec_core::{RunId, event::Event, run::RunView, trace::TraceStore as _};
use shipsec_sqlite::SqliteStore;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    support::{Desk, behind_start},
    terminal::{HANGS, Terminal},
};

const RIGHT: &str = "\u{1b}[C";
const LEFT: &str = "\u{1b}[D";
const DOWN: &str = "\u{1b}[B";
const UP: &str = "\u{1b}[A";
const HOME: &str = "\u{1b}[H";
const END: &str = "\u{1b}[F";

/// A run that a desk keeps, and that a test writes.
struct Kept {
    store: SqliteStore,
    runtime: tokio::runtime::Runtime,
}

impl Kept {
    fn new(desk: &Desk) -> Self {
        let path = desk.path().join(".shipsec/shipsec.db");
        Self {
            store: SqliteStore::open(path).unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }

    /// Appends events as `[sequence, time of day, type, node, payload]`.
    fn append(&self, events: &[(u64, &str, &str, &str, Json)]) {
        let record = |(sequence, time, kind, node, payload): &(u64, &str, &str, &str, Json)| {
            let mut event = json!({
                "runId": "nightly", "sequence": sequence, "type": kind, "payload": payload,
                "timestamp": format!("2026-01-01T{time}Z"), "counter": sequence,
                "message": format!("line {sequence}"),
            });
            if !node.is_empty() {
                event["nodeId"] = (*node).into();
                event["attempt"] = 1.into();
            }
            serde_json::from_value::<Event>(event).unwrap().record
        };
        let records = events.iter().map(record).collect();
        let run = RunId::parse("nightly").unwrap();
        let appended = self.runtime.block_on(self.store.append(&run, records));
        assert_eq!(appended.unwrap().stored, events.len());
    }
}

fn started() -> Json {
    json!({"componentId": "dev.sleep", "componentVersion": "1.0.0", "joinStrategy": "all"})
}

/// The first four of eight events: a scan that began, and said something.
fn beginning() -> Vec<(u64, &'static str, &'static str, &'static str, Json)> {
    let action = |id| {
        json!({"ref": id, "componentId": "dev.sleep", "componentVersion": "1.0.0", "params": {},
               "dependsOn": []})
    };
    let definition = json!({
        "version": 1, "workflowId": "w", "title": "Recon", "entrypoint": {"ref": "scan"},
        "nodes": {}, "edges": [], "dependencyCounts": {}, "config": {},
        "actions": [action("scan"), action("report")],
    });
    let running = json!({"status": "RUNNING", "workflowId": "w", "definition": definition});
    let progress = json!({"done": 1, "total": 2, "unit": "hosts"});
    vec![
        (1, "09:00:00", "WORKFLOW_STATUS", "", running),
        (2, "09:00:00.5", "NODE_STARTED", "scan", started()),
        (3, "09:00:01", "NODE_LOG", "scan", json!({})),
        (4, "09:01:01", "NODE_PROGRESS", "scan", progress),
    ]
}

/// The other four: a minute later it is over.
fn rest() -> Vec<(u64, &'static str, &'static str, &'static str, Json)> {
    let completed = json!({"outputs": {}, "durationMs": 61_500.0});
    let error = json!({"kind": "NotFoundError", "message": "no template", "retryable": false});
    let failed = json!({"error": error, "willRetry": false, "durationMs": 500.0});
    vec![
        (5, "09:01:02", "NODE_COMPLETED", "scan", completed),
        (6, "09:01:02", "NODE_STARTED", "report", started()),
        (7, "09:01:02.5", "NODE_FAILED", "report", failed),
        (
            8,
            "09:01:03",
            "WORKFLOW_STATUS",
            "",
            json!({"status": "FAILED"}),
        ),
    ]
}

/// A run that has failed.
fn desk() -> Desk {
    let desk = Desk::new();
    let kept = Kept::new(&desk);
    kept.append(&beginning());
    kept.append(&rest());
    desk
}

#[test]
fn a_moment_is_printed_where_there_is_no_terminal() {
    let desk = desk();
    let at = |moment| {
        desk.shipsec(&["replay", "nightly", "--at", moment])
            .ends(0)
            .out
    };
    insta::assert_snapshot!("replay_moment", at("4"));
    // The same moment by its time, and by the time since the start.
    for moment in [
        "2026-01-01T09:01:01.9Z",
        "2026-01-01T10:01:01+01:00",
        "1m1s",
        "+61.5s",
    ] {
        assert_eq!(at(moment), at("4"), "{moment}");
    }
    insta::assert_snapshot!("replay_end", desk.shipsec(&["replay", "last"]).ends(0).out);
    assert_eq!(at("1h"), at("8"));
    insta::assert_snapshot!("replay_nothing", at("2025-12-31T23:59:59Z"));
}

#[test]
fn a_moment_is_json_for_programs() {
    let desk = desk();
    let at = |moment: &str| {
        let said = desk.shipsec(&["replay", "last", "--format", "json", "--at", moment]);
        said.ends(0).json()
    };
    let state = at("5");
    assert_eq!(state["sequence"], 5);
    assert_eq!(state["status"], "RUNNING");
    assert_eq!(
        state["progress"],
        json!({"completedActions": 1, "totalActions": 2})
    );
    assert_eq!(state["nodes"][0]["state"], "COMPLETED");
    assert_eq!(state["nodes"][1]["state"], "PENDING");
    let end = at("8");
    let status = desk.shipsec(&["status", "last"]).ends(0).json();
    for (name, value) in status.as_object().unwrap() {
        assert_eq!(&end[name], value, "{name}");
    }
}

#[test]
fn each_moment_of_a_run_is_the_fold_of_its_log() {
    let desk = Desk::new();
    let nodes = [
        (
            "emit",
            "dev.emit",
            json!({"logs": 2, "progress": 2, "artifactBytes": 10}),
        ),
        ("fork", "dev.branch", json!({"port": "left"})),
        (
            "fail",
            "dev.fail",
            json!({"kind": "NotFoundError", "message": "no", "times": 0}),
        ),
    ];
    desk.graph("graph.json", &behind_start(&nodes));
    // The live state, after each event as it came.
    let said = desk
        .shipsec(&["run", "graph.json", "--output", "jsonl"])
        .ends(1);
    let events: Vec<Event> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut live = RunView::new(events[0].run_id.clone());
    for event in &events {
        live.apply(event);
        let at = event.sequence.to_string();
        let shown = desk
            .shipsec(&["replay", "last", "--at", &at, "--format", "json"])
            .ends(0);
        assert_eq!(
            shown.out.trim_end(),
            serde_json::to_string_pretty(&live).unwrap(),
            "{at}"
        );
    }
    assert!(live.status.is_final());
}

#[test]
fn what_cannot_be_shown_is_said() {
    let desk = desk();
    for (arguments, said) in [
        (["last", "--at", "9"], "ends with event 8"),
        (["last", "--at", "soon"], "expected a sequence number"),
        (
            ["last", "--speed", "0"],
            "expected a number from 0.01 to 10000",
        ),
        (["last", "--max-gap", "-1"], ""),
        (["weekly", "--at", "1"], "no run \"weekly\""),
    ] {
        let mut all = vec!["replay"];
        all.extend(arguments);
        let failed = desk.shipsec(&all).ends(2);
        assert!(failed.err.contains(said), "{failed:?}");
        assert_eq!(failed.out, "");
    }
}

#[test]
fn keys_move_along_the_log() {
    let desk = desk();
    let mut terminal = Terminal::run(&desk, 24, 100, &["replay", "last", "--at", "1"]);
    terminal.wait_for("event 1/8  +<1 ms  run: run RUNNING");
    terminal.wait_for("‖ paused  1x");
    terminal.wait_for("q quit");
    for (keys, shown) in [
        (RIGHT, "event 2/8  +500 ms  scan: started dev.sleep"),
        (RIGHT, "event 3/8  +1.0 s  scan: line 3"),
        (RIGHT, "scan    running"),
        (LEFT, "event 3/8"),
        (END, "event 8/8"),
        (END, "Recon  FAILED  2/2"),
        (HOME, "event 1/8"),
        (DOWN, "node scan"),
        ("n", "event 2/8"),
        ("n", "event 5/8"),
        ("n", "event 5/8"),
        (DOWN, "node report"),
        ("n", "event 6/8"),
        ("n", "event 7/8"),
        ("p", "event 6/8"),
        (UP, "node scan"),
        ("p", "event 5/8"),
        ("p", "event 2/8"),
        ("+", "2x"),
        ("-", "1x"),
        ("g", "gaps ≤ 1.0 s"),
        // From here it is two seconds of the log to the end, at ten thousand times the speed.
        (&"+".repeat(14), "10000x"),
        (" ", "event 8/8"),
        (" ", "event 8/8"),
    ] {
        terminal.press(keys);
        terminal.wait_for(shown);
    }
    terminal.press("q");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(
        !screen.contains("event"),
        "nothing is left of it:\n{screen}"
    );
}

#[test]
fn it_plays_by_itself_and_pauses_at_the_end() {
    let desk = desk();
    let arguments = ["replay", "last", "--speed", "2", "--max-gap", "0.05"];
    let mut terminal = Terminal::run(&desk, 24, 80, &arguments);
    terminal.wait_for("event 8/8");
    terminal.wait_for("‖ paused");
    // Pictures come fast, so that the first ones are looked for in what was written.
    let all = String::from_utf8_lossy(&terminal.all).into_owned();
    let begun = all.find("event 1/8").unwrap();
    let playing = all.find("▶ playing").unwrap();
    assert!(begun < playing && playing < all.find("event 8/8").unwrap());
    assert!(all.contains("  2x") && all.contains("  gaps ≤ 50 ms"));
    terminal.press("\u{1b}");
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn the_terminal_is_given_back_whatever_ends_it() {
    let desk = desk();
    let mut terminal = Terminal::run(&desk, 24, 80, &["replay", "last", "--at", "3"]);
    terminal.wait_for("q quit");
    terminal.press_ctrl_c();
    assert_eq!(terminal.end().0, 130);
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut terminal = Terminal::run(&desk, 24, 80, &["replay", "last", "--at", "3"]);
        terminal.wait_for("q quit");
        let id = terminal.child.process_id().unwrap();
        kill(Pid::from_raw(i32::try_from(id).unwrap()), signal).unwrap();
        assert_eq!(terminal.end().0, 130, "{signal}");
    }
}

#[test]
fn no_screen_is_too_small() {
    let desk = desk();
    for (rows, cols) in [(24, 80), (8, 40), (4, 20), (2, 10), (1, 8)] {
        let mut terminal = Terminal::run(&desk, rows, cols, &["replay", "last", "--at", "7"]);
        terminal.wait_for("‖ paused");
        terminal.press(LEFT);
        // Another picture comes, and pushes nothing up.
        let bytes = terminal.bytes.recv_timeout(HANGS).unwrap();
        terminal.take(&bytes);
        terminal.wait_for("‖ paused");
        terminal.press("q");
        let (code, screen) = terminal.end();
        assert_eq!((code, screen.trim()), (0, ""), "{rows}x{cols}");
    }
}

#[test]
fn a_run_that_goes_on_is_looked_back_in_and_followed() {
    let desk = Desk::new();
    let kept = Kept::new(&desk);
    kept.append(&beginning());
    let mut terminal = Terminal::run(&desk, 24, 80, &["replay", "last", "--at", "2"]);
    terminal.wait_for("event 2/4");
    kept.append(&rest());
    terminal.wait_for("event 2/8");
    terminal.press(END);
    terminal.wait_for("Recon  FAILED  2/2");
    terminal.wait_for("event 8/8");
    terminal.press("q");
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn without_colours_it_is_drawn_all_the_same() {
    let desk = desk();
    let mut terminal = Terminal::plain(&desk, 24, 80, &["replay", "last", "--at", "5"]);
    terminal.wait_for("event 5/8");
    terminal.press(LEFT);
    terminal.wait_for("event 4/8");
    terminal.press("q");
    let colours = String::from_utf8_lossy(&terminal.all).contains("\u{1b}[1m");
    assert!(!colours);
    assert_eq!(terminal.end().0, 0);
}
