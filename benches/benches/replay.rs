//! What moving in a long log costs: opening it, any moment of it, and the memory that this takes.
//!
//! The log is in an SQLite file. `--sizes` is in events. Three logs:
//!
//! - `nodes`: four events for each of many nodes, one node after the other, as a large fan makes
//!   them.
//! - `busy`: 1,000 nodes that all work from the beginning to the end.
//! - `spread`: 10,000 of them, so that no two frames have much in common: the dearest for memory.
//!
//! Each round opens the log anew, seeks to random moments, and steps back from one of them. What is
//! shown is the best round. A proof folds the log from its start, and compares the state at some
//! moments.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::json;
use shipsec_benches::harness::{Limits, Options, finish};
use shipsec_benches::{Failure, memory};
use shipsec_core::event::{
    CompletedPayload, ComponentRef, DefinitionSource, EventKind, NodeRef, Outputs, ProgressPayload,
    Record, StartedPayload, StatusPayload, Timestamp, WorkflowStatus,
};
use shipsec_core::run::RunView;
use shipsec_core::run::replay::Timeline;
use shipsec_core::trace::{Replay, TraceStore};
use shipsec_core::workflow::Definition;
use shipsec_core::{NodeId, RunId};
use shipsec_sqlite::SqliteStore;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const LIMITS: Limits = Limits {
    sizes: &[1_000_000],
    proof: 10_000,
};
const BATCH: usize = 1_000;
const SEEKS: usize = 1_000;
const STEPS: u64 = 200;

fn main() -> ExitCode {
    finish(replay())
}

fn replay() -> Result<(), Failure> {
    let Some(options) = Options::from_env(LIMITS)? else {
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if !options.json {
        println!(
            "{:<24}{:>10}{:>10}{:>10}{:>10}{:>10}{:>8}{:>10}{:>10}",
            "log", "open", "seek p50", "p95", "most", "step back", "frames", "index", "resident"
        );
    }
    for &size in &options.sizes {
        for (name, nodes, order) in [
            ("nodes", size / 4, Order::OneByOne),
            ("busy", 1_000, Order::Mixed),
            ("spread", 10_000.min(size / 4), Order::Mixed),
        ] {
            if options.wants(name) {
                let log = Log::new(&runtime, size, nodes.max(1), order)?;
                measure(&runtime, &format!("replay/{name}/{size}"), &log, &options)?;
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    OneByOne,
    Mixed,
}

/// A stored log.
struct Log {
    store: Arc<dyn TraceStore>,
    run: RunId,
    size: u64,
    _folder: TempDir,
}

impl Log {
    fn new(runtime: &Runtime, size: usize, nodes: usize, order: Order) -> Result<Self, Failure> {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        let store = SqliteStore::open(folder.path().join("events.sqlite"))?;
        let run = RunId::parse("bench")?;
        let mut made = Made::new(nodes, order)?;
        let mut left = size;
        while left > 0 {
            let batch: Vec<Record> = (0..left.min(BATCH)).map(|_| made.next()).collect();
            left -= batch.len();
            let appended = runtime.block_on(store.append(&run, batch))?;
            if appended.duplicates > 0 {
                return Err("an event is there twice".into());
            }
        }
        Ok(Self {
            store: Arc::new(store),
            run,
            size: size as u64,
            _folder: folder,
        })
    }
}

/// Records in the making.
struct Made {
    nodes: Vec<NodeId>,
    /// Events of each node so far.
    counters: Vec<u32>,
    order: Order,
    component: Arc<ComponentRef>,
    outputs: Arc<Outputs>,
    definition: Option<Definition>,
    random: Rng,
    made: usize,
}

impl Made {
    fn new(nodes: usize, order: Order) -> Result<Self, Failure> {
        let ids: Vec<NodeId> = (0..nodes)
            .map(|node| format!("n{node:06}").into())
            .collect();
        Ok(Self {
            counters: vec![0; nodes],
            order,
            component: Arc::new(ComponentRef {
                component_id: "dev.echo".into(),
                component_version: "1.0.0".into(),
            }),
            outputs: Arc::default(),
            definition: Some(fan(&ids)?),
            nodes: ids,
            random: Rng::with_seed(3),
            made: 0,
        })
    }

    fn next(&mut self) -> Record {
        let place = self.made;
        self.made += 1;
        let at = Timestamp::from_micros(1_768_554_723_000_000 + place as i64 * 700);
        if let Some(definition) = self.definition.take() {
            let mut first = StatusPayload::new(WorkflowStatus::Running);
            first.definition = Some(DefinitionSource::from(definition));
            return Record::new(at, None, 0, 1, EventKind::WorkflowStatus(Box::new(first)));
        }
        let node = match self.order {
            Order::OneByOne => ((place - 1) / 4).min(self.nodes.len() - 1),
            Order::Mixed => self.random.usize(..self.nodes.len()),
        };
        self.counters[node] += 1;
        let counter = self.counters[node];
        let kind = match (counter, self.order) {
            (1, _) => EventKind::NodeStarted(StartedPayload {
                component: self.component.clone(),
                triggered_by: None,
                join_strategy: Default::default(),
            }),
            (4, Order::OneByOne) => EventKind::NodeCompleted(CompletedPayload {
                outputs: self.outputs.clone(),
                active_ports: None,
                duration_ms: 2.1,
                reused_from: None,
            }),
            (counter, _) if counter.is_multiple_of(2) => EventKind::NodeLog(Box::default()),
            _ => EventKind::NodeProgress(Box::new(ProgressPayload {
                done: Some(counter.into()),
                total: Some(1_000_000),
                unit: Some("hosts".into()),
                ..Default::default()
            })),
        };
        let node = NodeRef::at(self.nodes[node].clone(), node as u32);
        Record::new(at, Some(node), 1, counter, kind)
            .with_message(format!("scanned {place} of 1000000 hosts in the range"))
    }
}

/// All nodes behind the first.
fn fan(ids: &[NodeId]) -> Result<Definition, Failure> {
    let action = |id| {
        json!({"ref": id, "componentId": "dev.echo", "componentVersion": "1.0.0", "params": {},
               "dependsOn": []})
    };
    let edge = |id| json!({"id": format!("to-{id}"), "sourceRef": ids[0], "targetRef": id, "kind": "success"});
    let actions: Vec<_> = ids.iter().map(action).collect();
    let edges: Vec<_> = ids.iter().skip(1).map(edge).collect();
    Ok(serde_json::from_value(json!({
        "version": 1, "workflowId": "bench", "title": "", "entrypoint": {"ref": ids[0]},
        "nodes": {}, "edges": edges, "dependencyCounts": {}, "actions": actions, "config": {},
    }))?)
}

/// What a round took.
struct Round {
    open: Duration,
    seeks: Vec<Duration>,
    step: Duration,
}

fn measure(runtime: &Runtime, name: &str, log: &Log, options: &Options) -> Result<(), Failure> {
    let before = memory::resident().unwrap_or(0);
    let mut best: Option<Round> = None;
    let (mut frames, mut index, mut resident) = (0, 0, 0);
    for round in 0..options.rounds.unwrap_or(5) {
        let start = Instant::now();
        let replay = runtime.block_on(Replay::open(log.store.clone(), log.run.clone()))?;
        let open = start.elapsed();
        if replay.last() != log.size {
            return Err(format!("{} of {} events", replay.last(), log.size).into());
        }
        (frames, index) = replay.timeline(|timeline| (timeline.frames(), timeline.bytes()));
        if round == 0 {
            // Later rounds find memory that earlier ones gave back to the allocator alone.
            resident = memory::resident().unwrap_or(0).saturating_sub(before);
        }
        let mut random = Rng::with_seed(round as u64);
        let count = SEEKS.min(log.size as usize / 100).max(1);
        let mut seeks = Vec::with_capacity(count);
        for _ in 0..count {
            let to = random.u64(..=log.size);
            let start = Instant::now();
            let view = runtime.block_on(replay.at(to))?;
            seeks.push(start.elapsed());
            if view.sequence != to {
                return Err(format!("event {} in place of {to}", view.sequence).into());
            }
        }
        seeks.sort_unstable();
        let from = random.u64(STEPS..=log.size);
        let start = Instant::now();
        for back in 0..STEPS {
            runtime.block_on(replay.at(from - back))?;
        }
        let step = start.elapsed() / STEPS as u32;
        let now = Round { open, seeks, step };
        best = Some(match best {
            Some(best) => best.or(now),
            None => now,
        });
        if round == 0 {
            prove(runtime, log, &replay)?;
        }
    }
    let best = best.ok_or("no round")?;
    let at = |share: f64| best.seeks[((best.seeks.len() - 1) as f64 * share) as usize];
    let (median, p95, most) = (at(0.5), at(0.95), at(1.0));
    if options.json {
        let line = json!({
            "contest": name, "openMs": millis(best.open), "seekP50Ms": millis(median),
            "seekP95Ms": millis(p95), "seekMostMs": millis(most), "stepBackMs": millis(best.step),
            "frames": frames, "indexBytes": index, "residentBytes": resident,
        });
        println!("{line}");
    } else {
        println!(
            "{name:<24}{:>7.0} ms{:>7.2} ms{:>7.2} ms{:>7.2} ms{:>7.3} ms{frames:>8}{:>6} MiB{:>6} MiB",
            millis(best.open),
            millis(median),
            millis(p95),
            millis(most),
            millis(best.step),
            index >> 20,
            resident >> 20,
        );
    }
    Ok(())
}

impl Round {
    /// The better of each.
    fn or(self, other: Self) -> Self {
        let p95 = |seeks: &[Duration]| seeks[(seeks.len() - 1) * 95 / 100];
        Self {
            open: self.open.min(other.open),
            step: self.step.min(other.step),
            seeks: match p95(&self.seeks) <= p95(&other.seeks) {
                true => self.seeks,
                false => other.seeks,
            },
        }
    }
}

/// Folds the log from its start, and compares at some moments.
fn prove(runtime: &Runtime, log: &Log, replay: &Replay) -> Result<(), Failure> {
    let mut view = RunView::new(log.run.clone());
    let mut next = 0;
    while view.sequence < log.size {
        for event in runtime.block_on(log.store.read(&log.run, view.sequence, 4096))? {
            view.apply(&event);
            if view.sequence >= next {
                next = view.sequence + log.size / 7;
                if runtime.block_on(replay.at(view.sequence))? != view {
                    return Err(format!("another state at event {}", view.sequence).into());
                }
            }
        }
    }
    match replay.timeline(Timeline::last) == log.size {
        true => Ok(()),
        false => Err("the log is not whole".into()),
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
