//! Logs for the tests.

use serde_json::{Value as Json, json};

use crate::{RunId, event::Event, run::RunView};

/// 2025-10-16T09:12:03Z.
const START: i64 = 1_760_605_923_000_000;

pub(super) fn run() -> RunId {
    RunId::parse("r").unwrap()
}

/// The event with this sequence number, `micros` after the start.
pub(super) fn event(
    sequence: u64,
    micros: i64,
    kind: &str,
    node: &str,
    attempt: u32,
    payload: Json,
) -> Event {
    let timestamp = crate::event::Timestamp::from_micros(START + micros);
    let mut event = json!({
        "runId": "r", "sequence": sequence, "type": kind, "timestamp": timestamp,
        "counter": sequence, "payload": payload,
    });
    if !node.is_empty() {
        event["nodeId"] = node.into();
        event["attempt"] = attempt.into();
    }
    serde_json::from_value(event).unwrap()
}

/// A log in the making: each event is 1.5 ms after the one before it.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) events: Vec<Event>,
}

impl Log {
    /// A run of these nodes and of edges `[id, source, target, kind, port]`.
    pub(super) fn of(nodes: &[&str], edges: &[[&str; 5]]) -> Self {
        let mut log = Self::default();
        log.add(
            "WORKFLOW_STATUS",
            "",
            0,
            json!({
                "status": "RUNNING", "workflowId": "w", "definition": definition(nodes, edges),
                "definitionHash": "c0ffee", "inputs": {"path": "."}, "executor": "local",
                "trigger": {"type": "cli", "label": "somebody"},
            }),
        );
        log
    }

    pub(super) fn add(&mut self, kind: &str, node: &str, attempt: u32, payload: Json) -> &mut Self {
        let sequence = self.events.len() as u64 + 1;
        let micros = (sequence as i64 - 1) * 1500;
        self.events
            .push(event(sequence, micros, kind, node, attempt, payload));
        self
    }

    pub(super) fn start(&mut self, node: &str, attempt: u32) -> &mut Self {
        self.add("NODE_STARTED", node, attempt, started())
    }

    pub(super) fn complete(&mut self, node: &str, attempt: u32) -> &mut Self {
        self.add("NODE_COMPLETED", node, attempt, completed())
    }

    pub(super) fn fail(&mut self, node: &str, attempt: u32, again: bool) -> &mut Self {
        self.add("NODE_FAILED", node, attempt, failed(again))
    }

    pub(super) fn status(&mut self, status: &str) -> &mut Self {
        self.add("WORKFLOW_STATUS", "", 0, json!({ "status": status }))
    }

    pub(super) fn view(&self) -> RunView {
        let view = RunView::from_events(run(), &self.events);
        assert_eq!(view.sequence, self.events.len() as u64);
        view
    }
}

pub(super) fn definition(nodes: &[&str], edges: &[[&str; 5]]) -> Json {
    let actions: Vec<_> = nodes
        .iter()
        .map(|node| {
            json!({"ref": node, "componentId": "dev.echo", "componentVersion": "1.0.0",
                   "params": {}, "dependsOn": []})
        })
        .collect();
    let edges: Vec<_> = edges
        .iter()
        .map(|[id, source, target, kind, port]| {
            let mut edge =
                json!({"id": id, "sourceRef": source, "targetRef": target, "kind": kind});
            if !port.is_empty() {
                edge["sourceHandle"] = (*port).into();
            }
            edge
        })
        .collect();
    json!({
        "version": 1, "workflowId": "w", "title": "W", "entrypoint": {"ref": nodes[0]}, "nodes": {},
        "edges": edges, "dependencyCounts": {}, "actions": actions, "config": {},
    })
}

pub(super) fn started() -> Json {
    json!({"componentId": "dev.echo", "componentVersion": "2.0.0", "joinStrategy": "all"})
}

pub(super) fn completed() -> Json {
    json!({"outputs": {"value": {"b": 1, "a": [2.5]}}, "durationMs": 1.5})
}

pub(super) fn failed(again: bool) -> Json {
    json!({
        "error": {"kind": "NetworkError", "message": "no route", "retryable": true},
        "willRetry": again, "durationMs": 0.25,
    })
}
