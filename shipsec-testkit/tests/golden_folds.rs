//! Logs and what the reducer makes of them, for the viewer: its fold in TypeScript has to give the
//! same states. The files lie in `shipsec-studio/viewer/test/golden`; with `UPDATE_GOLDEN=1` in the
//! environment they are written anew, otherwise they must be what is made here.
//!
//! Long because each log is written out, and one list names them all.

use std::{collections::BTreeSet, fmt::Write, fs, path::PathBuf, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use shipsec_core::{
    ComponentError, Context, NoParams, Params, Ports, Registry, RunId, component,
    context::Progress,
    event::{Event, Timestamp},
    execute::{Executor, LocalExecutor, RunRequest},
    run::{Applied, RunView},
    trace::{MemoryStore, TraceStore},
    workflow::{EntryPoint, Graph, compile},
};
use shipsec_testkit::{Harness, assert_log_rules};

/// 2025-10-16T09:12:03Z.
const START: i64 = 1_760_605_923_000_000;

/// A log in the making: each event is 1.5 ms after the one before it.
#[derive(Default)]
struct Log(Vec<Event>);

impl Log {
    fn of(nodes: &Json, edges: &Json) -> Self {
        let mut log = Self::default();
        log.run(json!({
            "status": "RUNNING", "workflowId": "w", "definition": definition(nodes, edges),
            "definitionHash": "c0ffee", "inputs": {"path": ".", "text": "ünï \u{1f600}\n\u{1}"},
            "executor": "local", "trigger": {"type": "cli", "label": "somebody"},
        }));
        log
    }

    fn event(&mut self, more: Json) -> &mut Self {
        let sequence = self.0.len() as u64 + 1;
        let at = Timestamp::from_micros(START + (sequence as i64 - 1) * 1500);
        let mut event = json!({"runId": "r", "sequence": sequence, "timestamp": at, "counter": 1});
        for (key, value) in more.as_object().into_iter().flatten() {
            event[key] = value.clone();
        }
        self.0.push(serde_json::from_value(event).unwrap());
        self
    }

    fn add(&mut self, kind: &str, node: &str, attempt: u32, payload: Json) -> &mut Self {
        self.event(json!({"type": kind, "nodeId": node, "attempt": attempt, "payload": payload}))
    }

    fn run(&mut self, payload: Json) -> &mut Self {
        self.event(json!({"type": "WORKFLOW_STATUS", "payload": payload}))
    }

    fn status(&mut self, status: &str) -> &mut Self {
        self.run(json!({"status": status}))
    }

    fn start(&mut self, node: &str, attempt: u32) -> &mut Self {
        let payload =
            json!({"componentId": "dev.echo", "componentVersion": "2.0.0", "joinStrategy": "all"});
        self.add("NODE_STARTED", node, attempt, payload)
    }

    fn complete(&mut self, node: &str, attempt: u32) -> &mut Self {
        let payload = json!({"outputs": {"value": {"b": 1, "a": [2.5, null]}}, "durationMs": 1.5});
        self.add("NODE_COMPLETED", node, attempt, payload)
    }

    fn fail(&mut self, node: &str, attempt: u32, again: bool) -> &mut Self {
        self.add("NODE_FAILED", node, attempt, failed(again))
    }

    fn line(&mut self, node: &str, level: &str, stream: &str, text: &str) -> &mut Self {
        let mut event = json!({"type": "NODE_LOG", "level": level, "message": text, "payload": {"stream": stream}});
        if !node.is_empty() {
            event["nodeId"] = node.into();
            event["attempt"] = 1.into();
        }
        self.event(event)
    }

    fn artifact(&mut self, node: &str, attempt: u32, n: u32) -> &mut Self {
        let payload = json!({
            "artifactId": format!("{node}/{attempt}/{n}"), "name": "a.txt", "size": 7 * n,
            "mediaType": "text/plain", "sha256": "00ff", "location": format!("r/{n}"), "color": "red",
        });
        self.add("NODE_ARTIFACT", node, attempt, payload)
    }
}

fn failed(again: bool) -> Json {
    let mut payload = json!({
        "error": {"kind": "NetworkError", "message": "no route", "retryable": true,
                  "fieldErrors": {"host": ["unknown", "too long"]}, "details": {"code": 113}, "hint": "wait"},
        "willRetry": again, "durationMs": 0.1 + 0.2,
    });
    if again {
        payload["retryAt"] = "2025-10-16T11:12:04+02:00".into();
    }
    payload
}

/// Nodes are names, or actions as they are.
fn definition(nodes: &Json, edges: &Json) -> Json {
    let action = |node: &Json| {
        let mut action = json!({"ref": node, "componentId": "dev.echo", "componentVersion": "1.0.0",
                                "params": {}, "dependsOn": []});
        if let Some(own) = node.as_object() {
            own.iter()
                .for_each(|(key, value)| action[key] = value.clone());
        }
        action
    };
    let actions: Vec<_> = nodes.as_array().unwrap().iter().map(action).collect();
    let edge = |edge: &Json| {
        let mut named =
            json!({"id": edge[0], "sourceRef": edge[1], "targetRef": edge[2], "kind": edge[3]});
        if let Some(port) = edge.get(4) {
            named["sourceHandle"] = port.clone();
        }
        named
    };
    let edges: Vec<_> = edges.as_array().unwrap().iter().map(edge).collect();
    json!({
        "version": 1, "workflowId": "w", "title": "W", "entrypoint": {"ref": actions[0]["ref"]},
        "nodes": {}, "edges": edges, "dependencyCounts": {}, "actions": actions, "config": {},
    })
}

fn retries() -> Log {
    let mut log = Log::of(&json!(["a", "b"]), &json!([["e", "a", "b", "success"]]));
    log.start("a", 1)
        .line("a", "info", "log", "one")
        .fail("a", 1, true);
    // What has ended says nothing more, and an older attempt has no say.
    log.complete("a", 1)
        .line("a", "warn", "stderr", "late, but counted");
    log.start("a", 2)
        .fail("a", 1, false)
        .add("NODE_PROGRESS", "a", 1, json!({"done": 1}));
    log.event(
        json!({"type": "NODE_PROGRESS", "nodeId": "a", "attempt": 2, "message": "half",
                     "payload": {"done": 2, "total": 4, "unit": "files", "source": "tool"}}),
    );
    log.event(
        json!({"type": "NODE_PROGRESS", "nodeId": "a", "attempt": 2, "level": "warn",
                     "message": "an input is missing", "payload": {}}),
    );
    log.fail("a", 2, true).start("a", 3).complete("a", 3);
    log.start("b", 1)
        .fail("b", 1, true)
        .add("NODE_CANCELLED", "b", 0, json!({"reason": "asked"}));
    log.run(json!({"status": "CANCELLED"}));
    log
}

fn edges() -> Log {
    let edges = json!([
        ["plain", "s", "t", "success"],
        ["left", "s", "t", "success", "left"],
        ["right", "s", "u", "success", "right"],
        ["error", "u", "v", "error"],
        ["handled", "t", "v", "error"],
        ["finally", "t", "w", "finally"],
        ["nowhere", "x", "w", "success"]
    ]);
    let mut log = Log::of(&json!(["s", "t", "u", "v", "w"]), &edges);
    log.start("s", 1).add(
        "NODE_COMPLETED",
        "s",
        1,
        json!({"outputs": {}, "activePorts": ["left"], "durationMs": 2.25}),
    );
    log.add(
        "NODE_SKIPPED",
        "u",
        0,
        json!({"reason": "branch-not-taken", "cause": "s", "note": "n"}),
    );
    log.add(
        "NODE_STARTED",
        "t",
        1,
        json!({"componentId": "dev.echo", "componentVersion": "2.0.0",
                              "joinStrategy": "quorum:2", "triggeredBy": "s"}),
    );
    let mut payload = failed(false);
    payload["handledBy"] = "v".into();
    log.add("NODE_FAILED", "t", 1, payload)
        .start("v", 1)
        .start("w", 1);
    log.add(
        "NODE_SKIPPED",
        "v",
        0,
        json!({"reason": "lost-race", "cause": "w"}),
    );
    log.complete("v", 1).complete("w", 1).status("COMPLETED");
    log
}

fn failing() -> Log {
    let mut log = Log::of(
        &json!(["a", "b", "c", "d"]),
        &json!([["1", "b", "c", "success"], ["2", "b", "d", "finally"]]),
    );
    log.status("QUEUED")
        .start("a", 1)
        .fail("a", 1, false)
        .start("b", 1);
    log.run(
        json!({"status": "FAILED", "failure": {"reason": "node a failed", "nodeId": "a",
                   "error": failed(false)["error"]}, "outputs": {}}),
    );
    // The end is the end, also for nodes that nobody has heard of.
    log.status("RUNNING")
        .status("STALE")
        .start("b", 2)
        .complete("b", 2)
        .start("new", 1);
    log.line("new", "error", "log", "too late")
        .line("", "debug", "log", "the run's own line");
    log.artifact("c", 1, 1)
        .add("NODE_PROGRESS", "", 0, json!({}));
    log
}

fn stopping() -> Log {
    let mut log = Log::of(&json!(["a", "b"]), &json!([["e", "a", "b", "finally"]]));
    log.start("a", 1)
        .run(json!({"status": "RUNNING", "stopping": "timed-out"}))
        .add("NODE_CANCELLED", "a", 1, json!({"reason": "timeout"}));
    log.start("b", 1)
        .run(json!({"status": "RUNNING", "stopping": "clean-up-too-long",
                   "executor": "other", "taskQueue": "q", "trigger": {"type": "api"}}));
    log.status("TIMED_OUT");
    log
}

fn questions() -> Log {
    let asked = |id: &str| {
        json!({"requestId": id, "kind": "approval", "title": "Go?",
                                   "schema": {"type": "boolean"}, "timeoutAt": "2025-10-16T10:12:03Z", "new": 1})
    };
    let answered = |id: &str| json!({"requestId": id, "answer": null, "by": "Ada"});
    let mut log = Log::of(&json!(["n"]), &json!([]));
    log.add("NODE_AWAITING_INPUT", "n", 1, asked("early"))
        .start("n", 1)
        .add("NODE_AWAITING_INPUT", "n", 1, asked("n/1"));
    log.status("AWAITING_INPUT")
        .add("NODE_INPUT_RECEIVED", "n", 0, answered("other"));
    log.add("NODE_INPUT_RECEIVED", "n", 0, answered("n/1"))
        .status("RUNNING");
    log.add("NODE_AWAITING_INPUT", "n", 1, asked("n/2")).add(
        "NODE_PROGRESS",
        "n",
        1,
        json!({"source": "derived"}),
    );
    log.add("NODE_INPUT_RECEIVED", "n", 0, answered("n/2")).add(
        "NODE_AWAITING_INPUT",
        "n",
        1,
        asked("n/3"),
    );
    log.fail("n", 1, true)
        .start("n", 2)
        .complete("n", 2)
        .status("COMPLETED");
    log
}

fn items() -> Log {
    let nodes = json!(["a", {"ref": "each", "forEach": {"input": "host"}}, "each[1]"]);
    let mut log = Log::of(&nodes, &json!([["e", "each", "a", "success"]]));
    log.start("each", 1).start("each[2]", 1).start("each[0]", 1);
    log.complete("each[2]", 1)
        .fail("each[0]", 1, true)
        .start("each[0]", 2)
        .artifact("each[0]", 2, 1);
    // A node of its own, an item of a node that has none, and names that are no items.
    log.start("each[1]", 1).start("a[0]", 1);
    for name in [
        "each[03]",
        "each[+3]",
        "each[]",
        "each[70000]",
        "each[4294967296]",
    ] {
        log.start(name, 1);
    }
    log.start("each[4]", 1)
        .complete("each", 1)
        .complete("each[4]", 1)
        .start("each[9]", 1)
        .start("each[3]", 1);
    log.status("TERMINATED").complete("each[0]", 2);
    log
}

fn strangers() -> Log {
    let mut log = Log::default();
    log.start("ghost", 1).start("b", 1).complete("b", 1);
    log.run(json!({"status": "PAUSED", "definition": definition(&json!(["z"]), &json!([]))}));
    let mut plan = definition(&json!(["a", "b"]), &json!([["e", "b", "a", "success"]]));
    plan["nodes"] = json!({"zz": {"ref": "zz"}, "z-": {"ref": "z-", "joinStrategy": "any"},
                           "10": {"ref": "10"}, "9": {"ref": "9"}});
    plan["new"] = json!({"x": 1});
    log.run(json!({"status": "RUNNING", "definition": plan, "by": "somebody"}));
    log.event(json!({"type": "NODE_DANCED", "nodeId": "elsewhere", "attempt": 1, "mood": "good"}));
    log.add(
        "NODE_SKIPPED",
        "a",
        0,
        json!({"reason": "out-of-budget", "cause": "b"}),
    );
    log.add("NODE_COMPLETED", "a", 1, json!({"outputs": {}}));
    log.event(json!({"type": "NODE_LOG", "nodeId": "a", "level": "notice", "payload": {}}));
    log.event(json!({"type": "NODE_LOG", "nodeId": "a", "payload": {"stream": "journal"}}))
        .event(json!({"type": "NODE_LOG"}));
    log.complete("ghost", 1)
        .start("later", 1)
        .event(json!({"type": "NODE_STARTED", "payload": {}}));
    log
}

fn values() -> Log {
    let mut log = Log::of(
        &json!(["a", "b", "c"]),
        &json!([["e", "a", "b", "success"]]),
    );
    log.run(
        json!({"status": "RUNNING", "parent": {"runId": "p", "relation": "rerun", "nodeId": "b",
                   "cached": true, "callers": [{"workflowId": "w", "definitionHash": "beef", "x": 1}]}}),
    );
    log.add("NODE_COMPLETED", "a", 0, json!({
        "outputs": {"n": -0.5, "text": "[secret]", "ä\"": "\u{2028}/", "hidden": 1, "far": null},
        "outputRefs": {"far": {"location": "r/1", "size": 9, "sha256": "ab", "new": true}},
        "secretOutputs": {"hidden": "TOKEN", "nameless": null},
        "masked": [{"port": "text", "pointer": "", "offset": 0, "encoding": "plain", "secret": null},
                   {"port": "far", "pointer": "/a", "offset": 3, "encoding": "hex", "secret": "TOKEN"}],
        "reusedFrom": "p", "durationMs": -1.0005,
    }));
    log.start("b", 1).add(
        "NODE_CHILD_STARTED",
        "b",
        1,
        json!({"runId": "kid-1", "workflowId": "k"}),
    );
    log.add(
        "NODE_CHILD_STARTED",
        "b",
        1,
        json!({"runId": "kid-2", "workflowId": "k"}),
    );
    log.add(
        "NODE_CHILD_STARTED",
        "b",
        1,
        json!({"runId": "kid-1", "workflowId": "k"}),
    );
    log.artifact("b", 1, 1)
        .artifact("b", 1, 2)
        .complete("b", 1)
        .artifact("b", 1, 3);
    // A clock that runs backwards decides nothing.
    log.start("c", 1)
        .event(json!({"type": "NODE_CANCELLED", "nodeId": "c", "attempt": 1,
                                    "timestamp": "2025-10-16T09:12:03Z", "payload": {"reason": "x"}}));
    log.status("COMPLETED");
    log
}

/// Numbers that look like chance and are the same each time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn of<T: Clone>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())].clone()
    }

    /// Spoils one place of a payload.
    fn spoil(&mut self, json: &mut Json) {
        match json {
            Json::Object(fields) if !fields.is_empty() && self.below(5) > 0 => {
                let key = fields.keys().nth(self.below(fields.len())).unwrap().clone();
                match self.below(4) {
                    0 => drop(fields.remove(&key)),
                    _ => self.spoil(&mut fields[&key]),
                }
            }
            Json::Array(items) if !items.is_empty() && self.below(5) > 0 => {
                let at = self.below(items.len());
                self.spoil(&mut items[at]);
            }
            other => {
                *other = self.of(&[
                    json!(null),
                    json!(-1),
                    json!(7),
                    json!(1.5),
                    json!(4_294_967_296_u64),
                    json!(""),
                    json!("x y"),
                    json!(true),
                    json!([]),
                    json!({}),
                    json!([1]),
                    json!({"": 1}),
                ]);
            }
        }
    }
}

/// Anything in any order, and now and then not even well formed.
fn chaos(seed: u64, length: usize) -> Log {
    let mut dice = Dice(seed);
    let nodes = json!(["a", "b", {"ref": "each", "forEach": {"input": "x", "concurrency": 2, "onFailure": "collect"},
        "retry": {"maxAttempts": 3, "initialIntervalSeconds": 0.5, "nonRetryableErrorTypes": ["NetworkError"],
                  "perKind": {"ServiceError": {"maxAttempts": 2}}},
        "inputOverrides": {"y": 1}, "inputMappings": {"x": {"sourceRef": "a", "sourceHandle": "left"}},
        "timeoutSeconds": 5}, "c"]);
    let edges = json!([
        ["1", "a", "b", "success", "left"],
        ["2", "a", "c", "success"],
        ["3", "b", "c", "error"],
        ["4", "each", "c", "finally"],
        ["5", "b", "each", "success"]
    ]);
    let mut plan = definition(&nodes, &edges);
    plan["nodes"] = json!({"a": {"ref": "a", "label": "A", "joinStrategy": "quorum:2", "maxConcurrency": 1,
        "groupId": "g", "streamId": "s", "position": {"x": 1, "y": -2.5}}, "extra": {"ref": "extra"}});
    plan["config"] =
        json!({"timeoutSeconds": 60, "maxConcurrency": 4, "failurePolicy": "failFast"});
    plan["dependencyCounts"] = json!({"c": 3});
    let names = ["a", "b", "c", "each", "each[0]", "each[2]", "each[5]", "?"];
    let mut log = Log::default();
    let planned = dice.below(4);
    while log.0.len() < length {
        let n = log.0.len();
        let mut event = json!({"type": "WORKFLOW_STATUS"});
        let kind = if n == planned { 0 } else { 1 + dice.below(40) };
        let mut payload = match kind {
            0 => {
                json!({"status": "RUNNING", "workflowId": "w", "definition": plan, "definitionHash": "h",
                        "inputs": {"a": [1]}, "trigger": {"type": "schedule"}})
            }
            1 => {
                let last = ["COMPLETED", "FAILED", "CANCELLED"];
                let statuses = ["QUEUED", "RUNNING", "AWAITING_INPUT", "STALE"];
                let status = match n > length * 3 / 4 {
                    true => dice.of(&last),
                    false => dice.of(&statuses),
                };
                json!({"status": status, "executor": "e", "stopping": dice.of(&[json!(null), json!("defect")]),
                       "failure": {"reason": "r", "nodeId": "a", "error": failed(true)["error"]},
                       "parent": {"runId": "p", "relation": "call"},
                       "outputs": {"c": {"outputs": {"x": 1}}}})
            }
            2 => json!({"x": 1}),
            _ => {
                let (kind, payload) = dice.of(&payloads());
                event["type"] = kind.into();
                event["nodeId"] = dice.of(&names).into();
                payload
            }
        };
        if kind == 2 {
            event["type"] = "RUN_SANG".into();
        }
        if kind > 2 {
            event["attempt"] = dice.of(&[0, 1, 1, 1, 1, 2, 2, 3]).into();
        }
        if (kind != 0 && dice.below(4) == 0) || (kind == 0 && planned == 3 && dice.below(2) == 0) {
            dice.spoil(&mut payload);
        }
        event["level"] = dice
            .of(&["debug", "info", "info", "warn", "error", "notice"])
            .into();
        event["payload"] = payload;
        if dice.below(3) == 0 {
            event["message"] = "…".into();
        }
        if dice.below(9) == 0 {
            let at = START + dice.below(1 << 40) as i64;
            event["timestamp"] = Timestamp::from_micros(at).to_string().into();
        }
        log.event(event);
    }
    log
}

fn payloads() -> Vec<(&'static str, Json)> {
    let started = json!({"componentId": "c", "componentVersion": "3", "joinStrategy": "any", "triggeredBy": "a"});
    let asked = json!({"requestId": "q", "kind": "form", "title": "?", "schema": {"a": null},
                       "timeoutAt": "2025-10-16T09:12:03.000001Z"});
    vec![
        ("NODE_STARTED", started.clone()),
        ("NODE_STARTED", started),
        (
            "NODE_LOG",
            json!({"stream": "stdout", "fields": {"k": [1]}}),
        ),
        (
            "NODE_PROGRESS",
            json!({"done": 1, "total": 3, "unit": "u", "source": "tool"}),
        ),
        ("NODE_PROGRESS", json!({})),
        (
            "NODE_ARTIFACT",
            json!({"artifactId": "n/1/1", "name": "a", "mediaType": "t", "size": 1,
                                  "sha256": "00", "location": "x"}),
        ),
        ("NODE_AWAITING_INPUT", asked),
        (
            "NODE_INPUT_RECEIVED",
            json!({"requestId": "q", "answer": [1], "by": "A"}),
        ),
        (
            "NODE_CHILD_STARTED",
            json!({"runId": "kid", "workflowId": "k"}),
        ),
        (
            "NODE_COMPLETED",
            json!({"outputs": {"x": [1], "y": "t"}, "activePorts": ["left", "x"],
            "outputRefs": {"y": {"location": "l", "size": 1, "sha256": "s"}}, "secretOutputs": {"z": "S"},
            "masked": [{"port": "x", "pointer": "/0", "offset": 0, "encoding": "url", "secret": "S"}],
            "reusedFrom": "p", "durationMs": 12.3456}),
        ),
        ("NODE_FAILED", failed(false)),
        ("NODE_FAILED", failed(true)),
        (
            "NODE_SKIPPED",
            json!({"reason": "upstream-failed", "cause": "a"}),
        ),
        ("NODE_CANCELLED", json!({"reason": "asked"})),
    ]
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Text {
    /// Text.
    #[serde(default)]
    text: Option<String>,
}

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(default)]
struct Working {
    /// How many attempts fail.
    fail: u32,
    /// Milliseconds.
    wait: u64,
}

/// Works, and tells of it.
#[component(id = "test.work", version = "1.0.0", category = "test")]
async fn work(input: Text, work: Working, cx: &Context) -> Result<Text, ComponentError> {
    cx.info("at work");
    tokio::time::sleep(Duration::from_millis(work.wait)).await;
    cx.progress(Progress::counted(1, 2).unit("steps"));
    if cx.attempt() <= work.fail {
        return Err(ComponentError::network("reset"));
    }
    cx.emit_artifact(
        "text.txt",
        "text/plain",
        input.text.clone().unwrap_or_default(),
    )
    .await?;
    Ok(input)
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Sides {
    /// One side.
    #[port(branching)]
    left: Option<String>,
    /// The other.
    #[port(branching)]
    right: Option<String>,
}

/// Goes left.
#[component(id = "test.branch", version = "1.0.0", category = "test")]
async fn branch(input: Text, _: NoParams, _: &Context) -> Result<Sides, ComponentError> {
    Ok(Sides {
        left: Some(input.text.unwrap_or_default()),
        right: None,
    })
}

fn graph() -> Graph {
    let node = |id: &str, kind: &str, config: Json| json!({"id": id, "type": kind, "data": {"config": config}});
    let inputs = json!([{"id": "text", "label": "Text", "type": "text", "required": true},
                        {"id": "hosts", "label": "Hosts", "type": "list<text>", "required": true}]);
    let nodes = json!([
        node(
            "start",
            "core.workflow.entrypoint",
            json!({"params": {"runtimeInputs": inputs}})
        ),
        node("branch", "test.branch", json!({})),
        node(
            "left",
            "test.work",
            json!({"params": {"fail": 1, "wait": 20}})
        ),
        node("right", "test.work", json!({})),
        node(
            "each",
            "test.work",
            json!({"params": {"wait": 5}, "forEach": {"input": "text", "concurrency": 2}})
        ),
        node("join", "test.work", json!({"joinStrategy": "any"})),
        node(
            "breaks",
            "test.work",
            json!({"params": {"fail": 9, "wait": 3}, "retry": {"maxAttempts": 2}})
        ),
        node("mends", "test.work", json!({})),
        node("tidies", "test.work", json!({"params": {"wait": 500}})),
    ]);
    let edges = json!([
        {"id": "1", "source": "start", "target": "branch", "sourceHandle": "text", "targetHandle": "text"},
        {"id": "2", "source": "branch", "target": "left", "sourceHandle": "left", "targetHandle": "text"},
        {"id": "3", "source": "branch", "target": "right", "sourceHandle": "right", "targetHandle": "text"},
        {"id": "4", "source": "left", "target": "join"},
        {"id": "5", "source": "right", "target": "join"},
        {"id": "6", "source": "start", "target": "each", "sourceHandle": "hosts", "targetHandle": "text"},
        {"id": "7", "source": "start", "target": "breaks"},
        {"id": "8", "source": "breaks", "target": "mends", "kind": "error"},
        {"id": "9", "source": "breaks", "target": "tidies", "kind": "finally"}
    ]);
    serde_json::from_value(json!({"name": "Golden", "nodes": nodes, "edges": edges})).unwrap()
}

/// What the executor itself writes: a run that ends well, the same run again with what it can take
/// over, and one that is cancelled.
async fn executed() -> Vec<(&'static str, Vec<Event>)> {
    let mut registry = Registry::new();
    registry.register_dyn(Arc::new(EntryPoint::new())).unwrap();
    registry.register(Work).unwrap().register(Branch).unwrap();
    let plan = compile(&graph(), &registry).unwrap().plan;
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let executor: LocalExecutor = Harness::new(registry).executor_on(store.clone());
    let request = |id: &str| {
        RunRequest::new(plan.clone())
            .with_run_id(RunId::parse(id).unwrap())
            .with_input("text", "t")
            .with_input("hosts", json!(["h0", "h1", "h2"]))
    };
    let again = request("executed-again")
        .rerun_of(RunId::parse("executed").unwrap())
        .cached();
    let mut logs = Vec::new();
    for (name, request, cancel) in [
        ("executed", request("executed"), None),
        ("executed-again", again, None),
        ("executed-cancelled", request("executed-cancelled"), Some(4)),
    ] {
        let handle = executor.start(request).await.unwrap();
        if let Some(millis) = cancel {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            handle.cancel("enough");
        }
        handle.wait().await;
        let events = store.read(handle.id(), 0, usize::MAX).await.unwrap();
        assert_log_rules(&events);
        logs.push((name, events));
    }
    logs
}

/// JSON with sorted keys and numbers as JavaScript writes them.
fn canonical(json: &Json, to: &mut String) {
    match json {
        Json::Object(fields) => {
            let sorted: std::collections::BTreeMap<_, _> = fields.iter().collect();
            to.push('{');
            for (at, (key, value)) in sorted.into_iter().enumerate() {
                to.push_str(if at > 0 { "," } else { "" });
                write!(to, "{}:", json!(key)).unwrap();
                canonical(value, to);
            }
            to.push('}');
        }
        Json::Array(items) => {
            to.push('[');
            for (at, item) in items.iter().enumerate() {
                to.push_str(if at > 0 { "," } else { "" });
                canonical(item, to);
            }
            to.push(']');
        }
        Json::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => {
                write!(to, "{}", float as i64).unwrap();
            }
            _ => write!(to, "{number}").unwrap(),
        },
        other => write!(to, "{other}").unwrap(),
    }
}

/// FNV-1a, 32 bits: small enough to have one for each state, and to compute in any language.
fn digest(text: &str) -> String {
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{hash:08x}")
}

/// The log, the digest of the state after each of its events (and before the first), and some of
/// those states as they are.
fn golden(events: &[Event], whole: bool) -> String {
    let mut view = RunView::new(events[0].run_id.clone());
    let mut digests = Vec::new();
    let mut states = Vec::new();
    let last = events.len();
    for n in 0..=last {
        if n > 0 {
            assert_eq!(view.apply(&events[n - 1]), Applied::Taken);
        }
        let mut text = String::new();
        canonical(&serde_json::to_value(&view).unwrap(), &mut text);
        digests.push(digest(&text));
        if n == last || (whole && n % 8 == 1) {
            states.push(format!("\"{n}\":{text}"));
        }
    }
    let lines: Vec<_> = events
        .iter()
        .map(|event| serde_json::to_string(event).unwrap())
        .collect();
    format!(
        "{{\"events\":[\n{}\n],\"digests\":{},\n\"states\":{{\n{}\n}}}}\n",
        lines.join(",\n"),
        json!(digests),
        states.join(",\n"),
    )
}

#[tokio::test(start_paused = true)]
async fn the_viewer_has_the_states_that_the_reducer_gives() {
    let mut files: Vec<(String, String)> = [
        ("retries", retries()),
        ("edges", edges()),
        ("failing", failing()),
        ("stopping", stopping()),
        ("questions", questions()),
        ("items", items()),
        ("strangers", strangers()),
        ("values", values()),
    ]
    .into_iter()
    .map(|(name, log)| (name.to_owned(), golden(&log.0, true)))
    .collect();
    for (name, events) in executed().await {
        files.push((name.to_owned(), golden(&events, false)));
    }
    for seed in 0..CHAOS {
        files.push((format!("chaos-{seed}"), golden(&chaos(seed, 60).0, false)));
    }
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shipsec-studio/viewer/test/golden");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut there: BTreeSet<_> = fs::read_dir(&folder)
        .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()))
        .unwrap()
        .collect();
    for (name, text) in files {
        let name = format!("{name}.json");
        let path = folder.join(&name);
        if update {
            fs::write(&path, &text).unwrap();
        } else {
            let kept = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                kept == text,
                "{name} is not what the reducer gives now; if that is meant, run with UPDATE_GOLDEN=1"
            );
        }
        there.remove(&name);
    }
    assert!(there.is_empty(), "nothing makes these any more: {there:?}");
}

/// How many logs are made by chance.
const CHAOS: u64 = 4;
