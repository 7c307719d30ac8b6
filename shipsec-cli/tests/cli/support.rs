//! Running the command in a folder of its own.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value as Json, json};

/// A folder with the command in it, removed in the end.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temp folder can be made");
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).expect("the folder can be written");
        path
    }

    pub(crate) fn graph(&self, name: &str, graph: &Json) {
        self.write(name, graph.to_string());
    }

    /// The command, with nothing of this process's environment that changes what it prints.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shipsec"));
        command.args(arguments).current_dir(self.path());
        for variable in [
            "SHIPSEC_STORE",
            "SHIPSEC_ARTIFACTS",
            "NO_COLOR",
            "CLICOLOR_FORCE",
        ] {
            command.env_remove(variable);
        }
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn shipsec(&self, arguments: &[&str]) -> Said {
        said(
            self.command(arguments)
                .output()
                .expect("the command can be run"),
        )
    }

    pub(crate) fn shipsec_reading(&self, arguments: &[&str], input: &[u8]) -> Said {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command can be run");
        child
            .stdin
            .take()
            .expect("it is piped")
            .write_all(input)
            .expect("it reads");
        said(child.wait_with_output().expect("it ends"))
    }
}

impl Said {
    /// The exit code is this one.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// One JSON value for each line of standard output.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Json> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        self.out.lines().map(parse).collect()
    }
}

fn said(output: Output) -> Said {
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        err: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// A graph of an entry point without inputs, `start`, and these nodes behind it.
pub(crate) fn behind_start(nodes: &[(&str, &str, Json)]) -> Json {
    let mut graph = json!({
        "name": "Tried out",
        "nodes": [{"id": "start", "type": "core.workflow.entrypoint"}],
        "edges": [],
    });
    for (id, component, params) in nodes {
        let node = json!({"id": id, "type": component, "data": {"config": {"params": params}}});
        graph["nodes"].as_array_mut().expect("it is one").push(node);
        connect(&mut graph, "start", id, "success");
    }
    graph
}

/// Adds an edge that orders.
pub(crate) fn connect(graph: &mut Json, source: &str, target: &str, kind: &str) {
    let edge = json!({
        "id": format!("{source}-{target}-{kind}"), "source": source, "target": target, "kind": kind,
    });
    graph["edges"].as_array_mut().expect("it is one").push(edge);
}

/// Text with what differs from run to run replaced.
pub(crate) fn steady(text: &str) -> String {
    let mut steady = String::new();
    for line in text.lines() {
        let line = replace_ids(line);
        steady.push_str(replace_times(&line).trim_end());
        steady.push('\n');
    }
    steady
}

fn replace_ids(line: &str) -> String {
    let is_id = |at: usize| {
        line.get(at..at + 36).is_some_and(|id| {
            id.bytes().enumerate().all(|(i, b)| match i {
                8 | 13 | 18 | 23 => b == b'-',
                _ => b.is_ascii_hexdigit(),
            })
        })
    };
    let mut out = String::new();
    let mut at = 0;
    while let Some(c) = line.get(at..).and_then(|rest| rest.chars().next()) {
        if is_id(at) {
            out.push_str("[run]");
            at += 36;
        } else {
            out.push(c);
            at += c.len_utf8();
        }
    }
    out
}

/// Lengths of time become `[time]`, with the spaces before them.
fn replace_times(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for at in 1..words.len() {
        let unit = words[at].trim_end_matches([',', ':']).to_owned();
        let number = words[at - 1].trim_start_matches('<');
        if matches!(unit.as_str(), "s" | "ms") && number.parse::<f64>().is_ok() {
            words[at - 1] = "[time]".to_owned();
            words[at] = words[at][unit.len()..].to_owned();
        }
    }
    let mut out = String::new();
    for (at, word) in words.iter().enumerate() {
        // How wide the column is depends on the time.
        if word == "[time]" {
            out.truncate(out.trim_end().len());
        }
        if at > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
    out.replace("[time] ,", "[time],")
        .replace("[time] :", "[time]:")
}
