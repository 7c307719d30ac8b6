//! What a driver shares with the tasks of its nodes, with its watchdog and with its handles.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, task::AbortHandle, time::Instant};

use super::driver::Driver;
use crate::{
    ComponentError, PortId,
    component::NodeOutput,
    context::RunScope,
    event::Outputs,
    execute::{RunControl, RunOutcome},
    trace::{Lease, StoreError, TraceStore, WriteNow},
    workflow::Plan,
};

/// Times that the host sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// How long a node that was asked to stop may take.
    pub(super) grace: Duration,
    /// How long clean-up of a run that is being stopped may take.
    pub(super) clean_up: Duration,
    /// How long a store may be away.
    pub(super) patience: Duration,
    /// How long a lease lasts that is not renewed.
    pub(super) lease: Duration,
}

/// What reaches a driver from outside.
#[derive(Debug)]
pub(super) enum Message {
    /// An attempt ended.
    Ended {
        node: u32,
        attempt: u32,
        at: Instant,
        result: Result<NodeOutput, ComponentError>,
    },
    /// The large outputs of an attempt are stored, or could not be.
    Spilled {
        node: u32,
        attempt: u32,
        result: Result<Arc<Outputs>, ComponentError>,
    },
    /// Outputs of an earlier run are here, or cannot be had.
    Fetched {
        node: u32,
        attempt: u32,
        result: Result<Arc<Outputs>, (PortId, String)>,
    },
    /// The batch in flight is stored, or never will be.
    Appended(Result<(), StoreError>),
    /// Another executor has taken the run over.
    Fenced(StoreError),
    /// Somebody asks to stop the run.
    Cancel(String),
    /// Somebody kills the run.
    Terminate(String),
}

pub(super) struct Shared {
    pub(super) plan: Arc<Plan>,
    pub(super) scope: Arc<RunScope>,
    pub(super) store: Arc<dyn TraceStore>,
    /// The right to write the run's log.
    pub(super) lease: Lease,
    /// Renews it.
    pub(super) keeper: OnceLock<AbortHandle>,
    pub(super) writer: Option<Box<dyn WriteNow>>,
    pub(super) keeps_values: bool,
    pub(super) settings: Settings,
    /// Whether somebody watches for polls that do not come back; see [`super::driver::watch`].
    /// Where nobody does, nobody but the driver's own task needs its lock.
    pub(super) watched: bool,
    driver: Mutex<Driver>,
    inbox: Mutex<Vec<Message>>,
    has_mail: AtomicBool,
    /// The log's last sequence number that this executor knows.
    reached: AtomicU64,
    /// Hears of answers, once somebody waits for one.
    pub(super) listener: OnceLock<AbortHandle>,
    /// Counts the first polls that have begun.
    polls: AtomicU64,
    pub(super) outcome: watch::Sender<Option<Arc<RunOutcome>>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("id", &self.scope.run_id)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(
        plan: Arc<Plan>,
        scope: Arc<RunScope>,
        (store, lease): (Arc<dyn TraceStore>, Lease),
        settings: Settings,
        watched: bool,
        driver: Driver,
    ) -> Self {
        let keeps_values = store.capabilities().keeps_values;
        let writer = store.writer_now(&lease);
        let reached = lease.last_sequence;
        Self {
            plan,
            scope,
            store,
            lease,
            keeper: OnceLock::new(),
            writer,
            keeps_values,
            settings,
            watched,
            driver: Mutex::new(driver),
            inbox: Mutex::default(),
            has_mail: AtomicBool::new(false),
            reached: AtomicU64::new(reached),
            listener: OnceLock::new(),
            polls: AtomicU64::new(0),
            outcome: watch::Sender::new(None),
        }
    }

    pub(super) fn driver(&self) -> MutexGuard<'_, Driver> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn send(&self, message: Message) {
        self.inbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(message);
        self.has_mail.store(true, Ordering::Release);
        self.scope.recorder.arrived.notify_one();
    }

    pub(super) fn receive(&self) -> Vec<Message> {
        if !self.has_mail.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        self.has_mail.store(false, Ordering::Release);
        std::mem::take(&mut inbox)
    }

    /// The log has grown up to this event, as far as this executor knows.
    pub(super) fn reached(&self, sequence: u64) {
        self.reached.store(sequence, Ordering::Relaxed);
    }

    /// The log's last event that this executor knows.
    pub(super) fn last_known(&self) -> u64 {
        self.reached.load(Ordering::Relaxed)
    }

    /// Marks the beginning of a first poll.
    pub(super) fn mark_poll(&self) {
        // Only the task that drives the run does so, one at a time: it need not be one step.
        self.polls.store(self.polls() + 1, Ordering::Relaxed);
    }

    /// How many first polls have begun.
    pub(super) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }
}

/// The control that a handle holds: it does not keep the run's memory once the run has ended.
pub(super) struct Control(pub(super) std::sync::Weak<Shared>);

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl RunControl for Control {
    fn cancel(&self, reason: &str) {
        if let Some(shared) = self.0.upgrade() {
            shared.send(Message::Cancel(reason.to_owned()));
        }
    }

    fn terminate(&self, reason: &str) {
        if let Some(shared) = self.0.upgrade() {
            shared.send(Message::Terminate(reason.to_owned()));
        }
    }
}
