//! How long an event waits until it is durable, under a constant load.
//!
//! Every millisecond a batch of events is handed to the SQLite store, whatever became of the ones
//! before; a latency is the time from the moment a batch was due until its `append` returned. Shown
//! beside it: how large the write-ahead log grew, and what an append cost at the beginning and at the
//! end of the run.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shipsec_benches::Failure;
use shipsec_benches::harness::{Limits, Options, finish};
use shipsec_core::RunId;
use shipsec_core::event::{EventKind, Record, Timestamp};
use shipsec_core::trace::TraceStore as _;
use shipsec_sqlite::SqliteStore;
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

/// Events per second.
const LIMITS: Limits = Limits {
    sizes: &[20_000],
    proof: 2_000,
};

const TICK: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    finish(durability())
}

fn durability() -> Result<(), Failure> {
    let Some(options) = Options::from_env(LIMITS)? else {
        return Ok(());
    };
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    // At least ten seconds, in which the log must be checkpointed many times.
    let time = match options.time {
        Duration::ZERO => Duration::from_millis(50),
        time => time.max(Duration::from_secs(10)),
    };
    for &rate in &options.sizes {
        let measured = runtime.block_on(constant_load(rate, time))?;
        measured.print(rate, options.json);
    }
    Ok(())
}

struct Measured {
    /// From due to durable, in the order of the batches.
    latencies: Vec<Duration>,
    largest_log: u64,
    events: u64,
}

async fn constant_load(rate: usize, time: Duration) -> Result<Measured, Failure> {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = folder.path().join("events.sqlite");
    let store = Arc::new(SqliteStore::open(&file)?);
    let run = RunId::generate();
    let batch = rate / 1_000;
    let batches = (time.as_secs_f64() / TICK.as_secs_f64()) as usize;
    let mut appends = JoinSet::new();
    let mut largest_log = 0;
    let begun = Instant::now();
    for place in 0..batches {
        let due = begun + TICK * place as u32;
        if let Some(wait) = due.checked_duration_since(Instant::now()) {
            tokio::time::sleep(wait).await;
        }
        let records = (0..batch).map(|at| record(place * batch + at)).collect();
        let (store, run) = (store.clone(), run.clone());
        appends.spawn(async move {
            let appended = store.append(&run, records).await;
            (
                place,
                due.elapsed(),
                appended.map(|appended| appended.stored),
            )
        });
        if place % 100 == 0 {
            largest_log = largest_log.max(log_bytes(&file)?);
        }
    }
    let mut latencies = vec![Duration::ZERO; batches];
    let mut events = 0;
    while let Some(append) = appends.join_next().await {
        let (place, latency, stored) = append?;
        latencies[place] = latency;
        events += stored? as u64;
    }
    if events != (batches * batch) as u64 {
        return Err(format!("{events} events are stored of {}", batches * batch).into());
    }
    Ok(Measured {
        latencies,
        largest_log,
        events,
    })
}

fn record(place: usize) -> Record {
    let kind = EventKind::NodeLog(Box::default());
    Record::new(Timestamp::now(), None, 0, place as u32 + 1, kind).with_message(format!(
        "scanned {place} of 1000000 hosts in the assigned range"
    ))
}

fn log_bytes(file: &Path) -> Result<u64, Failure> {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    Ok(std::fs::metadata(log)?.len())
}

impl Measured {
    fn print(mut self, rate: usize, json: bool) {
        let tenth = (self.latencies.len() / 10).max(1);
        let middle = |part: &[Duration]| {
            let mut part = part.to_vec();
            part.sort_unstable();
            part[part.len() / 2]
        };
        let first = middle(&self.latencies[..tenth]);
        let last = middle(&self.latencies[self.latencies.len() - tenth..]);
        self.latencies.sort_unstable();
        let at = |share: f64| {
            let place = (self.latencies.len() as f64 * share) as usize;
            self.latencies[place.min(self.latencies.len() - 1)]
        };
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let (p50, p99, p999, max) = (at(0.5), at(0.99), at(0.999), at(1.0));
        let wal = self.largest_log as f64 / 1_048_576.0;
        if json {
            let line = serde_json::json!({
                "contest": format!("durability/{rate}"), "events": self.events,
                "p50Ms": millis(p50), "p99Ms": millis(p99), "p999Ms": millis(p999),
                "maxMs": millis(max), "walMiB": wal,
                "firstTenthMs": millis(first), "lastTenthMs": millis(last),
            });
            println!("{line}");
            return;
        }
        println!(
            "durability/{rate}: {} events at {rate} a second, from due to durable",
            self.events
        );
        println!(
            "  p50 {:.2} ms   p99 {:.2} ms   p99.9 {:.2} ms   max {:.2} ms",
            millis(p50),
            millis(p99),
            millis(p999),
            millis(max)
        );
        println!(
            "  median of the first tenth {:.2} ms, of the last tenth {:.2} ms",
            millis(first),
            millis(last)
        );
        println!("  the write-ahead log grew to {wal:.1} MiB");
    }
}
