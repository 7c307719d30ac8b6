//! The way from a running node to the store: one ordered, bounded, masked buffer per run.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{sync::Notify, time::Instant};

use super::Masker;
use crate::{
    context::Context,
    event::{ErrorPayload, EventKind, Level, LogPayload, Record},
};

/// Observations that may wait for the store; what is beyond is counted instead.
const OBSERVATIONS: usize = 8 * 1024;

/// Collects the records of a run in the order in which they are to be stored. The run's driver
/// takes them out and appends them.
pub(crate) struct Recorder {
    buffer: Mutex<Buffer>,
    masker: Arc<Masker>,
    /// Tells those who wait for room that the driver took what there was.
    taken: Notify,
    /// Wakes the driver when the first record from outside of it arrives.
    pub(crate) arrived: Notify,
    waiting: AtomicBool,
    /// Whether there may be records, so that the driver need not lock to see that there are none.
    any: AtomicBool,
}

#[derive(Default)]
struct Buffer {
    records: Vec<Record>,
    observations: usize,
    /// Nodes with progress that is held back.
    held: Vec<Context>,
    closed: bool,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    pub(crate) fn new(masker: Arc<Masker>) -> Self {
        Self {
            buffer: Mutex::default(),
            masker,
            taken: Notify::new(),
            arrived: Notify::new(),
            waiting: AtomicBool::new(false),
            any: AtomicBool::new(false),
        }
    }

    fn buffer(&self) -> std::sync::MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A log line or progress of a running attempt. Nothing is recorded after its end.
    pub(crate) fn observe(
        &self,
        cx: &Context,
        level: Level,
        message: Option<Arc<str>>,
        kind: EventKind,
    ) {
        let (message, kind) = self.masked(message, kind);
        let mut buffer = self.buffer();
        if buffer.closed || cx.has_ended() {
            return;
        }
        if buffer.observations >= OBSERVATIONS {
            cx.0.omitted.fetch_add(1, Ordering::Relaxed);
            return;
        }
        Self::announce(&mut buffer, cx);
        Self::count_omitted(&mut buffer, cx);
        buffer.observations += 1;
        let record = cx.record(level, message, kind);
        buffer.records.push(record);
        self.any.store(true, Ordering::Release);
        drop(buffer);
        self.wake();
    }

    /// A fact of a running attempt: never dropped.
    pub(crate) fn fact(
        &self,
        cx: &Context,
        level: Level,
        message: Option<Arc<str>>,
        kind: EventKind,
    ) {
        let (message, kind) = self.masked(message, kind);
        let mut buffer = self.buffer();
        if buffer.closed || cx.has_ended() {
            return;
        }
        Self::announce(&mut buffer, cx);
        let record = cx.record(level, message, kind);
        buffer.records.push(record);
        self.any.store(true, Ordering::Release);
        drop(buffer);
        self.wake();
    }

    /// The first fact of an attempt that goes on beyond its first poll, from the driver, unless an
    /// event of the attempt has brought it along already.
    pub(crate) fn start(&self, cx: &Context) {
        let mut buffer = self.buffer();
        Self::announce(&mut buffer, cx);
        self.any.store(true, Ordering::Release);
    }

    /// Puts the first fact of an attempt before whatever comes next of it. An attempt that is over
    /// with its first poll so needs the buffer once.
    fn announce(buffer: &mut Buffer, cx: &Context) {
        if cx.0.counter.load(Ordering::Relaxed) == 0 {
            let kind = EventKind::NodeStarted(cx.start_payload());
            let record = cx.record_at(cx.0.started, Level::Info, None, kind);
            buffer.records.push(record);
        }
    }

    /// The last fact of an attempt, from the driver: with it the attempt has ended.
    pub(crate) fn end(
        &self,
        cx: &Context,
        now: Instant,
        level: Level,
        message: Option<Arc<str>>,
        kind: EventKind,
    ) {
        let (message, kind) = self.masked(message, kind);
        // What was held back is told now, and the end comes after it.
        let now = match cx.release_progress(now) {
            true => Instant::now(),
            false => now,
        };
        // Its items end before the node does.
        cx.end_items(now);
        let mut buffer = self.buffer();
        if cx.has_ended() {
            return;
        }
        Self::announce(&mut buffer, cx);
        Self::count_omitted(&mut buffer, cx);
        cx.set_ended();
        let record = cx.record_at(now, level, message, kind);
        buffer.records.push(record);
        self.any.store(true, Ordering::Release);
    }

    /// A fact about the run, or about a node that never started, from the driver.
    pub(crate) fn push(&self, mut record: Record) {
        (record.message, record.kind) = self.masked(record.message, record.kind);
        let mut buffer = self.buffer();
        buffer.records.push(record);
        self.any.store(true, Ordering::Release);
    }

    /// Remembers a node whose newest progress waits for its interval.
    pub(crate) fn hold_progress(&self, cx: &Context) {
        let mut buffer = self.buffer();
        if !buffer.closed {
            buffer.held.push(cx.clone());
        }
        drop(buffer);
        self.wake();
    }

    /// Sends held progress whose time has come; gives the time of the next.
    pub(crate) fn release_held(&self, now: Instant) -> Option<Instant> {
        let held = {
            let mut buffer = self.buffer();
            if buffer.held.is_empty() {
                return None;
            }
            std::mem::take(&mut buffer.held)
        };
        let mut next: Option<Instant> = None;
        let mut keep = Vec::new();
        for cx in held {
            match cx.progress_due() {
                Some(due) if due <= now => {
                    cx.release_progress(now);
                }
                Some(due) => {
                    next = Some(next.map_or(due, |next| next.min(due)));
                    keep.push(cx);
                }
                None => {}
            }
        }
        if !keep.is_empty() {
            self.buffer().held.append(&mut keep);
        }
        next
    }

    /// Takes what is to be stored next, into a vector that is empty.
    pub(crate) fn take(&self, into: &mut Vec<Record>) {
        self.waiting.store(false, Ordering::Release);
        // What is missed here is seen by `is_empty`, under the lock, before the driver waits.
        if !self.has_any() {
            return;
        }
        let mut buffer = self.buffer();
        self.any.store(false, Ordering::Release);
        buffer.observations = 0;
        std::mem::swap(&mut buffer.records, into);
        drop(buffer);
        self.taken.notify_waiters();
    }

    /// Waits until fewer than `most` events wait for the store.
    pub(crate) async fn room(&self, most: usize) {
        loop {
            let mut taken = std::pin::pin!(self.taken.notified());
            taken.as_mut().enable();
            {
                let buffer = self.buffer();
                if buffer.records.len() < most || buffer.closed {
                    return;
                }
            }
            taken.await;
        }
    }

    /// The first fact of an attempt of an item.
    pub(crate) fn begin(&self, cx: &Context) {
        self.start(cx);
        self.wake();
    }

    /// The last fact of an attempt of an item, from wherever it runs.
    pub(crate) fn end_item(
        &self,
        cx: &Context,
        now: Instant,
        level: Level,
        message: Option<Arc<str>>,
        kind: EventKind,
    ) {
        self.end(cx, now, level, message, kind);
        self.wake();
    }

    /// Whether anything may have to be stored, at a glance.
    pub(crate) fn has_any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Whether anything is to be stored.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer().records.is_empty()
    }

    /// Accepts nothing from nodes any more, and lets go of them.
    pub(crate) fn close(&self) {
        let mut buffer = self.buffer();
        buffer.closed = true;
        buffer.held.clear();
    }

    fn wake(&self) {
        if !self.waiting.swap(true, Ordering::AcqRel) {
            self.arrived.notify_one();
        }
    }

    fn count_omitted(buffer: &mut Buffer, cx: &Context) {
        let omitted = cx.0.omitted.load(Ordering::Relaxed);
        if omitted == 0 {
            return;
        }
        cx.0.omitted.store(0, Ordering::Relaxed);
        let mut payload = LogPayload::default();
        payload.fields.insert("omitted".into(), omitted.into());
        let message =
            format!("{omitted} events of this node were left out: the store did not keep up");
        let kind = EventKind::NodeLog(Box::new(payload));
        let record = cx.record(Level::Warn, Some(message.into()), kind);
        buffer.records.push(record);
    }

    fn masked(
        &self,
        message: Option<Arc<str>>,
        mut kind: EventKind,
    ) -> (Option<Arc<str>>, EventKind) {
        if self.masker.is_idle() {
            return (message, kind);
        }
        let message = message.map(|text| self.masker.text(&text).map_or(text, Into::into));
        let mask = |text: &mut String| {
            if let Some(masked) = self.masker.text(text) {
                *text = masked;
            }
        };
        match &mut kind {
            EventKind::NodeLog(payload) => {
                let mut fields = serde_json::Value::Object(std::mem::take(&mut payload.fields));
                self.masker.json(&mut fields);
                if let serde_json::Value::Object(fields) = fields {
                    payload.fields = fields;
                }
            }
            EventKind::NodeProgress(payload) => {
                if let Some(masked) = payload
                    .unit
                    .as_deref()
                    .and_then(|unit| self.masker.text(unit))
                {
                    payload.unit = Some(masked.into());
                }
            }
            EventKind::NodeArtifact(payload) => {
                mask(&mut payload.name);
                mask(&mut payload.media_type);
            }
            EventKind::NodeFailed(payload) => self.error(&mut payload.error),
            EventKind::NodeCancelled(payload) => mask(&mut payload.reason),
            EventKind::NodeAwaitingInput(payload) => {
                mask(&mut payload.title);
                if let Some(schema) = &mut payload.schema {
                    self.masker.json(schema);
                }
            }
            EventKind::WorkflowStatus(payload) => {
                if let Some(failure) = &mut payload.failure {
                    mask(&mut failure.reason);
                    if let Some(error) = &mut failure.error {
                        self.error(error);
                    }
                }
            }
            // Outputs are masked where their notes are made; the rest holds names of the graph.
            EventKind::NodeCompleted(_)
            | EventKind::NodeInputReceived(_)
            | EventKind::NodeChildStarted(_)
            | EventKind::NodeStarted(_)
            | EventKind::NodeSkipped(_)
            | EventKind::Unknown(_) => {}
        }
        (message, kind)
    }

    /// An error without the secrets in it.
    pub(crate) fn masked_error(&self, mut error: ErrorPayload) -> ErrorPayload {
        if !self.masker.is_idle() {
            self.error(&mut error);
        }
        error
    }

    fn error(&self, error: &mut ErrorPayload) {
        if let Some(masked) = self.masker.text(&error.message) {
            error.message = masked;
        }
        for message in error.field_errors.values_mut().flatten() {
            if let Some(masked) = self.masker.text(message) {
                *message = masked;
            }
        }
        if let Some(details) = &mut error.details {
            self.masker.json(details);
        }
    }
}
