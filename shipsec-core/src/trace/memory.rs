//! Logs in memory: for tests, and for hosts that keep nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use async_trait::async_trait;
use hashbrown::HashMap as FastMap;
use tokio::sync::Notify;

use super::{AppendError, Appended, Capabilities, RunFilter, RunSummary, StoreError, TraceStore};
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
}

#[derive(Debug, Default)]
struct Log {
    /// Batches as they came: an append moves its vector in and copies nothing. Each is with the
    /// sequence number before its first record.
    batches: Vec<(u64, Vec<Record>)>,
    last: u64,
    producers: Producers,
}

/// The highest counter that each producer has stored, found by the plan's index where the record
/// has it, so that the common case neither hashes nor compares text.
#[derive(Debug, Default)]
struct Producers {
    by_hint: Vec<Option<Producer>>,
    others: HashMap<(Option<NodeId>, u32), Counters>,
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
        let key = (
            record.node.as_ref().map(|node| node.id.clone()),
            record.attempt,
        );
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
                let key = (Some(node.id.clone()), record.attempt);
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
                let key = (Some(node.id.clone()), record.attempt);
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
            self.others
                .insert((Some(known.node), known.attempt), counters);
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
            })
        };
        runs.entry(id.clone()).or_insert_with(new).clone()
    }
}

impl Run {
    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, mut records: Vec<Record>) -> Appended {
        let mut log = self.log();
        let offered = records.len();
        // `retain` leaves a batch without duplicates where it is.
        records.retain(|record| log.producers.insert(record));
        let stored = records.len();
        if stored > 0 {
            let before = log.last;
            log.last += stored as u64;
            log.batches.push((before, records));
        }
        let last = log.last;
        drop(log);
        self.grown.notify_waiters();
        Appended::new(last, stored, offered - stored)
    }

    fn read(&self, after: u64, limit: usize) -> Vec<Event> {
        let log = self.log();
        let first = log
            .batches
            .partition_point(|(before, batch)| before + batch.len() as u64 <= after);
        let event = |(sequence, record): (u64, &Record)| Event {
            run_id: self.id.clone(),
            sequence,
            record: record.clone(),
        };
        log.batches[first..]
            .iter()
            .flat_map(|(before, batch)| (before + 1..).zip(batch))
            .filter(|(sequence, _)| *sequence > after)
            .take(limit)
            .map(event)
            .collect()
    }

    fn summary(&self) -> Option<RunSummary> {
        let log = self.log();
        let mut records = log.batches.iter().flat_map(|(_, batch)| batch);
        let first = records.next()?;
        let last = log.batches.last()?.1.last()?;
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
        let newest = log
            .batches
            .iter()
            .rev()
            .flat_map(|(_, batch)| batch.iter().rev());
        if let Some(status) = newest.into_iter().find_map(status) {
            summary.status = status;
        }
        Some(summary)
    }
}

#[async_trait]
impl TraceStore for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::MEMORY
    }

    async fn append(&self, run: &RunId, records: Vec<Record>) -> Result<Appended, AppendError> {
        Ok(self.run_or_new(run).append(records))
    }

    fn append_now(&self, run: &RunId, records: Vec<Record>) -> Result<Appended, Vec<Record>> {
        Ok(self.run_or_new(run).append(records))
    }

    async fn read(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        Ok(self
            .run(run)
            .map(|run| run.read(after, limit))
            .unwrap_or_default())
    }

    async fn wait_beyond(&self, run: &RunId, after: u64) -> Result<u64, StoreError> {
        let run = self.run_or_new(run);
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
