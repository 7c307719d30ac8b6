//! Logs in memory: for tests, and for hosts that keep nothing.

use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use hashbrown::HashMap as FastMap;
use tokio::sync::Notify;

use super::{
    AppendError, Appended, Capabilities, RunFilter, RunSummary, StoreError, TraceStore, WriteNow,
};
use crate::{
    NodeId, RunId,
    event::{Event, EventKind, NodeRef, Record, WorkflowStatus},
};

/// A trace store in memory. Events are durable in the sense that they live as long as the store.
///
/// Values stay typed: an output becomes JSON when somebody reads it, not before.
#[derive(Debug, Default)]
pub struct MemoryStore {
    runs: RwLock<FastMap<RunId, Arc<Run>>>,
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

#[derive(Debug, Default)]
struct Log {
    /// Records in the order of their sequence, in chunks that never move.
    chunks: Vec<Vec<Record>>,
    last: u64,
    producers: Producers,
}

/// Records per chunk of a log.
const CHUNK: usize = 512;

impl Log {
    fn push(&mut self, record: Record) {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            // A short log does not pay for a whole chunk; a long one never moves a record.
            let room = if self.chunks.is_empty() { 8 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(record);
            self.last += 1;
        }
    }

    /// The records after a sequence number, with theirs.
    fn after(&self, after: u64) -> impl Iterator<Item = (u64, &Record)> {
        let skip = usize::try_from(after).unwrap_or(usize::MAX);
        let chunks = self.chunks.get(skip / CHUNK..).unwrap_or_default();
        let first = (skip / CHUNK * CHUNK) as u64 + 1;
        (first..).zip(chunks.iter().flatten()).skip(skip % CHUNK)
    }
}

/// The highest counter that each producer has stored, found by the plan's index where the record
/// has it, so that the common case neither hashes nor compares text.
#[derive(Debug, Default)]
struct Producers {
    run: Counters,
    by_hint: Vec<Option<Producer>>,
    others: FastMap<(NodeId, u32), Counters>,
}

#[derive(Debug)]
struct Producer {
    node: NodeId,
    attempt: u32,
    highest: u32,
}

/// Counters of one producer: all up to `highest`, save for `holes`, which may still come.
#[derive(Debug, Default)]
struct Counters {
    highest: u32,
    holes: std::collections::BTreeSet<u32>,
}

impl Counters {
    /// Whether the counter is new.
    fn insert(&mut self, counter: u32) -> bool {
        if counter > self.highest {
            self.holes.extend(self.highest + 1..counter);
            self.highest = counter;
            return true;
        }
        self.holes.remove(&counter)
    }
}

impl Producers {
    /// Whether the record is new; remembers it.
    fn insert(&mut self, record: &Record) -> bool {
        if let Some(node) = &record.node
            && let Some(hint) = node.hint()
            && let Some(known) = self.by_hint(hint, node, record)
        {
            return known;
        }
        let Some(node) = &record.node else {
            return self.run.insert(record.counter);
        };
        // What came with a hint before moves to where this one is looked up.
        let known = |slot: &Option<Producer>| {
            slot.as_ref()
                .is_some_and(|known| known.node == node.id && known.attempt == record.attempt)
        };
        if let Some(at) = self.by_hint.iter().position(known) {
            self.retire(at);
        }
        let key = (node.id.clone(), record.attempt);
        self.others.entry(key).or_default().insert(record.counter)
    }

    /// `None` where the record is not the plain next one of the newest attempt at this index.
    fn by_hint(&mut self, hint: usize, node: &NodeRef, record: &Record) -> Option<bool> {
        // A hint is only a hint: one that is far off must not make the table large.
        if hint >= self.by_hint.len() {
            if hint > self.by_hint.len() * 2 + 4096 {
                return None;
            }
            self.by_hint.resize_with(hint + 1, || None);
        }
        let slot = &mut self.by_hint[hint];
        match slot {
            None if record.counter == 1 => {
                let key = (node.id.clone(), record.attempt);
                if !self.others.is_empty() && self.others.contains_key(&key) {
                    return None;
                }
                *slot = Some(Producer {
                    node: node.id.clone(),
                    attempt: record.attempt,
                    highest: 1,
                });
                Some(true)
            }
            Some(known) if known.node == node.id && known.attempt == record.attempt => {
                if record.counter <= known.highest {
                    return Some(false);
                }
                if record.counter == known.highest + 1 {
                    known.highest = record.counter;
                    return Some(true);
                }
                self.retire(hint);
                None
            }
            Some(known)
                if known.node == node.id
                    && record.attempt > known.attempt
                    && record.counter == 1 =>
            {
                let key = (node.id.clone(), record.attempt);
                if self.others.contains_key(&key) {
                    return None;
                }
                self.retire(hint);
                self.by_hint[hint] = Some(Producer {
                    node: node.id.clone(),
                    attempt: record.attempt,
                    highest: 1,
                });
                Some(true)
            }
            _ => None,
        }
    }

    /// Moves what is known at an index to the general table.
    fn retire(&mut self, hint: usize) {
        if let Some(known) = self.by_hint[hint].take() {
            let counters = Counters {
                highest: known.highest,
                ..Counters::default()
            };
            self.others.insert((known.node, known.attempt), counters);
        }
    }
}

impl MemoryStore {
    /// A store without runs.
    pub fn new() -> Self {
        Self::default()
    }

    fn run(&self, id: &RunId) -> Option<Arc<Run>> {
        self.runs
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }

    fn run_or_new(&self, id: &RunId) -> Arc<Run> {
        if let Some(run) = self.run(id) {
            return run;
        }
        let mut runs = self.runs.write().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Run {
                id: id.clone(),
                log: Mutex::default(),
                grown: Notify::new(),
                waiting: AtomicUsize::new(0),
            })
        };
        runs.entry(id.clone()).or_insert_with(new).clone()
    }
}

impl Run {
    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, records: &mut Vec<Record>) -> Appended {
        let mut log = self.log();
        let (offered, before) = (records.len(), log.last);
        for record in records.drain(..) {
            if log.producers.insert(&record) {
                log.push(record);
            }
        }
        let last = log.last;
        drop(log);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.grown.notify_waiters();
        }
        let stored = usize::try_from(last - before).unwrap_or(offered);
        Appended::new(last, stored, offered - stored)
    }

    fn read(&self, after: u64, limit: usize) -> Vec<Event> {
        let log = self.log();
        let event = |(sequence, record): (u64, &Record)| Event {
            run_id: self.id.clone(),
            sequence,
            record: record.clone(),
        };
        log.after(after).take(limit).map(event).collect()
    }

    fn summary(&self) -> Option<RunSummary> {
        let log = self.log();
        let first = log.chunks.first()?.first()?;
        let last = log.chunks.last()?.last()?;
        let mut summary = RunSummary::new(self.id.clone(), WorkflowStatus::Stale, first.timestamp);
        summary.updated_at = last.timestamp;
        summary.last_sequence = log.last;
        if let EventKind::WorkflowStatus(payload) = &first.kind {
            summary.workflow_id.clone_from(&payload.workflow_id);
        }
        let status = |record: &Record| match &record.kind {
            EventKind::WorkflowStatus(payload) => Some(payload.status),
            _ => None,
        };
        if let Some(status) = log.chunks.iter().flatten().rev().find_map(status) {
            summary.status = status;
        }
        Some(summary)
    }
}

struct Writer(Arc<Run>);

impl WriteNow for Writer {
    fn append_now(&self, records: &mut Vec<Record>) -> Appended {
        self.0.append(records)
    }
}

#[async_trait]
impl TraceStore for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::MEMORY
    }

    async fn append(&self, run: &RunId, records: Vec<Record>) -> Result<Appended, AppendError> {
        let mut records = records;
        Ok(self.run_or_new(run).append(&mut records))
    }

    fn writer_now(&self, run: &RunId) -> Option<Box<dyn WriteNow>> {
        Some(Box::new(Writer(self.run_or_new(run))))
    }

    async fn read(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        Ok(self
            .run(run)
            .map(|run| run.read(after, limit))
            .unwrap_or_default())
    }

    async fn wait_beyond(&self, run: &RunId, after: u64) -> Result<u64, StoreError> {
        let run = self.run_or_new(run);
        let _waiting = Waiting::counted(&run.waiting);
        loop {
            // Listening begins before looking, so that nothing is missed in between.
            let mut grown = std::pin::pin!(run.grown.notified());
            grown.as_mut().enable();
            let last = run.log().last;
            if last > after {
                return Ok(last);
            }
            grown.await;
        }
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        let runs: Vec<_> = self
            .runs
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect();
        let mut found: Vec<_> = runs
            .iter()
            .filter_map(|run| run.summary())
            .filter(|run| filter.status.is_none_or(|status| run.status == status))
            .filter(|run| filter.workflow_id.is_none() || run.workflow_id == filter.workflow_id)
            .collect();
        found.sort_by(|a, b| (b.started_at, &b.run_id).cmp(&(a.started_at, &a.run_id)));
        found.truncate(filter.limit);
        Ok(found)
    }
}
