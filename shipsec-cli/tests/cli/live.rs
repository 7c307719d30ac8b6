//! The live view on a terminal, and being interrupted.

use std::{io::Read as _, process::Stdio};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use crate::{
    support::{Desk, behind_start, connect},
    terminal::{HANGS, Terminal},
};

fn sleeper(ms: u64) -> (&'static str, &'static str, serde_json::Value) {
    ("nap", "dev.sleep", json!({ "ms": ms }))
}

#[test]
fn a_live_view_gives_its_place_to_the_summary() {
    let desk = Desk::new();
    let emit = ("emit", "dev.emit", json!({"logs": 3, "progress": 89}));
    desk.graph("graph.json", &behind_start(&[emit, sleeper(300)]));
    let mut terminal = Terminal::run(&desk, 24, 80, &["run", "graph.json"]);
    terminal.wait_for("nap    running");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("COMPLETED after"), "{screen}");
    assert_eq!(
        screen.matches("✓ nap").count(),
        1,
        "what moved is gone:\n{screen}"
    );
}

#[test]
fn a_live_view_says_how_to_answer_until_somebody_has() {
    let desk = Desk::new();
    let ask = ("ask", "core.approval", json!({"title": "Go on?"}));
    desk.graph("graph.json", &behind_start(&[ask]));
    let mut terminal = Terminal::run(&desk, 24, 120, &["run", "graph.json"]);
    terminal.wait_for("answer with: shipsec answer ");
    let shown = terminal.screen.screen().contents();
    assert_eq!(shown.matches("answer with").count(), 1, "{shown}");
    desk.shipsec(&["answer", "last", "--approve"]).ends(0);
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("answer with"), "{screen}");
}

#[test]
fn a_long_error_is_told_once_in_the_end() {
    let desk = Desk::new();
    let message = format!(
        "the server said {}",
        "no and again no ".repeat(12).trim_end()
    );
    let params = json!({"kind": "NotFoundError", "message": message, "times": 0});
    desk.graph("graph.json", &behind_start(&[("ask", "dev.fail", params)]));
    let terminal = Terminal::run(&desk, 24, 300, &["run", "graph.json"]);
    let (code, screen) = terminal.end();
    assert_eq!(code, 1, "{screen}");
    assert_eq!(screen.matches(&message).count(), 1, "{screen}");
}

#[test]
fn without_colours_it_moves_all_the_same() {
    let desk = Desk::new();
    desk.graph("graph.json", &behind_start(&[sleeper(600_000)]));
    let mut terminal = Terminal::plain(&desk, 24, 80, &["run", "graph.json"]);
    terminal.wait_for("nap    running");
    for _ in 0..5 {
        let bytes = terminal.bytes.recv_timeout(HANGS).unwrap();
        terminal.take(&bytes);
    }
    let shown = terminal.screen.screen().contents();
    assert_eq!(shown.matches("nap    running").count(), 1, "{shown}");
    let colours = String::from_utf8_lossy(&terminal.all).contains("\u{1b}[1m");
    assert!(!colours);
    terminal.press_ctrl_c();
    assert_eq!(terminal.end().0, 130);
}

#[test]
fn it_is_never_taller_than_the_screen_nor_wider() {
    let desk = Desk::new();
    let ids: Vec<String> = (0..60)
        .map(|n| format!("node-with-a-rather-long-name-{n}"))
        .collect();
    let nodes: Vec<_> = ids
        .iter()
        .map(|id| (id.as_str(), "dev.sleep", json!({"ms": 600_000})))
        .collect();
    let mut graph = behind_start(&nodes);
    graph["name"] = "A title that is much longer than the terminal is wide".into();
    desk.graph("graph.json", &graph);
    for (rows, cols) in [(24, 80), (10, 40), (4, 20), (2, 10)] {
        let mut terminal = Terminal::run(&desk, rows, cols, &["run", "graph.json"]);
        terminal.wait_for("A title");
        // Several pictures later nothing has scrolled away.
        for _ in 0..20 {
            let bytes = terminal.bytes.recv_timeout(HANGS).unwrap();
            terminal.take(&bytes);
        }
        terminal.screen.screen_mut().set_scrollback(usize::MAX);
        assert_eq!(terminal.screen.screen().scrollback(), 0, "{rows}x{cols}");
        if rows == 24 {
            let shown = terminal.screen.screen().contents();
            assert!(
                shown.contains("… and ") && shown.contains(" more: "),
                "{shown}"
            );
        }
        terminal.press_ctrl_c();
        let (code, screen) = terminal.end();
        assert_eq!(code, 130, "{screen}");
    }
}

/// A node that would sleep for long, interrupted; behind it a clean-up that takes so many
/// milliseconds.
fn interrupted(desk: &Desk, clean_up: u64) -> Terminal {
    let mut graph = behind_start(&[sleeper(600_000)]);
    let params = json!({ "ms": clean_up });
    let tidy = json!({"id": "tidy", "type": "dev.sleep", "data": {"config": {"params": params}}});
    graph["nodes"].as_array_mut().unwrap().push(tidy);
    connect(&mut graph, "nap", "tidy", "finally");
    desk.graph("graph.json", &graph);
    let mut terminal = Terminal::run(desk, 24, 80, &["run", "graph.json"]);
    terminal.wait_for("nap    running");
    terminal.press_ctrl_c();
    terminal
}

#[test]
fn an_interrupt_cancels_with_clean_up() {
    let desk = Desk::new();
    let terminal = interrupted(&desk, 0);
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    assert!(screen.contains("CANCELLED after"), "{screen}");
    let status = desk.shipsec(&["status", "last"]).ends(0).json();
    assert_eq!(status["status"], "CANCELLED");
    let events = desk.shipsec(&["events", "last"]).ends(0).lines();
    let cleaned =
        |event: &&serde_json::Value| event["type"] == "NODE_COMPLETED" && event["nodeId"] == "tidy";
    assert_eq!(events.iter().filter(cleaned).count(), 1);
}

#[test]
fn a_second_interrupt_kills() {
    let desk = Desk::new();
    let mut terminal = interrupted(&desk, 600_000);
    terminal.wait_for("tidy   running");
    terminal.press_ctrl_c();
    let (code, screen) = terminal.end();
    assert_eq!(code, 130, "{screen}");
    let status = desk.shipsec(&["status", "last"]).ends(0).json();
    assert_eq!(status["status"], "TERMINATED");
}

#[test]
fn being_asked_to_end_is_an_interrupt_too() {
    let desk = Desk::new();
    desk.graph("graph.json", &behind_start(&[sleeper(600_000)]));
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut command = desk.command(&["run", "graph.json"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("started dev.sleep") {
            line.clear();
            assert_ne!(std::io::BufRead::read_line(&mut out, &mut line).unwrap(), 0);
        }
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
        assert!(rest.contains("CANCELLED"), "{rest}");
    }
}

#[test]
fn nothing_that_a_component_says_moves_the_cursor() {
    let desk = Desk::new();
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}2Jred\u{202e}";
    let failing = (
        "bad\u{202e}name",
        "dev.fail",
        json!({"kind": "NotFoundError", "message": hostile, "times": 0}),
    );
    desk.graph("graph.json", &behind_start(&[failing, sleeper(200)]));
    let mut terminal = Terminal::run(&desk, 24, 80, &["run", "graph.json"]);
    terminal.wait_for("failed");
    while let Ok(bytes) = terminal.bytes.recv_timeout(HANGS) {
        terminal.take(&bytes);
    }
    let all = String::from_utf8_lossy(&terminal.all);
    for escape in ["\u{1b}[2J", "\u{1b}]0", "\u{9b}", "\u{202e}"] {
        assert!(!all.contains(escape), "{escape:?} came through");
    }
    let (code, screen) = terminal.end();
    assert_eq!(code, 1);
    assert!(screen.contains("\\u{202e}"), "{screen}");
    for format in ["plain", "jsonl"] {
        let said = desk
            .shipsec(&["run", "graph.json", "--output", format])
            .ends(1);
        assert!(
            !said.out.contains(['\u{1b}', '\u{9b}', '\u{202e}']),
            "{}",
            said.out
        );
    }
}
