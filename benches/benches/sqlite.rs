//! The SQLite store against a bare batched insert loop and a bare read.
//!
//! The floor: one connection, WAL, one prepared statement, one transaction per 1,000 rows, SQLite's
//! own checkpoints, no queue and no other thread; its rows are text already. `normal` and `full` are
//! the values of `PRAGMA synchronous`: with `normal` a commit survives the process, with `full` a
//! power cut too.
//!
//! The store appends the same events, 1,000 in a call, as typed records that it makes text of, numbers,
//! and guards against a second append; and gives them back as typed events.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use rusqlite::{Connection, params};
use shipsec_benches::Failure;
use shipsec_benches::harness::{Contest, Limits, Options, Sample, finish};
use shipsec_core::event::{
    CompletedPayload, ComponentRef, EventKind, NodeRef, Outputs, ProgressPayload, ProgressSource,
    Record, StartedPayload, Timestamp,
};
use shipsec_core::schedule::Join;
use shipsec_core::trace::TraceStore as _;
use shipsec_core::{NodeId, RunId};
use shipsec_sqlite::SqliteStore;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

const LIMITS: Limits = Limits {
    sizes: &[100_000],
    proof: 100,
};
const BATCH: usize = 1_000;

/// A row must be found by run and sequence, and the same producer key must not enter twice.
const SCHEMA: &str = "
    CREATE TABLE events (
        run TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        node TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        counter INTEGER NOT NULL,
        type TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (run, sequence)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX producers ON events (run, node, attempt, counter);
";

fn main() -> ExitCode {
    finish(sqlite())
}

fn sqlite() -> Result<(), Failure> {
    let Some(options) = Options::from_env(LIMITS)? else {
        return Ok(());
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    for &size in &options.sizes {
        let rows: Vec<Row> = (0..size).map(Row::new).collect();
        let records: Vec<Record> = (0..size).map(record).collect();
        let mut inserts = Contest::new(format!("sqlite/insert/{size}"), "row", size);
        inserts.add("floor normal", || insert(&rows, "NORMAL"));
        inserts.add("floor full", || insert(&rows, "FULL"));
        let normal = shipsec_sqlite::Options::default();
        inserts.add("shipsec normal", || store(&runtime, &records, normal));
        let full = normal.surviving_power_loss();
        inserts.add("shipsec full", || store(&runtime, &records, full));
        inserts.run(&options)?;
        let folder = folder()?;
        fill(&mut open(folder.path(), "NORMAL")?, &rows)?;
        let kept = SqliteStore::open(folder.path().join("store.sqlite"))?;
        let run = RunId::generate();
        runtime.block_on(fill_store(&kept, &run, &records))?;
        let mut reads = Contest::new(format!("sqlite/read/{size}"), "row", size);
        reads.add("floor", || read(folder.path(), &rows));
        reads.add("shipsec", || read_store(&runtime, &kept, &run, size));
        reads.run(&options)?;
    }
    Ok(())
}

struct Row {
    run: String,
    sequence: i64,
    node: String,
    attempt: i64,
    counter: i64,
    kind: &'static str,
    body: String,
}

impl Row {
    /// As a run writes them: four events per node, about 200 bytes of JSON each.
    fn new(place: usize) -> Self {
        let kind = [
            "NODE_STARTED",
            "NODE_LOG",
            "NODE_PROGRESS",
            "NODE_COMPLETED",
        ][place % 4];
        let (node, counter) = (format!("node-{:06}", place / 4), place % 4);
        let body = serde_json::json!({
            "level": "info",
            "timestamp": "2026-01-16T09:12:03.123456Z",
            "message": format!("scanned {place} of 1000000 hosts in the assigned range"),
            "payload": { "done": place, "total": 1_000_000, "unit": "hosts", "source": "tool" },
        })
        .to_string();
        Self {
            run: "0194f7a2-6c1e-7d3b-9f00-3a5d1c2b4e6f".to_owned(),
            sequence: place as i64 + 1,
            node,
            attempt: 1,
            counter: counter as i64,
            kind,
            body,
        }
    }
}

/// The event that a row stands for.
fn record(place: usize) -> Record {
    let node = NodeId::from(format!("node-{:06}", place / 4));
    let at = Timestamp::from_micros(1_768_554_723_123_456);
    let kind = match place % 4 {
        0 => EventKind::NodeStarted(StartedPayload {
            component: Arc::new(ComponentRef {
                component_id: "bench.scan".into(),
                component_version: "1.0.0".into(),
            }),
            triggered_by: None,
            join_strategy: Join::All,
        }),
        1 => EventKind::NodeLog(Box::default()),
        2 => EventKind::NodeProgress(Box::new(ProgressPayload {
            done: Some(place as u64),
            total: Some(1_000_000),
            unit: Some("hosts".into()),
            source: ProgressSource::Tool,
        })),
        _ => EventKind::NodeCompleted(CompletedPayload {
            outputs: Arc::new(Outputs::default()),
            active_ports: None,
            reused_from: None,
            duration_ms: 12.5,
        }),
    };
    let counter = place as u32 % 4 + 1;
    Record::new(
        at,
        Some(NodeRef::at(node, place as u32 / 4)),
        1,
        counter,
        kind,
    )
    .with_message(format!(
        "scanned {place} of 1000000 hosts in the assigned range"
    ))
}

async fn fill_store(store: &SqliteStore, run: &RunId, records: &[Record]) -> Result<(), Failure> {
    for batch in records.chunks(BATCH) {
        store.append(run, batch.to_vec()).await?;
    }
    Ok(())
}

fn store(
    runtime: &Runtime,
    records: &[Record],
    options: shipsec_sqlite::Options,
) -> Result<Sample, Failure> {
    let folder = folder()?;
    let run = RunId::generate();
    let (sample, store, ()) = Sample::take(
        || {
            Ok(SqliteStore::open_with(
                folder.path().join("events.sqlite"),
                options,
            )?)
        },
        |store| runtime.block_on(fill_store(store, &run, records)),
    )?;
    let last = runtime.block_on(store.read(&run, records.len() as u64 - 1, 2))?;
    verify(last.len(), 1)?;
    Ok(sample)
}

/// Every event of the run in order, a page at a time.
fn read_store(
    runtime: &Runtime,
    store: &SqliteStore,
    run: &RunId,
    rows: usize,
) -> Result<Sample, Failure> {
    let (sample, (), count) = Sample::take(
        || Ok(()),
        |()| {
            runtime.block_on(async {
                let mut count = 0;
                loop {
                    let page = store.read(run, count as u64, 4096).await?;
                    if page.is_empty() {
                        return Ok(count);
                    }
                    count += std::hint::black_box(page).len();
                }
            })
        },
    )?;
    verify(count, rows)?;
    Ok(sample)
}

fn folder() -> Result<TempDir, Failure> {
    Ok(TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?)
}

fn open(folder: &Path, synchronous: &str) -> Result<Connection, Failure> {
    let connection = Connection::open(folder.join("events.sqlite"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    Ok(connection)
}

fn fill(connection: &mut Connection, rows: &[Row]) -> Result<(), Failure> {
    connection.execute_batch(SCHEMA)?;
    append(connection, rows)
}

fn append(connection: &mut Connection, rows: &[Row]) -> Result<(), Failure> {
    for batch in rows.chunks(BATCH) {
        let transaction = connection.transaction()?;
        let mut statement =
            transaction.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        for row in batch {
            let Row {
                run,
                sequence,
                node,
                attempt,
                counter,
                kind,
                body,
            } = row;
            statement.execute(params![run, sequence, node, attempt, counter, kind, body])?;
        }
        drop(statement);
        transaction.commit()?;
    }
    Ok(())
}

fn insert(rows: &[Row], synchronous: &str) -> Result<Sample, Failure> {
    let folder = folder()?;
    let (sample, connection, ()) = Sample::take(
        || {
            let connection = open(folder.path(), synchronous)?;
            connection.execute_batch(SCHEMA)?;
            Ok(connection)
        },
        |connection| append(connection, rows),
    )?;
    let stored: i64 = connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?;
    verify(usize::try_from(stored)?, rows.len())?;
    Ok(sample)
}

/// Every row of the run in order, its text copied out.
fn read(folder: &Path, rows: &[Row]) -> Result<Sample, Failure> {
    let (sample, _, (count, bytes)) = Sample::take(
        || open(folder, "NORMAL"),
        |connection| {
            let mut statement = connection.prepare(
                "SELECT sequence, node, attempt, counter, type, body FROM events \
                 WHERE run = ?1 AND sequence > ?2 ORDER BY sequence",
            )?;
            let run = rows.first().map_or("", |row| row.run.as_str());
            let mut found = statement.query(params![run, 0])?;
            let (mut count, mut bytes) = (0, 0);
            while let Some(row) = found.next()? {
                let sequence: i64 = row.get(0)?;
                let node: String = row.get(1)?;
                let (attempt, counter): (i64, i64) = (row.get(2)?, row.get(3)?);
                let kind: String = row.get(4)?;
                let body: String = row.get(5)?;
                count += 1;
                bytes += std::hint::black_box((sequence, node, attempt, counter, kind, body))
                    .5
                    .len();
            }
            Ok((count, bytes))
        },
    )?;
    verify(count, rows.len())?;
    verify(bytes, rows.iter().map(|row| row.body.len()).sum())?;
    Ok(sample)
}

fn verify(found: usize, expected: usize) -> Result<(), Failure> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{found} of {expected} found").into())
    }
}
