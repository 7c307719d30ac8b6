//! `shipsec serve`.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, ChildStdout, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value as Json, json};

use crate::support::{Desk, behind_start};

const TOKEN: &str = "made-up-token-of-a-test";

/// A server that is killed with the test.
struct Server {
    child: Child,
    _out: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    fn start(desk: &Desk, arguments: &[&str], token: Option<&str>) -> Self {
        let mut command = desk.command(&["serve", "--bind", "127.0.0.1:0"]);
        command.args(arguments);
        Self::of(command, token)
    }

    fn of(mut command: Command, token: Option<&str>) -> Self {
        command.stdout(Stdio::piped());
        match token {
            Some(token) => command.env("SHIPSEC_TOKEN", token),
            None => command.env_remove("SHIPSEC_TOKEN"),
        };
        let mut child = command.spawn().expect("the command can be run");
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("it says where");
        let address = line.strip_prefix("ShipSec Studio: http://");
        let address = address.and_then(|rest| rest.split('/').next());
        let address = address.unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self {
            child,
            _out: out,
            address,
        }
    }

    /// The status, and the body.
    fn ask(&self, method: &str, path: &str, body: &str, more: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n{more}\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("it answers");
        let (head, body) = reply.split_once("\r\n\r\n").expect("there is a head");
        let status = head.split(' ').nth(1).expect("there is a status");
        (status.parse().expect("it is a number"), body.to_owned())
    }

    fn json(&self, path: &str) -> Json {
        let (status, body) = self.ask("GET", path, "", "");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    /// Its exit code, once it was asked to end.
    fn interrupt(mut self) -> Option<i32> {
        let pid = Pid::from_raw(self.child.id().try_into().expect("it is small"));
        kill(pid, Signal::SIGINT).expect("it runs");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_serves_the_runs_of_every_process() {
    let desk = Desk::new();
    let graph = behind_start(&[("say", "dev.emit", json!({ "logs": 2 }))]);
    desk.graph("graph.json", &graph);
    desk.shipsec(&["run", "graph.json"]).ends(0);
    let server = Server::start(&desk, &[], None);
    let runs = server.json("/workflows/runs");
    assert_eq!(runs["runs"][0]["status"], "COMPLETED");
    desk.shipsec(&["run", "graph.json"]).ends(0);
    let runs = server.json("/workflows/runs");
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(2));

    let (status, kept) = server.ask("POST", "/workflows?id=flow", &graph.to_string(), "");
    assert_eq!(status, 201, "{kept}");
    let file = desk.path().join(".shipsec/workflows/flow/1.json");
    assert!(file.exists(), "{}", file.display());
    let (status, page) = server.ask("GET", "/", "", "");
    assert_eq!(status, 200);
    assert!(page.contains("<!doctype html>"), "{page}");
    assert_eq!(server.interrupt(), Some(0));
}

#[test]
fn a_killed_server_goes_on_with_its_runs() {
    let desk = Desk::new();
    let graph = behind_start(&[("ask", "core.approval", json!({ "title": "Go on?" }))]);
    let mut server = Server::start(&desk, &[], None);
    server.ask("POST", "/workflows?id=flow", &graph.to_string(), "");
    let (status, started) = server.ask("POST", "/workflows/flow/run", "{}", "");
    assert_eq!(status, 202, "{started}");
    let started: Json = serde_json::from_str(&started).unwrap();
    let run = started["runId"].as_str().unwrap();
    let status_of = |server: &Server| server.json(&format!("/workflows/runs/{run}/status"));
    while status_of(&server)["status"] != "AWAITING_INPUT" {}
    server.child.kill().unwrap();
    server.child.wait().unwrap();

    let server = Server::start(&desk, &["--resume"], None);
    assert_eq!(status_of(&server)["interrupted"], false);
    let answer = json!({ "node": "ask", "answer": { "approved": true } });
    let path = format!("/workflows/runs/{run}/answer");
    let (status, body) = server.ask("POST", &path, &answer.to_string(), "");
    assert_eq!(status, 204, "{body}");
    // The stream ends with the run.
    let (_, events) = server.ask("GET", &format!("/workflows/runs/{run}/events"), "", "");
    assert!(events.contains("event: end"), "{events}");
    assert_eq!(status_of(&server)["status"], "COMPLETED");
}

#[test]
fn it_asks_for_the_token() {
    let desk = Desk::new();
    let file = desk.write("token", format!("{TOKEN}\n"));
    let file = file.to_str().unwrap();
    for server in [
        Server::start(&desk, &[], Some(TOKEN)),
        Server::start(&desk, &["--token-file", file], None),
    ] {
        assert_eq!(server.ask("GET", "/workflows", "", "").0, 401);
        let token = format!("authorization: Bearer {TOKEN}\r\n");
        assert_eq!(server.ask("GET", "/workflows", "", &token).0, 200);
    }
}

/// What the process has in its environment is no secret to a workflow that reads files; its log has it
/// masked all the same.
#[cfg(target_os = "linux")]
#[test]
fn what_the_server_keeps_to_itself_is_in_no_log() {
    let desk = Desk::new();
    let mut server = desk.command(&[
        "serve",
        "--bind",
        "127.0.0.1:0",
        "--secret",
        "KEY=MADE_UP_KEY",
    ]);
    server.env("MADE_UP_KEY", "made-up-key-of-a-test");
    let server = Server::of(server, Some(TOKEN));
    let token = format!("authorization: Bearer {TOKEN}\r\n");
    let graph = json!({
        "id": "snoop", "name": "Snoop",
        "nodes": [
            {"id": "start", "type": "core.workflow.entrypoint", "data": {"config": {"params": {"runtimeInputs": []}}}},
            {"id": "read", "type": "core.file.read", "data": {"config": {
                "params": {"root": "/proc/self"}, "inputOverrides": {"path": "environ"}}}},
        ],
        "edges": [{"id": "e", "source": "start", "target": "read"}],
    });
    let (status, said) = server.ask("POST", "/workflows", &graph.to_string(), &token);
    assert_eq!(status, 201, "{said}");
    let (_, started) = server.ask("POST", "/workflows/snoop/run", "{}", &token);
    let started: Json = serde_json::from_str(&started).unwrap();
    let run = started["runId"].as_str().unwrap();
    let (_, log) = server.ask("GET", &format!("/workflows/runs/{run}/events"), "", &token);
    assert!(log.contains("MADE_UP_KEY="), "it was read: {log}");
    for hidden in [TOKEN, "made-up-key-of-a-test"] {
        assert!(!log.contains(hidden), "{log}");
    }
}

#[test]
fn what_would_be_open_to_everybody_is_refused() {
    let desk = Desk::new();
    let serve = |arguments: &[&str], token: &str| {
        let mut command = desk.command(&["serve"]);
        command.args(arguments).env("SHIPSEC_TOKEN", token);
        if token.is_empty() {
            command.env_remove("SHIPSEC_TOKEN");
        }
        let output = command.output().expect("the command can be run");
        let said = String::from_utf8(output.stderr).expect("it is UTF-8");
        assert_eq!(output.status.code(), Some(2), "{said}");
        said
    };
    let open = serve(&["--bind", "0.0.0.0:0"], "");
    assert!(open.contains("give a token with --token-file"), "{open}");
    let weak = serve(&[], "short");
    assert!(weak.contains("expected at least 16"), "{weak}");
    assert!(!weak.contains("short"), "{weak}");
    let missing = serve(&["--token-file", "nope"], "");
    assert!(missing.contains("--token-file nope: "), "{missing}");

    let server = Server::start(&desk, &[], None);
    let taken = serve(&["--bind", &server.address], "");
    assert!(taken.contains("give another address or port"), "{taken}");
}
