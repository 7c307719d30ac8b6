//! Runs that are killed at random moments, again and again, and gone on with until they end.
//!
//! How often, and from which seed, the environment says: `cargo xtask stress` is the long one. What
//! is killed is the command itself, with SIGKILL, wherever it is at that moment.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use shipsec_core::event::{Event, EventKind};
use shipsec_testkit::assert_log_rules;

use crate::support::Desk;

/// Numbers that follow from a seed (SplitMix64, <https://prng.di.unimi.it/splitmix64.c>).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `most`.
    fn below(&mut self, most: u64) -> u64 {
        self.next() % most.max(1)
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

/// A workflow with a bit of everything: logs, progress, artifacts, outputs too large for an event,
/// retries, handled failures, branches, clean-up, joins, limits, items, and a child run.
fn workflow(random: &mut Random) -> Json {
    let mut nodes = vec![json!({"id": "start", "type": "core.workflow.entrypoint"})];
    let mut edges = Vec::new();
    let edge = |edges: &mut Vec<Json>, source: &str, target: &str, kind: &str| {
        let id = format!("e{}", edges.len());
        edges.push(json!({"id": id, "source": source, "target": target, "kind": kind}));
    };
    let count = 4 + random.below(8);
    for n in 0..count {
        let id = format!("n{n}");
        let mut config = json!({});
        let component = match random.below(6) {
            0 => {
                let bytes = [10, 5_000, 100_000][random.below(3) as usize];
                config["params"] = json!({"logs": random.below(30), "progress": random.below(20),
                    "artifactBytes": random.below(50_000), "outputBytes": bytes});
                "dev.emit"
            }
            1 => {
                config["params"] = json!({"times": 1 + random.below(2), "kind": "NetworkError"});
                config["retry"] = json!({"maxAttempts": 3, "initialIntervalSeconds": 0.005});
                "dev.fail"
            }
            2 => {
                config["forEach"] = json!({"input": "value", "concurrency": 1 + random.below(4)});
                config["inputOverrides"] =
                    json!({"value": (0..1 + random.below(12)).collect::<Vec<_>>()});
                config["params"] = json!({"ms": random.below(4)});
                "dev.sleep"
            }
            3 => {
                config["params"] = json!({"port": "left"});
                "dev.branch"
            }
            4 if random.one_in(2) => {
                let inner = json!({"name": "Inner", "nodes": [
                    {"id": "start", "type": "core.workflow.entrypoint"},
                    {"id": "nap", "type": "dev.sleep", "data": {"config": {"params": {"ms": random.below(10)}}}},
                ], "edges": [{"id": "e", "source": "start", "target": "nap"}]});
                config["params"] = json!({ "graph": inner });
                "core.workflow.call"
            }
            _ => {
                config["params"] = json!({"ms": random.below(15)});
                "dev.sleep"
            }
        };
        if random.one_in(4) {
            config["groupId"] = "g".into();
            config["maxConcurrency"] = 2.into();
        }
        // One of the nodes before it, whatever became of that.
        let source = match random.below(n + 1) {
            0 => "start".to_owned(),
            before => format!("n{}", before - 1),
        };
        let kind = ["success", "success", "finally"][random.below(3) as usize];
        edge(&mut edges, &source, &id, kind);
        if n > 2 && random.one_in(3) {
            edge(&mut edges, &format!("n{}", random.below(n)), &id, "finally");
            config["joinStrategy"] = "settled".into();
        }
        nodes.push(json!({"id": id, "type": component, "data": {"config": config}}));
    }
    // A failure that something handles, and what it leads to.
    nodes.push(json!({"id": "bad", "type": "dev.fail", "data": {"config": {"params": {"times": 0, "kind": "ValidationError"}}}}));
    nodes.push(json!({"id": "handler", "type": "dev.emit", "data": {"config": {"params": {"logs": 1, "artifactBytes": 10}}}}));
    edge(&mut edges, "start", "bad", "success");
    edge(&mut edges, "bad", "handler", "error");
    json!({"name": "Stress", "nodes": nodes, "edges": edges})
}

/// Starts the command, and kills it after so many lines of its log and a moment more. Whether it was
/// alive then.
fn killed(desk: &Desk, arguments: &[&str], lines: u64, moment: Duration) -> bool {
    let mut all = arguments.to_vec();
    all.extend(["--output", "jsonl"]);
    let mut command = desk.command(&all);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child: Child = command.spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut read = 0;
    let mut log = out.lines();
    while read < lines && log.next().is_some() {
        read += 1;
    }
    let until = Instant::now() + moment;
    while Instant::now() < until {
        std::thread::yield_now();
    }
    let alive = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    alive
}

fn log(desk: &Desk, run: &str) -> Vec<Event> {
    let said = desk.shipsec(&["events", run]).ends(0);
    let events = said.out.lines().map(|line| Event::from_json(line).unwrap());
    events.collect()
}

/// What a run gave, with the ids of its children left out.
fn outputs(desk: &Desk, run: &str) -> Json {
    let mut outputs = desk.shipsec(&["outputs", run]).ends(0).json()["outputs"].clone();
    for node in outputs.as_object_mut().unwrap().values_mut() {
        node.as_object_mut().unwrap().remove("runId");
    }
    outputs
}

/// Every artifact, and every output that is kept like one, is there whole.
fn artifacts_are_whole(desk: &Desk, log: &[Event]) {
    let whole = |location: &str, size: u64, sha256: &str| {
        let path = desk.path().join(".shipsec/artifacts").join(location);
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(bytes.len() as u64, size, "{}", path.display());
        assert_eq!(
            hex::encode(Sha256::digest(&bytes)),
            sha256,
            "{}",
            path.display()
        );
    };
    for event in log {
        match &event.kind {
            EventKind::NodeArtifact(of) => whole(&of.location, of.size, &of.sha256),
            EventKind::NodeCompleted(of) => {
                for stored in of
                    .outputs
                    .notes
                    .iter()
                    .flat_map(|notes| notes.refs.values())
                {
                    whole(&stored.location, stored.size, &stored.sha256);
                }
            }
            _ => {}
        }
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| {
        value
            .parse()
            .unwrap_or_else(|error| panic!("{name}={value}: {error}"))
    })
}

#[test]
fn killed_anywhere_nothing_is_lost() {
    let kills = setting("SHIPSEC_STRESS_KILLS").unwrap_or(12);
    let seed = setting("SHIPSEC_STRESS_SEED").unwrap_or(2026);
    let begun = Instant::now();
    let (mut done, mut runs) = (0, 0);
    while done < kills {
        // A workflow that fails can be had again by itself: its own seed, and one kill.
        let own = seed.wrapping_add(runs);
        runs += 1;
        let mut random = Random(own);
        let desk = Desk::new();
        desk.graph("graph.json", &workflow(&mut random));
        let plain = desk.shipsec(&["run", "graph.json", "--output", "jsonl"]);
        let plain = plain.ends(0);
        let events = plain.out.lines().count() as u64;
        let first = listed_first(&plain.out);
        let expected = outputs(&desk, first.as_str().unwrap());

        let at = |random: &mut Random| {
            let moment = Duration::from_micros(random.below(4_000));
            (random.below(events + 2), moment)
        };
        let (lines, moment) = at(&mut random);
        done += u64::from(killed(&desk, &["run", "graph.json"], lines, moment));
        let listed = desk
            .shipsec(&["runs", "--format", "json", "--limit", "1000"])
            .ends(0)
            .json();
        let top = |run: &&Json| run["runId"] != first;
        let Some(run) = newest(&desk, &listed, top) else {
            // It was killed before it had recorded anything.
            continue;
        };
        let mut left = random.below(4);
        loop {
            if left > 0 && done < kills {
                left -= 1;
                let (lines, moment) = at(&mut random);
                // What is told begins where it goes on: fewer lines are left each time.
                done += u64::from(killed(&desk, &["resume", &run], lines / 2, moment));
                continue;
            }
            let said = desk.shipsec(&["resume", &run]);
            let ended = said.code == Some(2) && said.err.contains("has ended already: COMPLETED");
            assert!(said.code == Some(0) || ended, "seed {own}: {said:#?}");
            break;
        }
        for run in desk
            .shipsec(&["runs", "--format", "json", "--limit", "1000"])
            .ends(0)
            .json()
            .as_array()
            .unwrap()
        {
            let id = run["runId"].as_str().unwrap();
            let log = log(&desk, id);
            assert_log_rules(&log);
            assert_eq!(run["status"], "COMPLETED", "seed {own}: run {id}");
            artifacts_are_whole(&desk, &log);
        }
        assert_eq!(outputs(&desk, &run), expected, "seed {own}");
        let rest: Vec<_> = fs::read_dir(desk.path().join(".shipsec"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("-live-"))
            .collect();
        assert!(rest.is_empty(), "seed {own}: {rest:?} of dead processes");
    }
    println!(
        "{done} kills in {runs} workflows from seed {seed}, {:.1} s",
        begun.elapsed().as_secs_f64()
    );
}

/// The run that the first event of a log is of.
fn listed_first(log: &str) -> Json {
    let first: Json = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    first["runId"].clone()
}

/// The newest run that nobody called.
fn newest(desk: &Desk, listed: &Json, which: impl Fn(&&Json) -> bool) -> Option<String> {
    let runs = listed.as_array().unwrap().iter().filter(which);
    let mut ids = runs.map(|run| run["runId"].as_str().unwrap().to_owned());
    ids.find(|id| {
        let status = desk.shipsec(&["status", id]).ends(0).json();
        status.get("parent").is_none()
    })
}
