//! Many clients on the event stream of one run.
//!
//! A run in a SQLite store gets an event every five milliseconds, and so many clients follow it over
//! HTTP on loopback, from its first event to its end. Each client checks that every event came once
//! and in order; a latency is the time from the call that recorded an event until a client had read
//! it. Server and clients share the process, and the machine.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use shipsec_benches::Failure;
use shipsec_benches::harness::{Limits, Options, finish};
use shipsec_core::event::{EventKind, Record, StatusPayload, Timestamp, WorkflowStatus};
use shipsec_core::execute::LocalExecutor;
use shipsec_core::trace::TraceStore;
use shipsec_core::{Registry, RunId};
use shipsec_sqlite::SqliteStore;
use shipsec_studio::{Host, Limits as ApiLimits, serve};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Clients.
const LIMITS: Limits = Limits {
    sizes: &[1, 100, 1_000],
    proof: 10,
};

const TICK: Duration = Duration::from_millis(5);

fn main() -> ExitCode {
    finish(streams())
}

fn streams() -> Result<(), Failure> {
    let Some(options) = Options::from_env(LIMITS)? else {
        return Ok(());
    };
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let events = match options.time {
        Duration::ZERO => 20,
        _ => 1_000,
    };
    for &clients in &options.sizes {
        let mut latencies = runtime.block_on(follow(clients, events))?;
        latencies.sort_unstable();
        let at = |share: f64| {
            let place = (latencies.len() as f64 * share) as usize;
            latencies[place.min(latencies.len() - 1)].as_secs_f64() * 1e3
        };
        let (p50, p95, p99, max) = (at(0.5), at(0.95), at(0.99), at(1.0));
        if options.json {
            let line = serde_json::json!({
                "contest": format!("streams/{clients}"), "received": latencies.len(),
                "p50Ms": p50, "p95Ms": p95, "p99Ms": p99, "maxMs": max,
            });
            println!("{line}");
            continue;
        }
        println!(
            "streams/{clients}: each client had {} events once and in order",
            latencies.len() / clients
        );
        println!("  p50 {p50:.2} ms   p95 {p95:.2} ms   p99 {p99:.2} ms   max {max:.2} ms");
    }
    Ok(())
}

/// Every latency of every client.
async fn follow(clients: usize, events: usize) -> Result<Vec<Duration>, Failure> {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
    let store: Arc<dyn TraceStore> =
        Arc::new(SqliteStore::open(folder.path().join("runs.sqlite"))?);
    let executor = LocalExecutor::builder(store.clone()).build();
    let limits = ApiLimits::default()
        .with_streams(clients)
        .with_connections(clients + 16);
    let host = Host::local(&executor, Arc::new(Registry::new())).with_limits(limits);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (end, ended) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve(listener, host, async move {
        let _ = ended.await;
    }));

    let run = RunId::generate();
    let emitted = Arc::new(Mutex::new(vec![Instant::now()]));
    store
        .append(&run, vec![status(1, WorkflowStatus::Running)])
        .await?;
    let mut following = JoinSet::new();
    for _ in 0..clients {
        let ask = format!("GET /workflows/runs/{run}/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(ask.as_bytes()).await?;
        following.spawn(listen(stream, events, emitted.clone()));
    }
    for place in 2..=events {
        tokio::time::sleep(TICK).await;
        emitted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Instant::now());
        let record = match place == events {
            true => status(place, WorkflowStatus::Completed),
            false => line(place),
        };
        store.append(&run, vec![record]).await?;
    }
    let mut latencies = Vec::with_capacity(clients * events);
    while let Some(heard) = following.join_next().await {
        latencies.extend(heard??);
    }
    drop(end);
    serving.await??;
    Ok(latencies)
}

/// Reads a stream to its end.
async fn listen(
    mut stream: TcpStream,
    events: usize,
    emitted: Arc<Mutex<Vec<Instant>>>,
) -> Result<Vec<Duration>, Failure> {
    let mut latencies = Vec::with_capacity(events);
    let (mut text, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
    while latencies.len() < events {
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Err(format!("the stream ended after {} events", latencies.len()).into());
        }
        let now = Instant::now();
        text.extend_from_slice(&piece[..read]);
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let lines = String::from_utf8_lossy(&text[..whole]).into_owned();
        text.drain(..whole);
        for id in lines.lines().filter_map(|line| line.strip_prefix("id: ")) {
            let id: usize = id.trim().parse()?;
            if id != latencies.len() + 1 {
                return Err(format!("event {id} came where {} is due", latencies.len() + 1).into());
            }
            let emitted = emitted.lock().unwrap_or_else(PoisonError::into_inner)[id - 1];
            latencies.push(now - emitted);
        }
    }
    Ok(latencies)
}

fn status(place: usize, status: WorkflowStatus) -> Record {
    let kind = EventKind::WorkflowStatus(Box::new(StatusPayload::new(status)));
    Record::new(Timestamp::now(), None, 0, place as u32, kind)
}

fn line(place: usize) -> Record {
    let kind = EventKind::NodeLog(Box::default());
    Record::new(Timestamp::now(), None, 0, place as u32, kind).with_message(format!(
        "scanned {place} of 1000 hosts in the assigned range"
    ))
}
