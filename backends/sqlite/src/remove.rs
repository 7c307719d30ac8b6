//! Removing runs: hidden at once, and then piece by piece; and giving the room back in the same way,
//! since `VACUUM` would copy the whole file while nobody else can write.
//!
//! Of all that are gone one number stays, so that the leases of a run that comes again under an id of
//! theirs have higher epochs than those from before: the highest epoch that any of them had.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use shipsec_core::{
    RunId,
    event::Timestamp,
    trace::{Lease, LeaseError, StoreError},
};

use crate::{
    error::store_error,
    lease::{Life, Row},
    writer::unsigned,
};

/// What stands for all runs that are gone. No run has such an id.
const GONE: &str = ".gone";

/// Events that go in one transaction.
const PIECE: i64 = 10_000;
/// Pages that are given back in one transaction: 2 MiB.
const PAGES: i64 = 512;

/// Who wants a run to be removed.
pub(crate) enum By {
    /// Whoever does not hold it: somebody else may.
    Anybody(RunId),
    /// Who holds this lease.
    Holder(Lease),
}

/// Takes a run out of everybody's sight. Whether there was one with events.
pub(crate) fn hide(
    connection: &mut Connection,
    database: &Path,
    life: &Life,
    by: &By,
) -> Result<bool, LeaseError> {
    let run = match by {
        By::Anybody(run) => run,
        By::Holder(lease) => &lease.run_id,
    };
    let failed = |error: rusqlite::Error| store_error(database, "removing a run", &error);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let sql = "SELECT key, last_sequence, epoch, lease_holder, lease_process, lease_until
               FROM runs WHERE run_id = ?1";
    let known = transaction
        .query_row(sql, [run.as_str()], |row| {
            let lease = Row {
                holder: row.get(3)?,
                process: row.get(4)?,
                until: row.get(5)?,
            };
            let (key, last, epoch): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((key, last, epoch, lease))
        })
        .optional()
        .map_err(failed)?;
    let now = Timestamp::now().as_micros();
    let (key, last, epoch) = match (known, by) {
        (None, By::Anybody(_)) => return Ok(false),
        (None, By::Holder(lease)) => return Err(lease.fenced().into()),
        (Some((_, _, epoch, _)), By::Holder(lease)) if unsigned(epoch) != lease.epoch => {
            return Err(lease.fenced().into());
        }
        (Some((_, _, _, ref row)), By::Anybody(_))
            if let Some((holder, left)) = row.held(database, life, now) =>
        {
            return Err(LeaseError::Held {
                run: run.clone(),
                holder: holder.into(),
                expires_in: Duration::from_micros(left),
            });
        }
        (Some((key, last, epoch, _)), _) => (key, last, epoch),
    };
    // No run has such an id: it begins with a point. Nothing is listed that has no events.
    let sql = "UPDATE runs SET run_id = ?2, last_sequence = 0, status = 'TERMINATED',
                               lease_holder = NULL, lease_process = NULL, lease_until = NULL
               WHERE key = ?1";
    transaction
        .execute(sql, params![key, format!(".removed-{key}")])
        .map_err(failed)?;
    let sql = "INSERT INTO runs (run_id, status, started_at, updated_at, last_sequence, epoch)
               VALUES (?1, 'TERMINATED', 0, 0, 0, ?2)
               ON CONFLICT (run_id) DO UPDATE SET epoch = max(epoch, excluded.epoch)";
    transaction
        .execute(sql, params![GONE, epoch])
        .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(last > 0)
}

/// The highest epoch that a run had which was removed; 0 where there was none.
pub(crate) fn highest_epoch(transaction: &Transaction<'_>) -> rusqlite::Result<i64> {
    let sql = "SELECT epoch FROM runs WHERE run_id = ?1";
    let found = transaction.query_row(sql, [GONE], |row| row.get(0));
    Ok(found.optional()?.unwrap_or(0))
}

/// Removes a piece of what is hidden. Whether there was anything.
pub(crate) fn piece(connection: &mut Connection, database: &Path) -> Result<bool, StoreError> {
    let failed = |error: rusqlite::Error| store_error(database, "removing a run", &error);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let sql = "SELECT key FROM runs WHERE run_id GLOB '.removed-*' LIMIT 1";
    let hidden: Option<i64> = transaction
        .query_row(sql, [], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    let Some(key) = hidden else { return Ok(false) };
    let sql = "DELETE FROM events WHERE run = ?1 AND sequence IN
                   (SELECT sequence FROM events WHERE run = ?1 ORDER BY sequence LIMIT ?2)";
    let removed = transaction
        .execute(sql, params![key, PIECE])
        .map_err(failed)?;
    if removed == 0 {
        transaction
            .execute("DELETE FROM runs WHERE key = ?1", [key])
            .map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    Ok(true)
}

/// Gives pages that nothing uses back to the file system, where the file was made for that. Whether
/// there are more.
pub(crate) fn give_back(connection: &mut Connection) -> rusqlite::Result<bool> {
    let free = |connection: &Connection| {
        connection.pragma_query_value(None, "freelist_count", |row| row.get::<_, i64>(0))
    };
    let before = free(connection)?;
    if before > 0 {
        // A page is given back with each row that is asked for.
        connection.pragma(None, "incremental_vacuum", PAGES, |_| Ok(()))?;
    }
    let after = free(connection)?;
    Ok(0 < after && after < before)
}
