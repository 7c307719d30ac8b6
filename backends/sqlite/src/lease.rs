//! Leases, and telling whether the process that holds one still lives.
//!
//! A lease ends with its time, as everywhere. Here it also ends with its process: each process that
//! takes leases holds a small file beside the database locked for as long as it lives, and the
//! operating system lets go of the lock however the process ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use shipsec_core::{
    RunId,
    event::{Timestamp, WorkflowStatus},
    trace::{Lease, LeaseError, StoreError, StoreErrorKind},
};

use crate::{error::store_error, remove, writer::unsigned};

/// The sign of life of this store's process: made with its first lease, gone with the store.
#[derive(Debug, Default)]
pub(crate) struct Life(Mutex<Option<Alive>>);

#[derive(Debug)]
struct Alive {
    name: String,
    path: PathBuf,
    /// Locked while it is open.
    _file: File,
}

impl Drop for Alive {
    fn drop(&mut self) {
        // One that stays behind is not locked, and is removed by whoever looks for it.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Life {
    /// The name of the file that is locked.
    fn sign(&self, database: &Path) -> Result<String, StoreError> {
        let mut alive = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(alive) = &*alive {
            return Ok(alive.name.clone());
        }
        let failed = |error: std::io::Error| {
            let message = format!(
                "trace store {}: a lock file beside it cannot be made: {error}",
                database.display()
            );
            StoreError::new(StoreErrorKind::Denied, message).with_source(error)
        };
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH);
        let nanos = nanos.map_or(0, |since| since.as_nanos());
        let name = format!("{}-{nanos:x}", std::process::id());
        let (new, path) = (beside(database, NEW, &name), beside(database, LIVE, &name));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&new)
            .map_err(failed)?;
        file.lock().map_err(failed)?;
        // Under its name it is locked from the first moment on.
        std::fs::rename(&new, &path).map_err(failed)?;
        sweep(database);
        *alive = Some(Alive {
            name: name.clone(),
            path,
            _file: file,
        });
        Ok(name)
    }

    fn is(&self, name: &str) -> bool {
        let alive = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        alive.as_ref().is_some_and(|alive| alive.name == name)
    }
}

/// What the files beside the database are called: one that is not locked yet, and one that is.
const NEW: &str = "-new-";
const LIVE: &str = "-live-";

fn beside(database: &Path, kind: &str, name: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(kind);
    path.push(name);
    path.into()
}

/// Removes the signs that dead processes left behind.
fn sweep(database: &Path) {
    let mut prefix = database.file_name().unwrap_or_default().to_owned();
    prefix.push(LIVE);
    let prefix = prefix.to_string_lossy().into_owned();
    let folder = database
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new(".")));
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(sign) = name.strip_prefix(&prefix)
            && !lives(database, sign)
        {
            // Somebody else may have been faster.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether the process that made this sign of life still lives.
fn lives(database: &Path, name: &str) -> bool {
    // What another program wrote into the table is not a path of ours.
    if name.contains(['/', '\\']) {
        return false;
    }
    let Ok(file) = File::open(beside(database, LIVE, name)) else {
        return false;
    };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// The lease of a run as its row holds it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) holder: Option<String>,
    pub(crate) process: Option<String>,
    pub(crate) until: Option<i64>,
}

impl Row {
    /// Who holds it now, and for how many microseconds more unless it is renewed.
    pub(crate) fn held(&self, database: &Path, life: &Life, now: i64) -> Option<(&str, u64)> {
        let (holder, until) = (self.holder.as_deref()?, self.until?);
        let left = u64::try_from(until - now).ok().filter(|left| *left > 0)?;
        let process = self.process.as_deref()?;
        (life.is(process) || lives(database, process)).then_some((holder, left))
    }
}

/// Takes the lease of a run.
pub(crate) fn acquire(
    connection: &mut Connection,
    database: &Path,
    life: &Life,
    (run, holder, ttl): (&RunId, &str, Duration),
) -> Result<Lease, LeaseError> {
    let failed = |error: rusqlite::Error| store_error(database, "taking a lease", &error);
    let sign = life.sign(database)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed)?;
    let now = Timestamp::now().as_micros();
    let sql = "SELECT epoch, last_sequence, lease_holder, lease_process, lease_until
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
    let (epoch, last) = match &known {
        None => (0, 0),
        Some((epoch, last, lease)) => {
            if let Some((by, left)) = lease.held(database, life, now)
                && by != holder
            {
                return Err(LeaseError::Held {
                    run: run.clone(),
                    holder: by.into(),
                    expires_in: Duration::from_micros(left),
                });
            }
            (*epoch, *last)
        }
    };
    let epoch = match epoch {
        // A run of this id may have been here before.
        0 => remove::highest_epoch(&transaction).map_err(failed)?,
        epoch => epoch,
    } + 1;
    let until = now.saturating_add(micros(ttl));
    let sql = "INSERT INTO runs (run_id, status, started_at, updated_at, last_sequence,
                                 epoch, lease_holder, lease_process, lease_until)
               VALUES (?1, ?2, ?3, ?3, 0, ?4, ?5, ?6, ?7)
               ON CONFLICT (run_id) DO UPDATE SET epoch = excluded.epoch,
                   lease_holder = excluded.lease_holder, lease_process = excluded.lease_process,
                   lease_until = excluded.lease_until";
    let status = WorkflowStatus::Stale.as_str();
    transaction
        .execute(
            sql,
            params![run.as_str(), status, now, epoch, holder, sign, until],
        )
        .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(Lease::new(
        run.clone(),
        unsigned(epoch),
        holder,
        unsigned(last),
    ))
}

/// Lets a lease last `ttl` from now on.
pub(crate) fn renew(
    connection: &Connection,
    database: &Path,
    lease: &Lease,
    ttl: Duration,
) -> Result<(), StoreError> {
    let sql = "UPDATE runs SET lease_until = ?3
               WHERE run_id = ?1 AND epoch = ?2 AND lease_holder IS NOT NULL";
    let until = Timestamp::now().as_micros().saturating_add(micros(ttl));
    let epoch = i64::try_from(lease.epoch).unwrap_or(i64::MAX);
    match connection.execute(sql, params![lease.run_id.as_str(), epoch, until]) {
        Ok(0) => Err(lease.fenced()),
        Ok(_) => Ok(()),
        Err(error) => Err(store_error(database, "renewing a lease", &error)),
    }
}

/// Ends a lease.
pub(crate) fn release(
    connection: &Connection,
    database: &Path,
    lease: &Lease,
) -> Result<(), StoreError> {
    let sql = "UPDATE runs SET lease_holder = NULL, lease_process = NULL, lease_until = NULL
               WHERE run_id = ?1 AND epoch = ?2";
    let epoch = i64::try_from(lease.epoch).unwrap_or(i64::MAX);
    connection
        .execute(sql, params![lease.run_id.as_str(), epoch])
        .map(|_| ())
        .map_err(|error| store_error(database, "releasing a lease", &error))
}

fn micros(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX)
}
