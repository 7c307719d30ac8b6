//! Removing runs: hidden at once, and then piece by piece.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use shipsec_core::{
    RunId,
    event::Timestamp,
    trace::{LeaseError, StoreError},
};

use crate::{
    error::store_error,
    lease::{Life, Row},
};

/// Events that go in one transaction.
const PIECE: i64 = 10_000;

/// Takes a run out of everybody's sight. Whether there was one with events.
pub(crate) fn hide(
    connection: &mut Connection,
    database: &Path,
    life: &Life,
    run: &RunId,
) -> Result<bool, LeaseError> {
    let failed = |error: rusqlite::Error| store_error(database, "removing a run", &error);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let sql = "SELECT key, last_sequence, lease_holder, lease_process, lease_until
               FROM runs WHERE run_id = ?1";
    let known = transaction
        .query_row(sql, [run.as_str()], |row| {
            let lease = Row {
                holder: row.get(2)?,
                process: row.get(3)?,
                until: row.get(4)?,
            };
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, lease))
        })
        .optional()
        .map_err(failed)?;
    let Some((key, last, lease)) = known else {
        return Ok(false);
    };
    if let Some((holder, left)) = lease.held(database, life, Timestamp::now().as_micros()) {
        return Err(LeaseError::Held {
            run: run.clone(),
            holder: holder.into(),
            expires_in: Duration::from_micros(left),
        });
    }
    // No run has such an id: it begins with a point. Nothing is listed that has no events.
    let sql = "UPDATE runs SET run_id = ?2, last_sequence = 0, status = 'TERMINATED',
                               lease_holder = NULL, lease_process = NULL, lease_until = NULL
               WHERE key = ?1";
    transaction
        .execute(sql, params![key, format!(".removed-{key}")])
        .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(last > 0)
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
