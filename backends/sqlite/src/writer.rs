//! The one thread that writes: group commit.

use std::{path::PathBuf, sync::Arc};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use shipsec_core::{
    RunId,
    event::{EventKind, Record, WorkflowStatus},
    trace::{AppendError, Appended, Lease, StoreError},
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    error::store_error,
    house::House,
    rows::{INSERT, Texts, level_number, texts},
};

/// Rows that one transaction takes at most, save for a batch that is larger by itself.
const ROWS: usize = 4096;

/// What the writer does.
pub(crate) enum Task {
    Append(Job),
    /// Something else that writes, between two transactions.
    Other(Box<dyn FnOnce(&mut Connection) + Send>),
}

/// One append that waits.
pub(crate) struct Job {
    pub(crate) run: RunId,
    /// Whose append it is; none where it comes from outside of an executor.
    pub(crate) lease: Option<Lease>,
    pub(crate) records: Vec<Record>,
    pub(crate) reply: oneshot::Sender<Result<Appended, AppendError>>,
}

pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) path: Arc<PathBuf>,
    pub(crate) house: Arc<House>,
}

impl Writer {
    /// Writes until nobody can append any more.
    pub(crate) fn run(mut self, mut tasks: mpsc::Receiver<Task>) {
        let mut waiting = Vec::new();
        while let Some(task) = tasks.blocking_recv() {
            let (mut task, mut rows) = (Some(task), 0);
            while let Some(Task::Append(job)) = task {
                rows += job.records.len();
                waiting.push(job);
                task = (rows < ROWS).then(|| tasks.try_recv().ok()).flatten();
            }
            if !waiting.is_empty() {
                self.write(&mut waiting);
            }
            if let Some(Task::Other(work)) = task {
                work(&mut self.connection);
                self.house.grown([]);
            }
        }
    }

    fn write(&mut self, waiting: &mut Vec<Job>) {
        // Values become text before the file is locked.
        let mut ready = Vec::with_capacity(waiting.len());
        for job in waiting.drain(..) {
            let texts: Result<Vec<Texts>, StoreError> = job
                .records
                .iter()
                .map(|record| texts(record, &self.path))
                .collect();
            match texts {
                Ok(texts) => ready.push((job, texts)),
                Err(error) => fail(job, error),
            }
        }
        match self.commit(&ready) {
            Ok(appended) => {
                let runs: Vec<RunId> = ready.iter().map(|(job, _)| job.run.clone()).collect();
                for ((job, _), appended) in ready.into_iter().zip(appended) {
                    match (appended, &job.lease) {
                        // Whoever does not wait any more finds the events in the log.
                        (Some(appended), _) => drop(job.reply.send(Ok(appended))),
                        (None, Some(lease)) => {
                            let error = lease.fenced();
                            fail(job, error);
                        }
                        (None, None) => {}
                    }
                }
                self.house.grown(&runs);
            }
            Err(error) => {
                let error = store_error(&self.path, "appending", &error);
                for (job, _) in ready {
                    fail(job, error.clone());
                }
            }
        }
    }

    /// What became of each append; none of one that is fenced off.
    fn commit(&mut self, ready: &[(Job, Vec<Texts>)]) -> rusqlite::Result<Vec<Option<Appended>>> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let appended = ready
            .iter()
            .map(|(job, texts)| append(&transaction, job, texts))
            .collect();
        let appended: Vec<_> = match appended {
            Ok(appended) => appended,
            Err(error) => {
                transaction.rollback()?;
                return Err(error);
            }
        };
        transaction.commit()?;
        Ok(appended)
    }
}

fn fail(job: Job, error: StoreError) {
    let _ = job.reply.send(Err(AppendError {
        error,
        records: job.records,
    }));
}

/// `None` where the lease is not the run's newest.
fn append(
    transaction: &Transaction<'_>,
    job: &Job,
    texts: &[Texts],
) -> rusqlite::Result<Option<Appended>> {
    let sql = "SELECT key, last_sequence, epoch FROM runs WHERE run_id = ?1";
    let known: Option<(i64, i64, i64)> = transaction
        .prepare_cached(sql)?
        .query_row([job.run.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let newest = known.map_or(0, |(_, _, epoch)| unsigned(epoch));
    if job
        .lease
        .as_ref()
        .is_some_and(|lease| lease.epoch != newest)
    {
        return Ok(None);
    }
    let Some(first) = job.records.first() else {
        let last = known.map_or(0, |(_, last, _)| unsigned(last));
        return Ok(Some(Appended::new(last, 0, 0)));
    };
    let (key, before) = match known {
        // A run that was leased before it had events began with the first of them.
        Some((key, 0, _)) => {
            let sql = "UPDATE runs SET started_at = ?2 WHERE key = ?1";
            transaction
                .prepare_cached(sql)?
                .execute(params![key, first.timestamp.as_micros()])?;
            (key, 0)
        }
        Some((key, before, _)) => (key, before),
        None => {
            let sql = "INSERT INTO runs (run_id, status, started_at, updated_at, last_sequence)
                       VALUES (?1, ?2, ?3, ?3, 0)";
            let status = WorkflowStatus::Stale.as_str();
            let at = first.timestamp.as_micros();
            transaction
                .prepare_cached(sql)?
                .execute(params![job.run.as_str(), status, at])?;
            (transaction.last_insert_rowid(), 0)
        }
    };
    let mut insert = transaction.prepare_cached(INSERT)?;
    let mut last = before;
    let mut newest = None;
    let mut status: Option<&'static str> = None;
    let mut workflow = None;
    for (record, texts) in job.records.iter().zip(texts) {
        let stored = insert.execute(params![
            key,
            last + 1,
            record.timestamp.as_micros(),
            record.kind.type_name(),
            level_number(record.level),
            record.node_id().map_or("", |node| node.as_str()),
            record.attempt,
            record.counter,
            record.message.as_deref(),
            texts.payload,
            texts.extra,
        ])?;
        if stored == 0 {
            continue;
        }
        last += 1;
        newest = Some(record.timestamp.as_micros());
        if let EventKind::WorkflowStatus(payload) = &record.kind {
            status = Some(payload.status.as_str());
            workflow = workflow.or(payload.workflow_id.as_ref());
        }
    }
    if let Some(newest) = newest {
        let sql = "UPDATE runs SET last_sequence = ?2, updated_at = ?3,
                   status = coalesce(?4, status), workflow_id = coalesce(workflow_id, ?5) WHERE key = ?1";
        let workflow = workflow.map(|id| id.as_str());
        transaction
            .prepare_cached(sql)?
            .execute(params![key, last, newest, status, workflow])?;
    }
    let stored = usize::try_from(last - before).unwrap_or(0);
    Ok(Some(Appended::new(
        unsigned(last),
        stored,
        job.records.len() - stored,
    )))
}

pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
