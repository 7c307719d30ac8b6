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
    StoreError, TraceStore, WriteNow,
};
use crate::{
    NodeId, RunId,
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

/// The highest counter that each producer has stored, found by the plan's index where the record
/// has it, so that the common case neither hashes nor compares text.
#[derive(Debug, Default)]
struct Producers {
    run: Counters,
    by_hint: Vec<Producer>,
    /// The nodes at these indices, where the log does not know its plan.
    nodes: Vec<Option<NodeId>>,
    others: FastMap<(NodeId, u32), Counters>,
}

/// The newest attempt of a node; nothing is known of one whose highest counter is 0.
#[derive(Debug, Clone, Copy, Default)]
struct Producer {
    attempt: u32,
    highest: u32,
}

/// Counters of one producer: all up to `highest`, save for `holes`, which may still come.
#[derive(Debug, Default)]
struct Counters {
    highest: u32,
    /// First and last of each: a log from elsewhere may leave any number out.
    holes: std::collections::BTreeMap<u32, u32>,
}

impl Counters {
    /// Whether the counter is new.
    fn insert(&mut self, counter: u32) -> bool {
        if counter > self.highest {
            if counter - self.highest > 1 {
                self.holes.insert(self.highest + 1, counter - 1);
            }
            self.highest = counter;
            return true;
        }
        let below = self.holes.range(..=counter).next_back();
        let Some((first, last)) = below.map(|(first, last)| (*first, *last)) else {
            return false;
        };
        if counter > last {
            return false;
        }
        self.holes.remove(&first);
        if first < counter {
            self.holes.insert(first, counter - 1);
        }
        if counter < last {
            self.holes.insert(counter + 1, last);
        }
        true
    }
}

impl Producers {
    /// Whether the record is new; remembers it.
    fn insert(&mut self, record: &Record, plan: Option<&Plan>) -> bool {
        let Some(node) = &record.node else {
            return self.run.insert(record.counter);
        };
        if let Some(hint) = node.hint()
            && self.is_at(hint, &node.id, plan)
            && let Some(known) = self.next(hint, record.attempt, record.counter, plan)
        {
            return known;
        }
        // What came with a hint before moves to where this one is looked up.
        let at = (0..self.by_hint.len()).find(|&at| {
            let Producer { attempt, highest } = self.by_hint[at];
            highest > 0
                && attempt == record.attempt
                && self.node_at(at, plan).is_some_and(|id| *id == node.id)
        });
        if let Some(at) = at {
            self.retire(at, plan);
        }
        let key = (node.id.clone(), record.attempt);
        self.others.entry(key).or_default().insert(record.counter)
    }

    /// Whether both events of an attempt are plainly new; remembers them then.
    fn insert_attempt(&mut self, attempt: &AttemptRecord, plan: &Plan) -> bool {
        let at = attempt.node();
        if at >= self.by_hint.len() {
            self.by_hint.resize(plan.nodes.len(), Producer::default());
        }
        let key = || (plan.nodes[at].node.id.clone(), attempt.attempt());
        let new = self.by_hint[at].highest == 0
            && (self.others.is_empty() || !self.others.contains_key(&key()));
        if new {
            self.by_hint[at] = Producer {
                attempt: attempt.attempt(),
                highest: 2,
            };
        }
        new
    }

    fn node_at<'a>(&'a self, at: usize, plan: Option<&'a Plan>) -> Option<&'a NodeId> {
        match plan {
            Some(plan) => plan.nodes.get(at).map(|node| &node.node.id),
            None => self.nodes.get(at)?.as_ref(),
        }
    }

    /// Whether a node is the one at this index. Makes room for it.
    fn is_at(&mut self, hint: usize, id: &NodeId, plan: Option<&Plan>) -> bool {
        let most = match plan {
            Some(plan) => plan.nodes.len(),
            // A hint is only a hint: one that is far off must not make the table large.
            None => self.by_hint.len() * 2 + 4096,
        };
        if hint >= most {
            return false;
        }
        if hint >= self.by_hint.len() {
            let room = plan.map_or(hint + 1, |plan| plan.nodes.len());
            self.by_hint.resize(room, Producer::default());
        }
        if plan.is_none() {
            if hint >= self.nodes.len() {
                self.nodes.resize(hint + 1, None);
            }
            self.nodes[hint].get_or_insert_with(|| id.clone());
        }
        self.node_at(hint, plan).is_some_and(|known| known.is(id))
    }

    /// `None` where the counter is not the plain next one of the newest attempt at this index.
    fn next(
        &mut self,
        hint: usize,
        attempt: u32,
        counter: u32,
        plan: Option<&Plan>,
    ) -> Option<bool> {
        let known = self.by_hint[hint];
        if known.highest > 0 && attempt == known.attempt {
            if counter <= known.highest {
                return Some(false);
            }
            if counter == known.highest + 1 {
                self.by_hint[hint].highest = counter;
                return Some(true);
            }
            self.retire(hint, plan);
            return None;
        }
        if counter != 1 || (known.highest > 0 && attempt < known.attempt) {
            return None;
        }
        if !self.others.is_empty()
            && let Some(id) = self.node_at(hint, plan)
            && self.others.contains_key(&(id.clone(), attempt))
        {
            return None;
        }
        self.retire(hint, plan);
        self.by_hint[hint] = Producer {
            attempt,
            highest: 1,
        };
        Some(true)
    }

    /// Moves what is known at an index to the general table.
    fn retire(&mut self, hint: usize, plan: Option<&Plan>) {
        let Producer { attempt, highest } = std::mem::take(&mut self.by_hint[hint]);
        if highest > 0
            && let Some(id) = self.node_at(hint, plan).cloned()
        {
            let counters = Counters {
                highest,
                ..Counters::default()
            };
            self.others.insert((id, attempt), counters);
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
