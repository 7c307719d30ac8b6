//! Logs in memory: for tests, and for hosts that keep nothing.

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use hashbrown::HashMap as FastMap;
use tokio::sync::Notify;

use super::{
    AppendError, Appended, Capabilities, Lease, LeaseError, LeaseState, RunFilter, RunSummary,
    StoreError, TraceStore, WriteNow, producers::Producers,
};
use crate::{
    RunId,
    event::{AttemptRecord, Event, EventKind, Record, Timestamp, WorkflowStatus},
    workflow::Plan,
};

/// A trace store in memory. Events are durable in the sense that they live as long as the store.
///
/// Values stay typed: an output becomes JSON when somebody reads it, not before.
#[derive(Debug, Default)]
pub struct MemoryStore {
    runs: RwLock<Runs>,
}

/// Whoever locks this and the log of a run locks this first.
#[derive(Debug, Default)]
struct Runs {
    by_id: FastMap<RunId, Arc<Run>>,
    /// Higher than the epochs of all runs that were removed: those of new runs begin beyond it.
    removed: u64,
}

#[derive(Debug)]
struct Run {
    id: RunId,
    log: Mutex<Log>,
    grown: Notify,
    /// How many wait for it to grow. Counted before they look at the log, whose lock orders the
    /// two: whoever was not counted yet sees what was appended.
    waiting: AtomicUsize,
}

/// Somebody who waits for a log to grow, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn counted(by: &'a AtomicUsize) -> Self {
        by.fetch_add(1, Ordering::Relaxed);
        Self(by)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the log holds of one thing that happened.
#[derive(Debug)]
enum Entry {
    One(Box<Record>),
    /// Two events, in a fraction of the room. Only in a log that knows its plan.
    Attempt(AttemptRecord),
}

#[derive(Debug)]
struct Chunk {
    /// Sequence number of its first event.
    first: u64,
    entries: Vec<Entry>,
}

#[derive(Debug, Default)]
struct Log {
    /// Entries in the order of their sequence, in chunks that never move.
    chunks: Vec<Chunk>,
    last: u64,
    producers: Producers,
    /// What the first event was made of.
    plan: Option<Arc<Plan>>,
    /// As the last `WORKFLOW_STATUS` says.
    status: Option<WorkflowStatus>,
    lease: LeaseState,
}

/// Entries in the first chunk of a log, which a short log does not outgrow. Each further one holds
/// twice as many as the one before, up to the most, so that a long log asks seldom for memory and
/// never moves an entry.
const FIRST_CHUNK: usize = 8;
const LARGEST_CHUNK: usize = 4096;

impl Log {
    fn push(&mut self, record: Record) {
        if let EventKind::WorkflowStatus(payload) = &record.kind {
            self.status = Some(payload.status);
            if self.chunks.is_empty() {
                let source = payload.definition.as_ref();
                self.plan = source.and_then(|source| source.plan()).cloned();
            }
        }
        self.enter(Entry::One(Box::new(record)), 1);
    }

    fn enter(&mut self, entry: Entry, events: u64) {
        let full = |chunk: &Chunk| chunk.entries.len() == chunk.entries.capacity();
        if self.chunks.last().is_none_or(full) {
            let before = self.chunks.last().map(|chunk| chunk.entries.len());
            let room = before.map_or(FIRST_CHUNK, |length| (2 * length).min(LARGEST_CHUNK));
            self.chunks.push(Chunk {
                first: self.last + 1,
                entries: Vec::with_capacity(room),
            });
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.entries.push(entry);
            self.last += events;
        }
    }

    /// The records after a sequence number, with theirs.
    fn after(&self, after: u64) -> impl Iterator<Item = (u64, Record)> {
        let later = self.chunks.partition_point(|chunk| chunk.first <= after);
        let chunks = &self.chunks[later.saturating_sub(1)..];
        let mut next = chunks.first().map_or(1, |chunk| chunk.first);
        let entries = chunks.iter().flat_map(|chunk| &chunk.entries);
        entries.flat_map(move |entry| {
            let sequence = next;
            let records = match (entry, self.plan.as_deref()) {
                (Entry::One(record), _) => {
                    next += 1;
                    [(sequence > after).then(|| (**record).clone()), None]
                }
                (Entry::Attempt(attempt), plan) => {
                    next += 2;
                    let started = plan.filter(|_| sequence > after);
                    let completed = plan.filter(|_| sequence + 1 > after);
                    [
                        started.map(|plan| attempt.started_record(plan)),
                        completed.map(|plan| attempt.completed_record(plan)),
                    ]
                }
            };
            (sequence..)
                .zip(records)
                .filter_map(|(sequence, record)| Some((sequence, record?)))
        })
    }
}

impl Entry {
    fn timestamp(&self) -> Timestamp {
        match self {
            Self::One(record) => record.timestamp,
            Self::Attempt(attempt) => attempt.ended(),
        }
    }
}

impl MemoryStore {
    /// A store without runs.
    pub fn new() -> Self {
        Self::default()
    }

    fn runs(&self) -> RwLockReadGuard<'_, Runs> {
        self.runs.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, id: &RunId) -> Option<Arc<Run>> {
        self.runs().by_id.get(id).cloned()
    }

    fn run_or_new(&self, id: &RunId) -> Arc<Run> {
        if let Some(run) = self.run(id) {
            return run;
        }
        let mut runs = self.runs.write().unwrap_or_else(PoisonError::into_inner);
        let lease = LeaseState::beyond(runs.removed);
        let new = || {
            Arc::new(Run {
                id: id.clone(),
                log: Mutex::new(Log {
                    lease,
                    ..Log::default()
                }),
                grown: Notify::new(),
                waiting: AtomicUsize::new(0),
            })
        };
        runs.by_id.entry(id.clone()).or_insert_with(new).clone()
    }

    /// Whether a run has not been removed since it was found.
    fn is_here(&self, run: &Arc<Run>) -> bool {
        let runs = self.runs();
        let kept = runs.by_id.get(&run.id);
        kept.is_some_and(|kept| Arc::ptr_eq(kept, run))
    }

    /// Does something with a run, which nobody removes meanwhile.
    fn with<T>(&self, id: &RunId, act: impl FnOnce(&Run) -> T) -> T {
        loop {
            if let Some(run) = self.runs().by_id.get(id) {
                return act(run);
            }
            self.run_or_new(id);
        }
    }

    /// Removes a run, unless its log says otherwise. Whether it had events.
    fn remove_unless<E>(
        &self,
        run: &RunId,
        refused: impl FnOnce(&Log) -> Option<E>,
    ) -> Result<bool, E> {
        let mut runs = self.runs.write().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = runs.by_id.get(run).cloned() else {
            return refused(&Log::default()).map_or(Ok(false), Err);
        };
        let mut log = kept.log();
        if let Some(error) = refused(&log) {
            return Err(error);
        }
        let epoch = log.lease.next_epoch();
        runs.removed = runs.removed.max(epoch);
        runs.by_id.remove(run);
        // Writers that hold on to it write no more, and who waits looks for the run anew.
        log.lease = LeaseState::beyond(epoch);
        kept.grown.notify_waiters();
        Ok(log.last > 0)
    }
}

impl Run {
    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(
        &self,
        lease: Option<&Lease>,
        records: &mut Vec<Record>,
    ) -> Result<Appended, StoreError> {
        let mut guard = self.log();
        let log = &mut *guard;
        if let Some(lease) = lease {
            log.lease.check(lease)?;
        }
        let (offered, before) = (records.len(), log.last);
        for record in records.drain(..) {
            if log.producers.insert(&record, log.plan.as_deref()) {
                log.push(record);
            }
        }
        let last = log.last;
        drop(guard);
        Ok(self.appended(offered, before, last))
    }

    fn append_attempts(
        &self,
        lease: &Lease,
        plan: &Arc<Plan>,
        attempts: &mut Vec<AttemptRecord>,
    ) -> Result<Appended, StoreError> {
        let mut guard = self.log();
        let log = &mut *guard;
        log.lease.check(lease)?;
        let (offered, before) = (attempts.len() * 2, log.last);
        let known = log
            .plan
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, plan));
        for attempt in attempts.drain(..) {
            if known && log.producers.insert_attempt(&attempt, plan) {
                log.enter(Entry::Attempt(attempt), 2);
                continue;
            }
            let records = [attempt.started_record(plan), attempt.completed_record(plan)];
            for record in records {
                if log.producers.insert(&record, log.plan.as_deref()) {
                    log.push(record);
                }
            }
        }
        let last = log.last;
        drop(guard);
        Ok(self.appended(offered, before, last))
    }

    fn appended(&self, offered: usize, before: u64, last: u64) -> Appended {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.grown.notify_waiters();
        }
        let stored = usize::try_from(last - before).unwrap_or(offered);
        Appended::new(last, stored, offered - stored)
    }

    fn read(&self, after: u64, limit: usize) -> Vec<Event> {
        let log = self.log();
        let event = |(sequence, record): (u64, Record)| Event {
            run_id: self.id.clone(),
            sequence,
            record,
        };
        log.after(after).take(limit).map(event).collect()
    }

    fn summary(&self) -> Option<RunSummary> {
        let log = self.log();
        let Entry::One(first) = log.chunks.first()?.entries.first()? else {
            return None;
        };
        let last = log.chunks.last()?.entries.last()?;
        let mut summary = RunSummary::new(self.id.clone(), WorkflowStatus::Stale, first.timestamp);
        summary.updated_at = last.timestamp();
        summary.last_sequence = log.last;
        if let EventKind::WorkflowStatus(payload) = &first.kind {
            summary.workflow_id.clone_from(&payload.workflow_id);
        }
        if let Some(status) = log.status {
            summary.status = status;
        }
        summary.holder = log.lease.holder().map(|holder| holder.to_string());
        Some(summary)
    }
}

struct Writer {
    run: Arc<Run>,
    lease: Lease,
}

impl WriteNow for Writer {
    fn append_now(&self, records: &mut Vec<Record>) -> Result<Appended, StoreError> {
        self.run.append(Some(&self.lease), records)
    }

    fn append_attempts(
        &self,
        plan: &Arc<Plan>,
        attempts: &mut Vec<AttemptRecord>,
    ) -> Result<Appended, StoreError> {
        self.run.append_attempts(&self.lease, plan, attempts)
    }
}

#[async_trait]
impl TraceStore for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::MEMORY
    }

    async fn append(&self, run: &RunId, records: Vec<Record>) -> Result<Appended, AppendError> {
        let mut records = records;
        self.with(run, |run| run.append(None, &mut records))
            .map_err(|error| AppendError { error, records })
    }

    async fn append_as(
        &self,
        lease: &Lease,
        records: Vec<Record>,
    ) -> Result<Appended, AppendError> {
        let mut records = records;
        self.with(&lease.run_id, |run| run.append(Some(lease), &mut records))
            .map_err(|error| AppendError { error, records })
    }

    fn writer_now(&self, lease: &Lease) -> Option<Box<dyn WriteNow>> {
        Some(Box::new(Writer {
            run: self.run_or_new(&lease.run_id),
            lease: lease.clone(),
        }))
    }

    async fn acquire(&self, run: &RunId, holder: &str, ttl: Duration) -> Result<Lease, LeaseError> {
        self.with(run, |kept| {
            let mut log = kept.log();
            let last = log.last;
            log.lease.acquire(run, holder, ttl, last)
        })
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<(), StoreError> {
        self.run_or_new(&lease.run_id).log().lease.renew(lease, ttl)
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.run_or_new(&lease.run_id).log().lease.release(lease);
        Ok(())
    }

    async fn remove(&self, run: &RunId) -> Result<bool, LeaseError> {
        self.remove_unless(run, |log| log.lease.held(run))
    }

    async fn remove_as(&self, lease: &Lease) -> Result<bool, StoreError> {
        self.remove_unless(&lease.run_id, |log| log.lease.check(lease).err())
    }

    async fn read(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        Ok(self
            .run(run)
            .map(|run| run.read(after, limit))
            .unwrap_or_default())
    }

    async fn wait_beyond(&self, run: &RunId, after: u64) -> Result<u64, StoreError> {
        loop {
            let run = self.run_or_new(run);
            let _waiting = Waiting::counted(&run.waiting);
            // Listening begins before looking, so that nothing is missed in between.
            let mut grown = std::pin::pin!(run.grown.notified());
            grown.as_mut().enable();
            if !self.is_here(&run) {
                continue;
            }
            let last = run.log().last;
            if last > after {
                return Ok(last);
            }
            grown.await;
        }
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        let runs: Vec<_> = self.runs().by_id.values().cloned().collect();
        let mut found: Vec<_> = runs
            .iter()
            .filter_map(|run| run.summary())
            .filter(|run| filter.fits(run))
            .collect();
        found.sort_by(|a, b| (b.started_at, &b.run_id).cmp(&(a.started_at, &a.run_id)));
        found.truncate(filter.limit);
        Ok(found)
    }
}
