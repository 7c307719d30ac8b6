//! SQLite: a bare batched insert loop and a bare read, the floor of the SQLite store.
//!
//! One connection, WAL, one prepared statement, one transaction per 1,000 rows, SQLite's own
//! checkpoints, no queue and no other thread. `normal` and `full` are the values of `PRAGMA
//! synchronous`: with `normal` a commit survives the process, with `full` a power cut too.

use std::path::Path;
use std::process::ExitCode;

use rusqlite::{Connection, params};
use shipsec_benches::Failure;
use shipsec_benches::harness::{Contest, Limits, Options, Sample, finish};
use tempfile::TempDir;

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
    for &size in &options.sizes {
        let rows: Vec<Row> = (0..size).map(Row::new).collect();
        let mut inserts = Contest::new(format!("sqlite/insert/{size}"), "row", size);
        inserts.add("floor normal", || insert(&rows, "NORMAL"));
        inserts.add("floor full", || insert(&rows, "FULL"));
        inserts.run(&options)?;
        let folder = folder()?;
        fill(&mut open(folder.path(), "NORMAL")?, &rows)?;
        let mut reads = Contest::new(format!("sqlite/read/{size}"), "row", size);
        reads.add("floor", || read(folder.path(), &rows));
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
