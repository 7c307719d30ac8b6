//! The contract of a trace store.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Lease, LeaseError};
use crate::{
    RunId, WorkflowId,
    event::{AttemptRecord, Event, Record, Timestamp, WorkflowStatus},
    workflow::Plan,
};

/// Keeps the logs of runs.
///
/// An implementer proves itself with the conformance suite of `shipsec-testkit`; each clause below
/// is one case of it.
///
/// # Behavior
///
/// - **Sequence**: `append` gives each event of a run the next number, from 1, without a gap or a
///   duplicate, in the order of the records, also when many tasks and processes append at once.
/// - **Atomic**: the records of one `append` are stored all or none, next to each other.
/// - **Idempotent**: a record whose producer key (node, attempt, counter) the run already has is
///   not stored again; [`Appended`] counts it, and the others of the batch are stored.
/// - **Durable**: `append` returns once the events are durable in the sense that the store's
///   documentation states, and readable by everybody.
/// - **Kept on failure**: a failed `append` gives the records back, so that they can be tried
///   again; when its reply is lost, trying again stores nothing twice.
/// - **Cancellation**: dropping the future of an `append` stores all or none of its records.
/// - **Read**: `read` gives events after a number in ascending order, at most `limit`; an unknown
///   run has none, which is no error.
/// - **Wait**: `wait_beyond` returns once the log's last sequence is greater than the number
///   given, also when another process appended; until then it costs next to nothing. It is
///   cancel-safe.
/// - **Unknown**: types and fields that this version does not know are given back as they came.
/// - **Isolation**: runs do not see each other's events.
/// - **Lease**: at most one holder has the lease of a run at any time. It is free when nobody took
///   it, when its holder released it, when its time is over, and when the store can tell that the
///   holder's process is gone. Each lease has a higher epoch than the one before, also where the run
///   was removed in between.
/// - **Fence**: what is appended under any lease but the run's newest is refused with
///   [`StoreErrorKind::Fenced`], and nothing of it is stored.
/// - **Remove**: `remove` leaves nothing of a run, whoever reads it; a run whose lease is held stays
///   as it is. What is appended under a lease from before the removal is refused, whether or not
///   there is a run of that id again.
/// - **Remove as holder**: `remove_as` removes a run under its newest lease, which ends with it, and
///   nobody comes in between; under any other lease it is refused, and the run stays.
/// - **Listed**: `runs` tells who holds the lease of each run now; with
///   [`RunFilter::interrupted`] it lists the runs that have not ended and that nobody holds.
/// - **Pages**: the runs [after](RunFilter::after) the place of the last one of a list are the next
///   ones, each once.
#[async_trait]
pub trait TraceStore: fmt::Debug + Send + Sync + 'static {
    /// What this store does beyond the contract.
    fn capabilities(&self) -> Capabilities;

    /// Appends records to the log of a run from outside of its executor: an answer that a run
    /// waits for, a log that was exported elsewhere.
    ///
    /// # Errors
    ///
    /// [`AppendError`], with the records.
    async fn append(&self, run: &RunId, records: Vec<Record>) -> Result<Appended, AppendError>;

    /// Appends records to the log of a run as its executor.
    ///
    /// # Errors
    ///
    /// [`AppendError`], with the records; its kind is [`StoreErrorKind::Fenced`] when another
    /// executor has taken the run over.
    async fn append_as(&self, lease: &Lease, records: Vec<Record>)
    -> Result<Appended, AppendError>;

    /// A writer that appends to one run without waiting, for a store that never has to wait;
    /// `None` otherwise, and the caller goes on with [`append_as`](Self::append_as).
    fn writer_now(&self, lease: &Lease) -> Option<Box<dyn WriteNow>> {
        let _ = lease;
        None
    }

    /// Takes the lease of a run, for `ttl` unless it is renewed. The run need not have events yet.
    /// `holder` names whoever takes it, for people and for telling one from another; whoever holds
    /// the lease already gets a new one.
    ///
    /// # Errors
    ///
    /// [`LeaseError`] when another holder has it, or the store cannot be used.
    async fn acquire(&self, run: &RunId, holder: &str, ttl: Duration) -> Result<Lease, LeaseError>;

    /// Lets a lease last `ttl` from now on.
    ///
    /// # Errors
    ///
    /// [`StoreError`], of kind [`StoreErrorKind::Fenced`] when the lease is not the run's newest or
    /// was released.
    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<(), StoreError>;

    /// Ends a lease; one that is not the run's newest has ended already.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be used; the lease ends with its time then.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;

    /// The events of a run after sequence number `after`, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read, or holds something that is no event.
    async fn read(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// Waits until the run's last sequence number is greater than `after`, and returns it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    async fn wait_beyond(&self, run: &RunId, after: u64) -> Result<u64, StoreError>;

    /// Removes a run with its whole log. Whether there was one.
    ///
    /// # Errors
    ///
    /// [`LeaseError`] when somebody holds the run's lease, or the store cannot be used.
    async fn remove(&self, run: &RunId) -> Result<bool, LeaseError>;

    /// Removes a run with its whole log for who holds its lease, which ends with it. Whether there was
    /// a log.
    ///
    /// # Errors
    ///
    /// [`StoreError`], of kind [`StoreErrorKind::Fenced`] when the lease is not the run's newest.
    async fn remove_as(&self, lease: &Lease) -> Result<bool, StoreError>;

    /// The runs that fit a filter, the newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError>;
}

/// Appends to one run without waiting. The clauses of [`TraceStore::append_as`] hold.
pub trait WriteNow: Send + Sync {
    /// Takes the records out of the vector and appends them.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Fenced`] when another executor has taken the run over; nothing is stored
    /// then.
    fn append_now(&self, records: &mut Vec<Record>) -> Result<Appended, StoreError>;

    /// Takes attempts out of the vector and appends both records of each. A store that keeps
    /// [`AttemptRecord`]s as they are saves room and time.
    ///
    /// # Errors
    ///
    /// As [`append_now`](Self::append_now).
    fn append_attempts(
        &self,
        plan: &Arc<Plan>,
        attempts: &mut Vec<AttemptRecord>,
    ) -> Result<Appended, StoreError> {
        let both =
            |attempt: AttemptRecord| [attempt.started_record(plan), attempt.completed_record(plan)];
        let mut records = attempts.drain(..).flat_map(both).collect();
        self.append_now(&mut records)
    }
}

/// What a store does beyond the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// Events stay in this process as typed values: nothing becomes JSON until somebody reads it,
    /// so large outputs need not go to artifact storage.
    pub keeps_values: bool,
    /// Events outlive the process.
    pub durable: bool,
}

impl Capabilities {
    /// Of a store inside this process.
    pub const MEMORY: Self = Self {
        keeps_values: true,
        durable: false,
    };
    /// Of a store that outlives the process.
    pub const DURABLE: Self = Self {
        keeps_values: false,
        durable: true,
    };
}

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Appended {
    /// The log's last sequence number afterwards.
    pub last_sequence: u64,
    /// How many records were stored now.
    pub stored: usize,
    /// How many were there already.
    pub duplicates: usize,
}

impl Appended {
    /// What an append did.
    pub fn new(last_sequence: u64, stored: usize, duplicates: usize) -> Self {
        Self {
            last_sequence,
            stored,
            duplicates,
        }
    }
}

/// A failed append, with the records that were to be stored.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct AppendError {
    /// Why.
    #[source]
    pub error: StoreError,
    /// What was to be stored.
    pub records: Vec<Record>,
}

/// What kind of trouble a store has: it decides whether trying again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Away, busy, or full for now: trying again later may succeed.
    Unavailable,
    /// Does not allow this: read-only, or no permission.
    Denied,
    /// Holds something that it cannot read.
    Corrupt,
    /// Another process runs this run now; this one must stop.
    Fenced,
    /// Anything else that trying again does not heal.
    Other,
}

/// Trouble with a store.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    #[source]
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl StoreError {
    /// An error whose message names the store, and says what to do.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What kind of trouble.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Whether trying again later may succeed.
    pub fn is_retryable(&self) -> bool {
        self.kind == StoreErrorKind::Unavailable
    }
}

/// Which runs to list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunFilter {
    /// Only this run.
    pub run_id: Option<RunId>,
    /// Only those of this workflow.
    pub workflow_id: Option<WorkflowId>,
    /// Only those with this status.
    pub status: Option<WorkflowStatus>,
    /// Only those that have not ended and that no executor runs: their process died.
    pub interrupted: bool,
    /// Only those that are listed after this place: the next page.
    pub after: Option<RunPlace>,
    /// At most this many.
    pub limit: usize,
}

impl Default for RunFilter {
    fn default() -> Self {
        Self {
            run_id: None,
            workflow_id: None,
            status: None,
            interrupted: false,
            after: None,
            limit: 100,
        }
    }
}

impl RunFilter {
    /// At most this many runs.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Only this run.
    #[must_use]
    pub fn with_run(mut self, run: RunId) -> Self {
        self.run_id = Some(run);
        self
    }

    /// Only runs of this workflow.
    #[must_use]
    pub fn with_workflow(mut self, workflow: impl Into<WorkflowId>) -> Self {
        self.workflow_id = Some(workflow.into());
        self
    }

    /// Only runs with this status.
    #[must_use]
    pub fn with_status(mut self, status: WorkflowStatus) -> Self {
        self.status = Some(status);
        self
    }
}

impl RunFilter {
    /// Only runs that have not ended and that no executor runs.
    #[must_use]
    pub fn interrupted(mut self) -> Self {
        self.interrupted = true;
        self
    }

    /// Only runs that are listed after this place.
    #[must_use]
    pub fn after(mut self, place: RunPlace) -> Self {
        self.after = Some(place);
        self
    }

    /// Whether a run fits, for a store that asks itself of each. The limit is not looked at.
    pub fn fits(&self, run: &RunSummary) -> bool {
        self.run_id.as_ref().is_none_or(|id| run.run_id == *id)
            && self.status.is_none_or(|status| run.status == status)
            && self.after.as_ref().is_none_or(|place| run.place() < *place)
            && (self.workflow_id.is_none() || run.workflow_id == self.workflow_id)
            && (!self.interrupted || run.is_interrupted())
    }
}

/// Where a run stands in the list of runs: by the time at which it started, the newest first. It
/// stays where it is, however many runs are listed before it later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct RunPlace {
    /// Time of its first event.
    pub started_at: Timestamp,
    /// The run, among those of one time.
    pub run_id: RunId,
}

impl RunPlace {
    /// The place of a run that started at this time.
    pub fn new(started_at: Timestamp, run_id: RunId) -> Self {
        Self { started_at, run_id }
    }
}

/// One line of a list of runs: what the `WORKFLOW_STATUS` events of its log say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunSummary {
    /// The run.
    pub run_id: RunId,
    /// The workflow, once the log says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<WorkflowId>,
    /// The status that the last `WORKFLOW_STATUS` event gave.
    pub status: WorkflowStatus,
    /// Time of the first event.
    pub started_at: Timestamp,
    /// Time of the last event.
    pub updated_at: Timestamp,
    /// Sequence number of the last event.
    pub last_sequence: u64,
    /// The executor that runs it now. None where the run has ended, or its executor has died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
}

impl RunSummary {
    /// A run whose log holds one event so far.
    pub fn new(run_id: RunId, status: WorkflowStatus, at: Timestamp) -> Self {
        Self {
            run_id,
            workflow_id: None,
            status,
            started_at: at,
            updated_at: at,
            last_sequence: 1,
            holder: None,
        }
    }

    /// Where it stands in the list.
    pub fn place(&self) -> RunPlace {
        RunPlace::new(self.started_at, self.run_id.clone())
    }

    /// Whether the run has not ended, and no executor runs it.
    pub fn is_interrupted(&self) -> bool {
        !self.status.is_final() && self.holder.is_none()
    }
}
