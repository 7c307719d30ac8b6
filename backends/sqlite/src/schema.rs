//! The tables, and how a file of an earlier version becomes one of this.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use shipsec_core::trace::{StoreError, StoreErrorKind};

use crate::error::store_error;

/// Marks the file as ours (`PRAGMA application_id`): "SHPS".
const APPLICATION: i32 = 0x5348_5053;

/// Each brings a file from its index to the next version.
const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE runs (
        key           INTEGER PRIMARY KEY,
        run_id        TEXT NOT NULL UNIQUE,
        workflow_id   TEXT,
        status        TEXT NOT NULL,
        started_at    INTEGER NOT NULL,
        updated_at    INTEGER NOT NULL,
        last_sequence INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX runs_by_start ON runs (started_at DESC, run_id DESC);
    CREATE TABLE events (
        run       INTEGER NOT NULL REFERENCES runs (key),
        sequence  INTEGER NOT NULL,
        timestamp INTEGER NOT NULL,
        type      TEXT NOT NULL,
        level     INTEGER NOT NULL,
        node      TEXT NOT NULL,
        attempt   INTEGER NOT NULL,
        counter   INTEGER NOT NULL,
        message   TEXT,
        payload   TEXT NOT NULL,
        extra     TEXT,
        PRIMARY KEY (run, sequence)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX events_by_producer ON events (run, node, attempt, counter);
",
    // Who may write a run: `epoch` counts its leases; the rest is of the newest, and null once that
    // was released. `lease_process` names the file that its process holds locked while it lives.
    "
    ALTER TABLE runs ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN lease_holder TEXT;
    ALTER TABLE runs ADD COLUMN lease_process TEXT;
    ALTER TABLE runs ADD COLUMN lease_until INTEGER;
    CREATE INDEX runs_unfinished ON runs (status)
        WHERE status NOT IN ('COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT', 'TERMINATED');
",
];

/// The version that this program writes.
pub(crate) const VERSION: usize = MIGRATIONS.len();

/// Brings the file to this version. Two processes may do so at once: one waits for the other.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| store_error(path, "preparing its tables", &error);
    if check(connection, path)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    // The other process may have done it while this one waited.
    let version = version(&transaction, path)?;
    for migration in &MIGRATIONS[version..] {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    transaction
        .pragma_update(None, "application_id", APPLICATION)
        .map_err(failed)?;
    transaction
        .pragma_update(None, "user_version", MIGRATIONS.len() as i64)
        .map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// The file's version, where it is one that this program can use.
pub(crate) fn check(connection: &mut Connection, path: &Path) -> Result<usize, StoreError> {
    let transaction = connection.transaction();
    let transaction = transaction.map_err(|error| store_error(path, "opening", &error))?;
    version(&transaction, path)
}

/// In a transaction, because another process may be making the tables.
fn version(transaction: &Transaction<'_>, path: &Path) -> Result<usize, StoreError> {
    let failed = |error: rusqlite::Error| store_error(path, "opening", &error);
    let pragma =
        |name: &str| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let version = pragma("user_version").map_err(failed)?;
    let application = pragma("application_id").map_err(failed)?;
    let foreign = |message: String| {
        Err(StoreError::new(
            StoreErrorKind::Other,
            format!("trace store {}: {message}", path.display()),
        ))
    };
    let tables: i64 = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if tables > 0 && application != i64::from(APPLICATION) {
        return foreign("this is another program's database; choose another file".to_owned());
    }
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => foreign(format!(
            "written by a newer version of this program (schema {version}, known up to {}); update it",
            MIGRATIONS.len()
        )),
    }
}
