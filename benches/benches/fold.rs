//! What folding a log costs per event, against noting each node's state by hand.
//!
//! Each node starts, says a line, tells its progress and completes: four events a node.
//!
//! - `floor`: one byte per node, found by name, and the number of the last event.
//! - `live`: [`RunView::apply`] of events as an executor makes them, which know their node's place.
//! - `stored`: the same of events as they come from a store, which only name it.
//! - `frames`: like `stored`, and a copy of the view is kept after each thousand events.

use std::collections::HashMap;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use shipsec_benches::Failure;
use shipsec_benches::graph::Graph;
use shipsec_benches::harness::{Contest, Limits, Options, Sample, finish};
use shipsec_core::event::{
    CompletedPayload, ComponentRef, DefinitionSource, Event, EventKind, NodeRef, Outputs,
    ProgressPayload, Record, StartedPayload, StatusPayload, Timestamp, WorkflowStatus,
};
use shipsec_core::run::RunView;
use shipsec_core::workflow::Definition;
use shipsec_core::{NodeId, RunId};

const LIMITS: Limits = Limits {
    sizes: &[1_000, 10_000, 100_000, 250_000],
    proof: 100,
};
/// Events between two kept copies.
const FRAME: u64 = 1_000;

fn main() -> ExitCode {
    finish(fold())
}

fn fold() -> Result<(), Failure> {
    let Some(options) = Options::from_env(LIMITS)? else {
        return Ok(());
    };
    for &shape in &options.shapes {
        for &size in &options.sizes {
            let live = log(&shape.graph(size))?;
            let mut stored = live.clone();
            for event in &mut stored {
                let named = event.node_id().cloned();
                event.record.node = named.map(NodeRef::new);
            }
            let mut contest = Contest::new(format!("fold/{shape}/{size}"), "event", live.len());
            contest.add("floor", || floor(&stored));
            contest.add("live", || view(&live, None));
            contest.add("stored", || view(&stored, None));
            contest.add("frames", || view(&stored, Some(FRAME)));
            contest.run(&options)?;
        }
    }
    Ok(())
}

/// The log of a run of this graph.
fn log(graph: &Graph) -> Result<Vec<Event>, Failure> {
    let ids: Vec<NodeId> = graph
        .nodes()
        .map(|node| format!("n{node}").into())
        .collect();
    let run = RunId::parse("bench")?;
    let component = Arc::new(ComponentRef {
        component_id: "dev.echo".into(),
        component_version: "1.0.0".into(),
    });
    let mut first = StatusPayload::new(WorkflowStatus::Running);
    first.definition = Some(DefinitionSource::from(definition(graph, &ids)?));
    let mut kinds = vec![(None, EventKind::WorkflowStatus(Box::new(first)))];
    let outputs = Arc::new(Outputs::default());
    for (at, id) in graph.nodes().zip(&ids) {
        let node = Some(NodeRef::at(id.clone(), at));
        let started = StartedPayload {
            component: component.clone(),
            triggered_by: None,
            join_strategy: Default::default(),
        };
        let progress = ProgressPayload {
            done: Some(1),
            ..Default::default()
        };
        let completed = CompletedPayload {
            outputs: outputs.clone(),
            active_ports: None,
            reused_from: None,
            duration_ms: 1.0,
        };
        kinds.extend([
            (node.clone(), EventKind::NodeStarted(started)),
            (node.clone(), EventKind::NodeLog(Box::default())),
            (node.clone(), EventKind::NodeProgress(Box::new(progress))),
            (node, EventKind::NodeCompleted(completed)),
        ]);
    }
    let last = StatusPayload::new(WorkflowStatus::Completed);
    kinds.push((None, EventKind::WorkflowStatus(Box::new(last))));
    let events = (1..).zip(kinds).map(|(sequence, (node, kind))| Event {
        run_id: run.clone(),
        sequence,
        record: Record::new(Timestamp::from_micros(sequence as i64), node, 1, 1, kind),
    });
    Ok(events.collect())
}

fn definition(graph: &Graph, ids: &[NodeId]) -> Result<Definition, Failure> {
    let actions: Vec<_> = ids
        .iter()
        .map(|id| {
            json!({"ref": id, "componentId": "dev.echo", "componentVersion": "1.0.0",
                   "params": {}, "dependsOn": []})
        })
        .collect();
    let mut edges = Vec::new();
    for source in graph.nodes() {
        for target in graph.children(source) {
            let (from, to) = (&ids[source as usize], &ids[*target as usize]);
            edges.push(
                json!({"id": format!("{from}-{to}"), "sourceRef": from, "targetRef": to,
                       "kind": "success"}),
            );
        }
    }
    Ok(serde_json::from_value(json!({
        "version": 1, "workflowId": "bench", "title": "", "entrypoint": {"ref": ids[0]},
        "nodes": {}, "edges": edges, "dependencyCounts": {}, "actions": actions, "config": {},
    }))?)
}

fn floor(events: &[Event]) -> Result<Sample, Failure> {
    let note = |(states, last): &mut (HashMap<NodeId, u8>, u64)| {
        for event in black_box(events) {
            *last = event.sequence;
            let state = match &event.kind {
                EventKind::NodeStarted(_) => 1,
                EventKind::NodeCompleted(_) => 2,
                _ => continue,
            };
            if let Some(id) = event.node_id() {
                match states.get_mut(id) {
                    Some(known) => *known = state,
                    None => drop(states.insert(id.clone(), state)),
                }
            }
        }
        Ok(states.values().all(|state| *state == 2) && *last == events.len() as u64)
    };
    let (sample, _, ended) = Sample::take(|| Ok((HashMap::new(), 0)), note)?;
    all(ended)?;
    Ok(sample)
}

fn view(events: &[Event], frame: Option<u64>) -> Result<Sample, Failure> {
    let run = events.first().ok_or("an empty log")?.run_id.clone();
    let apply = |(view, frames): &mut (RunView, Vec<RunView>)| {
        for event in black_box(events) {
            view.apply(event);
            if frame.is_some_and(|frame| event.sequence.is_multiple_of(frame)) {
                frames.push(view.clone());
            }
        }
        let ended = view.counts.completed == view.nodes().len();
        Ok(ended && view.sequence == events.len() as u64)
    };
    let (sample, _, ended) = Sample::take(|| Ok((RunView::new(run), Vec::new())), apply)?;
    all(ended)?;
    Ok(sample)
}

fn all(ended: bool) -> Result<(), Failure> {
    match ended {
        true => Ok(()),
        false => Err("not every node has ended".into()),
    }
}
