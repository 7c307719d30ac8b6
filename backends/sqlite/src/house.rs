//! The thread that keeps house: checkpoints off the writer, and news from other processes.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension as _};
use shipsec_core::RunId;
use tokio::sync::{Notify, futures::Notified};

use crate::writer::unsigned;

/// How often it looks while somebody waits for events, or the write-ahead log has grown.
const LOOK: Duration = Duration::from_millis(20);

/// From this size on the write-ahead log is copied into the file.
const COPY: u64 = 4 * 1024 * 1024;

/// From this size on the writer is stopped for a moment, so that the log begins anew.
const RESTART: u64 = 16 * 1024 * 1024;

/// What the writer, the waiters and the house-keeper share.
#[derive(Debug, Default)]
pub(crate) struct House {
    /// How many wait for events of a run, and how they are woken.
    waited: Mutex<HashMap<RunId, (usize, Arc<Waited>)>>,
    waiters: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
}

/// A run that somebody waits for.
#[derive(Debug, Default)]
struct Waited {
    /// Wakes those who wait.
    news: Notify,
    /// How far its log was when somebody looked last.
    seen: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    dirty: bool,
    closed: bool,
}

impl House {
    /// The writer has committed events of these runs.
    pub(crate) fn grown<'a>(&self, runs: impl IntoIterator<Item = &'a RunId>) {
        {
            let waited = self.waited();
            for run in runs {
                if let Some((_, waited)) = waited.get(run) {
                    waited.news.notify_waiters();
                }
            }
        }
        self.tell(|state| state.dirty = true);
    }

    fn waited(&self) -> MutexGuard<'_, HashMap<RunId, (usize, Arc<Waited>)>> {
        self.waited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait for a run whose log is another than when they looked; each of those that
    /// wait would look itself, each time that anything is written.
    fn look(&self, last: impl Fn(&RunId) -> Option<u64>) {
        let waited: Vec<_> = {
            let waited = self.waited();
            let all = waited.iter();
            all.map(|(run, (_, waited))| (run.clone(), waited.clone()))
                .collect()
        };
        for (run, waited) in waited {
            // Whoever waits finds out by itself what is wrong with the file.
            let last = last(&run);
            if last.is_none_or(|last| waited.seen.swap(last, Ordering::AcqRel) != last) {
                waited.news.notify_waiters();
            }
        }
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

    /// Counts one who waits for a run, until the guard is dropped.
    pub(crate) fn wait(self: &Arc<Self>, run: &RunId) -> Waiting {
        let waited = {
            let mut waited = self.waited();
            let (count, waited) = waited.entry(run.clone()).or_default();
            *count += 1;
            waited.clone()
        };
        if self.waiters.fetch_add(1, Ordering::AcqRel) == 0 {
            self.changed.notify_one();
        }
        Waiting {
            house: self.clone(),
            run: run.clone(),
            waited,
        }
    }
}

/// One who waits for a run.
pub(crate) struct Waiting {
    house: Arc<House>,
    run: RunId,
    waited: Arc<Waited>,
}

impl Waiting {
    /// Resolves once there may be something new.
    pub(crate) fn news(&self) -> Notified<'_> {
        self.waited.news.notified()
    }

    /// Its log was so far when one looked.
    pub(crate) fn saw(&self, last: u64) {
        self.waited.seen.store(last, Ordering::Release);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.house.waiters.fetch_sub(1, Ordering::AcqRel);
        let mut waited = self.house.waited();
        if let Some((count, _)) = waited.get_mut(&self.run) {
            *count -= 1;
            if *count == 0 {
                waited.remove(&self.run);
            }
        }
    }
}

/// How far the log of a run is; 0 where there is none.
pub(crate) fn last_sequence(connection: &Connection, run: &RunId) -> rusqlite::Result<u64> {
    let sql = "SELECT last_sequence FROM runs WHERE run_id = ?1";
    let mut select = connection.prepare_cached(sql)?;
    let last = select.query_row([run.as_str()], |row| row.get(0));
    Ok(unsigned(last.optional()?.unwrap_or(0)))
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
                house.look(|run| last_sequence(connection, run).ok());
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

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn only_who_waits_for_a_run_that_has_grown_is_woken() {
        let house = Arc::new(House::default());
        let run = |id| RunId::parse(id).unwrap();
        let (a, b) = (house.wait(&run("a")), house.wait(&run("b")));
        let second = house.wait(&run("b"));
        a.saw(3);
        b.saw(5);
        let woken = |change: &dyn Fn()| {
            let mut all = [&a, &b, &second].map(|waiting| Box::pin(waiting.news()));
            all.iter_mut().for_each(|news| {
                news.as_mut().enable();
            });
            change();
            all.map(|news| news.now_or_never().is_some())
        };
        assert_eq!(woken(&|| house.grown(&[run("a")])), [true, false, false]);
        let last = |of: &RunId| Some(if *of == run("b") { 6 } else { 3 });
        assert_eq!(woken(&|| house.look(last)), [false, true, true]);
        assert_eq!(woken(&|| house.look(last)), [false; 3]);
        // Where the file cannot be read, everybody hears of it by looking.
        assert_eq!(woken(&|| house.look(|_| None)), [true; 3]);
        drop((a, b));
        assert_eq!(house.waited().len(), 1);
        drop(second);
        assert!(house.waited().is_empty());
    }
}
