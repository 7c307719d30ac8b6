//! What comparing two runs costs per node.
//!
//! Each node gives a list of findings with fingerprints; in the second run every tenth node has lost
//! one, has another, and gives them in another order.
//!
//! - `floor`: the events of both logs as text, compared one by one, which only tells which differ.
//! - `views`: [`diff`] of two folded runs.
//! - `logs`: the same, from two logs in memory.

use std::hint::black_box;
use std::process::ExitCode;

use serde_json::{Value as Json, json};
use shipsec_benches::Failure;
use shipsec_benches::harness::{Contest, Limits, Options, Sample, finish};
use shipsec_core::RunId;
use shipsec_core::event::Event;
use shipsec_core::run::RunView;
use shipsec_core::run::diff::{DiffOptions, diff};

const LIMITS: Limits = Limits {
    sizes: &[1_000, 10_000],
    proof: 100,
};
/// Findings of a node.
const FINDINGS: usize = 5;

fn main() -> ExitCode {
    finish(compare())
}

fn compare() -> Result<(), Failure> {
    let Some(options) = Options::from_env(LIMITS)? else {
        return Ok(());
    };
    for &size in &options.sizes {
        let (a, b) = (log(size, false)?, log(size, true)?);
        let run = RunId::parse("bench")?;
        let views = [&a, &b].map(|log| RunView::from_events(run.clone(), log));
        let texts = [texts(&a)?, texts(&b)?];
        let mut contest = Contest::new(format!("diff/{size}"), "node", size);
        contest.add("floor", || {
            let compared = |_: &mut ()| {
                let pairs = black_box(&texts[0]).iter().zip(black_box(&texts[1]));
                let changed = pairs.filter(|(a, b)| a != b).count();
                expected(2 * changed, size)
            };
            Ok(Sample::take(|| Ok(()), compared)?.0)
        });
        contest.add("views", || {
            let compared = |_: &mut ()| {
                let found = diff(&views[0], &views[1], &DiffOptions::default());
                expected(found.changes.len(), size)
            };
            Ok(Sample::take(|| Ok(()), compared)?.0)
        });
        contest.add("logs", || {
            let compared = |_: &mut ()| {
                let views = [&a, &b].map(|log| RunView::from_events(run.clone(), log));
                let found = diff(&views[0], &views[1], &DiffOptions::default());
                expected(found.changes.len(), size)
            };
            Ok(Sample::take(|| Ok(()), compared)?.0)
        });
        contest.run(&options)?;
    }
    Ok(())
}

/// Every tenth node has one finding less and one more, which the node after it got.
fn expected(found: usize, nodes: usize) -> Result<(), Failure> {
    let changed = nodes.div_ceil(10);
    match found {
        found if found == 2 * changed => Ok(()),
        found => Err(format!("{found} changes instead of {}", 2 * changed).into()),
    }
}

fn texts(log: &[Event]) -> Result<Vec<String>, Failure> {
    log.iter()
        .map(|event| Ok(serde_json::to_string(event)?))
        .collect()
}

fn log(nodes: usize, second: bool) -> Result<Vec<Event>, Failure> {
    let id = |at: usize| format!("n{at}");
    let actions: Vec<Json> = (0..nodes)
        .map(|at| {
            json!({"ref": id(at), "componentId": "dev.echo", "componentVersion": "1.0.0",
                   "params": {"depth": at}, "dependsOn": []})
        })
        .collect();
    let edges: Vec<Json> = (1..nodes)
        .map(|at| {
            json!({"id": format!("e{at}"), "sourceRef": id(at - 1), "targetRef": id(at), "kind": "success"})
        })
        .collect();
    let definition = json!({
        "version": 1, "workflowId": "bench", "title": "", "entrypoint": {"ref": "n0"},
        "nodes": {}, "edges": edges, "dependencyCounts": {}, "actions": actions, "config": {},
    });
    let mut events = vec![(
        None,
        "WORKFLOW_STATUS",
        json!({"status": "RUNNING", "definition": definition}),
    )];
    for at in 0..nodes {
        let node = Some(id(at));
        let started =
            json!({"componentId": "dev.echo", "componentVersion": "1.0.0", "joinStrategy": "all"});
        events.push((node.clone(), "NODE_STARTED", started));
        let changed = second && at % 10 == 0;
        let mut findings: Vec<Json> = (0..FINDINGS)
            .map(|n| n + usize::from(changed))
            .map(|n| json!({"fingerprint": format!("{at}-{n}"), "severity": "low", "path": "src/a.rs", "line": n}))
            .collect();
        if changed {
            findings.reverse();
        }
        let completed = json!({"outputs": {"findings": findings}, "durationMs": 1.0});
        events.push((node, "NODE_COMPLETED", completed));
    }
    let events = (1..).zip(events).map(|(sequence, (node, event_type, payload))| {
        let mut event = json!({"runId": "bench", "sequence": sequence, "type": event_type, "level": "info",
            "timestamp": "2025-10-16T09:12:03Z", "counter": 1, "payload": payload});
        if let Some(node) = node {
            event["nodeId"] = node.into();
            event["attempt"] = 1.into();
        }
        Ok(serde_json::from_value(event)?)
    });
    events.collect()
}
