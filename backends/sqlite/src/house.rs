//! The thread that keeps house: checkpoints off the writer, and news from other processes.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::Notify;

/// How often it looks while somebody waits for events, or the write-ahead log has grown.
const LOOK: Duration = Duration::from_millis(20);

/// From this size on the write-ahead log is copied into the file.
const COPY: u64 = 4 * 1024 * 1024;

/// From this size on the writer is stopped for a moment, so that the log begins anew.
const RESTART: u64 = 16 * 1024 * 1024;

/// What the writer, the waiters and the house-keeper share.
#[derive(Debug, Default)]
pub(crate) struct House {
    /// Wakes those who wait for events.
    pub(crate) news: Notify,
    waiters: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    dirty: bool,
    closed: bool,
}

impl House {
    /// The writer has committed.
    pub(crate) fn grown(&self) {
        self.news.notify_waiters();
        self.tell(|state| state.dirty = true);
    }

    /// Nobody uses the store any more.
    pub(crate) fn close(&self) {
        self.tell(|state| state.closed = true);
    }

    fn tell(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let was_dirty = state.dirty;
        change(&mut state);
        if state.closed || (state.dirty && !was_dirty) {
            self.changed.notify_one();
        }
    }

    /// Counts one who waits, until the guard is dropped.
    pub(crate) fn wait(self: &Arc<Self>) -> Waiting {
        if self.waiters.fetch_add(1, Ordering::AcqRel) == 0 {
            self.changed.notify_one();
        }
        Waiting(self.clone())
    }
}

pub(crate) struct Waiting(Arc<House>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiters.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Keeps house until the store is closed.
pub(crate) fn keep(house: &House, connection: &Connection, path: &Path, writes: bool) {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = PathBuf::from(log);
    let version =
        || connection.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0));
    let mut seen = version().ok();
    loop {
        {
            let state = house.state.lock().unwrap_or_else(PoisonError::into_inner);
            let idle = |state: &mut State| {
                !state.closed && !state.dirty && house.waiters.load(Ordering::Acquire) == 0
            };
            // A waiter that comes just now is seen at the next look at the latest.
            let slow = Duration::from_millis(500);
            let waited = house.changed.wait_timeout_while(state, slow, idle);
            let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if state.closed {
                break;
            }
            state.dirty = false;
        }
        if house.waiters.load(Ordering::Acquire) > 0 {
            let now = version().ok();
            if now != seen {
                seen = now;
                house.news.notify_waiters();
            }
        }
        if writes {
            let size = std::fs::metadata(&log).map_or(0, |found| found.len());
            if size > COPY {
                checkpoint(connection, "PASSIVE");
            }
            if size > RESTART {
                checkpoint(connection, "TRUNCATE");
            }
        }
        std::thread::sleep(LOOK);
    }
    if writes {
        checkpoint(connection, "TRUNCATE");
    }
}

/// A checkpoint that cannot be made now is made at the next look.
fn checkpoint(connection: &Connection, how: &str) {
    let done = connection.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(()));
    if let Err(error) = done {
        tracing::debug!(%error, how, "checkpoint put off");
    }
}
