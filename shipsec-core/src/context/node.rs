//! The context of one attempt of one node.
//!
//! Long because all that a component can ask of its context is one list.

use std::{
    fmt,
    future::Future,
    path::Path,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence},
    },
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    ArtifactEmitter, LogLine, Moment, Progress, RunScope, artifact,
    cancel::CancelCell,
    item::{ItemOf, Items},
    progress::{Coalesced, PROGRESS_INTERVAL},
};
use crate::{
    ArtifactId, ComponentError, NodeId, RunId, Secret, SecretName, WorkflowId,
    event::{AttemptRecord, EventKind, Given, Level, NodeRef, Record, StartedPayload, Timestamp},
    value::FileRef,
    workflow::PlanNode,
};

/// What a running component is given: its way to the log, to artifacts and secrets, and the news
/// that it should stop. Clones stand for the same attempt.
#[derive(Clone)]
pub struct Context(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) scope: Arc<RunScope>,
    /// Index of the node in the run's plan.
    pub(crate) index: u32,
    pub(crate) attempt: u32,
    /// Index of the node whose outcome satisfied the join; `u32::MAX` for none.
    triggered_by: u32,
    /// Counts this attempt's events; only written under the recorder's lock.
    pub(crate) counter: AtomicU32,
    pub(crate) started: Instant,
    started_at: Timestamp,
    pub(crate) deadline: Option<Instant>,
    cancel: CancelCell,
    /// Milliseconds from `started` to the last sign of life.
    beat: AtomicU64,
    /// Set with the attempt's last fact, under the recorder's lock.
    ended: AtomicBool,
    /// Log lines that were left out since the last event that counted them.
    pub(crate) omitted: AtomicU32,
    rest: OnceLock<Box<Rest>>,
    /// Where it is one item of the node.
    pub(super) item: Option<Box<ItemOf>>,
}

/// What few components use.
#[derive(Default)]
struct Rest {
    progress: Mutex<Coalesced>,
    temp_dir: OnceLock<tempfile::TempDir>,
    artifacts: AtomicU32,
    questions: AtomicU32,
    children: AtomicU32,
    items: Items,
    waits: AtomicBool,
    tasks: Mutex<Vec<tokio::task::AbortHandle>>,
}

impl Context {
    /// The context of an attempt: of which node, which one, triggered by which node.
    pub(crate) fn new(
        scope: Arc<RunScope>,
        attempt: (u32, u32, Option<u32>),
        started: Moment,
        timeout: Option<Duration>,
    ) -> Self {
        Self::with_item(scope, attempt, started, timeout, None)
    }

    pub(super) fn with_item(
        scope: Arc<RunScope>,
        (index, attempt, triggered_by): (u32, u32, Option<u32>),
        started: Moment,
        timeout: Option<Duration>,
        item: Option<ItemOf>,
    ) -> Self {
        Self(Arc::new(Inner {
            scope,
            index,
            attempt,
            triggered_by: triggered_by.unwrap_or(u32::MAX),
            counter: AtomicU32::new(0),
            started: started.instant,
            started_at: started.timestamp,
            deadline: timeout.and_then(|limit| started.instant.checked_add(limit)),
            cancel: CancelCell::default(),
            beat: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            omitted: AtomicU32::new(0),
            rest: OnceLock::new(),
            item: item.map(Box::new),
        }))
    }

    /// The context of an attempt that began in another process, and goes on here: of which node,
    /// which one, triggered by which node; when it began; how many events and artifacts it has told.
    pub(crate) fn continued(
        scope: Arc<RunScope>,
        attempt: (u32, u32, Option<u32>),
        began: Timestamp,
        timeout: Option<Duration>,
        told: (u32, u32),
    ) -> Self {
        Self::continuing(scope, attempt, began, timeout, told, None)
    }

    pub(super) fn continuing(
        scope: Arc<RunScope>,
        attempt: (u32, u32, Option<u32>),
        began: Timestamp,
        timeout: Option<Duration>,
        (events, artifacts): (u32, u32),
        item: Option<ItemOf>,
    ) -> Self {
        let now = scope.clock.moment();
        let before = now.timestamp.since(began);
        let started = Moment {
            instant: now.instant.checked_sub(before).unwrap_or(now.instant),
            timestamp: began,
        };
        let cx = Self::with_item(scope, attempt, started, timeout, item);
        cx.0.counter.store(events, Ordering::Relaxed);
        if artifacts > 0 {
            cx.rest().artifacts.store(artifacts, Ordering::Relaxed);
        }
        cx.beat_at(now.instant);
        cx
    }

    /// This context for another attempt, where nobody holds it any more.
    pub(crate) fn again(
        mut self,
        (index, attempt, triggered_by): (u32, u32, Option<u32>),
        started: Moment,
        timeout: Option<Duration>,
    ) -> Option<Self> {
        let inner = Arc::get_mut(&mut self.0)?;
        // What follows is plain memory: nobody else can see it.
        inner.index = index;
        inner.attempt = attempt;
        inner.triggered_by = triggered_by.unwrap_or(u32::MAX);
        inner.started = started.instant;
        inner.started_at = started.timestamp;
        inner.deadline = timeout.and_then(|limit| started.instant.checked_add(limit));
        inner.counter = AtomicU32::new(0);
        inner.cancel = CancelCell::default();
        inner.beat = AtomicU64::new(0);
        inner.ended = AtomicBool::new(false);
        inner.omitted = AtomicU32::new(0);
        inner.rest = OnceLock::new();
        inner.item = None;
        Some(self)
    }

    /// The microseconds that an attempt took which has ended, where nothing of it was told and
    /// nobody is left who could tell more.
    pub(crate) fn untold(&self, ended: Timestamp) -> Option<u32> {
        let inner = &*self.0;
        if Arc::strong_count(&self.0) != 1 {
            return None;
        }
        // With whoever gave a clone back, all that was done with it is seen.
        fence(Ordering::Acquire);
        if inner.counter.load(Ordering::Relaxed) != 0
            || inner.omitted.load(Ordering::Relaxed) != 0
            || inner.rest.get().is_some()
        {
            return None;
        }
        let took = ended.as_micros() - inner.started_at.as_micros();
        u32::try_from(took).ok()
    }

    /// Both events of an attempt that has succeeded.
    #[inline]
    pub(crate) fn attempt_record(
        &self,
        ended: Timestamp,
        micros: u32,
        outputs: Given,
    ) -> AttemptRecord {
        let inner = &*self.0;
        AttemptRecord::new(
            (inner.index, inner.attempt, inner.triggered_by),
            (inner.started_at, ended),
            micros,
            outputs,
        )
    }

    pub(crate) fn scope(&self) -> &RunScope {
        &self.0.scope
    }

    fn plan_node(&self) -> &PlanNode {
        &self.0.scope.plan.nodes[self.0.index as usize]
    }

    fn node(&self) -> &NodeRef {
        match &self.0.item {
            Some(of) => &of.node,
            None => &self.plan_node().node,
        }
    }

    pub(super) fn items(&self) -> &Items {
        &self.rest().items
    }

    /// What it knows of items, where it is a node that has any.
    pub(super) fn items_if_any(&self) -> Option<&Items> {
        Some(&self.0.rest.get()?.items)
    }

    pub(super) fn waits(&self) -> &AtomicBool {
        &self.rest().waits
    }

    /// The payload of the attempt's first event.
    pub(crate) fn start_payload(&self) -> StartedPayload {
        let node = self.plan_node();
        let by = self.0.scope.plan.nodes.get(self.0.triggered_by as usize);
        StartedPayload {
            component: node.component.clone(),
            triggered_by: by.map(|by| by.node.id.clone()),
            join_strategy: node.join,
        }
    }

    /// Index of the node whose outcome satisfied the join.
    pub(crate) fn triggered_by(&self) -> Option<u32> {
        (self.0.triggered_by != u32::MAX).then_some(self.0.triggered_by)
    }

    /// Its progress, where it has told any.
    fn told_progress(&self) -> Option<MutexGuard<'_, Coalesced>> {
        let rest = self.0.rest.get()?;
        Some(rest.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn rest(&self) -> &Rest {
        self.0.rest.get_or_init(Box::default)
    }

    /// The run.
    pub fn run_id(&self) -> &RunId {
        &self.0.scope.run_id
    }

    /// The workflow.
    pub fn workflow_id(&self) -> &WorkflowId {
        self.0.scope.plan.workflow_id()
    }

    /// The node.
    pub fn node_id(&self) -> &NodeId {
        &self.node().id
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// When this attempt is timed out, if ever.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// A line of the node's log. Never waits.
    ///
    /// ```no_run
    /// # use shipsec_core::{context::Context, event::Level};
    /// # fn demo(cx: &Context) {
    /// cx.log(Level::Warn, "3 files could not be read");
    /// cx.log_line(Level::Info, "listening").field("port", 8080).send();
    /// # }
    /// ```
    pub fn log(&self, level: Level, message: impl AsRef<str>) {
        self.log_line(level, message).send();
    }

    /// A line of the node's log at level `debug`.
    pub fn debug(&self, message: impl AsRef<str>) {
        self.log(Level::Debug, message);
    }

    /// A line of the node's log at level `info`.
    pub fn info(&self, message: impl AsRef<str>) {
        self.log(Level::Info, message);
    }

    /// A line of the node's log at level `warn`.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.log(Level::Warn, message);
    }

    /// A line of the node's log at level `error`.
    pub fn error(&self, message: impl AsRef<str>) {
        self.log(Level::Error, message);
    }

    /// A line of the node's log with fields; ends with [`LogLine::send`].
    pub fn log_line(&self, level: Level, message: impl AsRef<str>) -> LogLine<'_> {
        LogLine::new(self, level, message)
    }

    /// Tells how far the node is, and that it lives. Cheap to call a million times: what comes
    /// within 100 ms of the last event is held, and the newest is never lost. A count that falls
    /// below an earlier one is raised to it.
    pub fn progress(&self, mut progress: Progress) {
        let now = Instant::now();
        self.beat_at(now);
        let mut held = self
            .rest()
            .progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(done) = &mut progress.payload.done {
            held.highest = held.highest.max(*done);
            *done = held.highest;
        }
        let due = held
            .sent
            .is_none_or(|sent| now.duration_since(sent) >= PROGRESS_INTERVAL);
        if due {
            held.sent = Some(now);
            held.held = None;
            drop(held);
            self.observe_progress(progress);
        } else if held.held.replace(progress).is_none() {
            drop(held);
            self.0.scope.recorder.hold_progress(self);
        }
    }

    /// Sends the progress that was held back. Whether there was any.
    pub(crate) fn release_progress(&self, now: Instant) -> bool {
        let Some(mut held) = self.told_progress() else {
            return false;
        };
        let Some(progress) = held.held.take() else {
            return false;
        };
        held.sent = Some(now);
        drop(held);
        self.observe_progress(progress);
        true
    }

    /// When progress that is held back may be sent.
    pub(crate) fn progress_due(&self) -> Option<Instant> {
        let held = self.told_progress()?;
        held.held.as_ref()?;
        held.sent.map(|sent| sent + PROGRESS_INTERVAL)
    }

    fn observe_progress(&self, progress: Progress) {
        let text = progress.text();
        self.observe(
            Level::Info,
            text,
            EventKind::NodeProgress(Box::new(progress.payload)),
        );
    }

    /// Tells that the node lives, without an event.
    pub fn heartbeat(&self) {
        self.beat_at(Instant::now());
    }

    fn beat_at(&self, now: Instant) {
        let since = now.saturating_duration_since(self.0.started).as_millis();
        self.0
            .beat
            .store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// When the node gave its last sign of life.
    pub(crate) fn last_beat(&self) -> Instant {
        self.0.started + Duration::from_millis(self.0.beat.load(Ordering::Relaxed))
    }

    /// Keeps bytes as an artifact of this node, and records it. Secrets in the bytes are masked.
    ///
    /// # Errors
    ///
    /// A `ValidationError` when the name is not a plain file name, a `ResourceUnavailableError`
    /// when the storage fails.
    pub async fn emit_artifact(
        &self,
        name: &str,
        media_type: &str,
        bytes: impl Into<Bytes>,
    ) -> Result<FileRef, ComponentError> {
        artifact::emit(self, name, media_type, bytes.into()).await
    }

    /// Keeps a stream of bytes as an artifact of this node; it is never whole in memory.
    ///
    /// # Errors
    ///
    /// As [`emit_artifact`](Self::emit_artifact), or the stream's own error.
    pub async fn emit_artifact_stream<S, B>(
        &self,
        name: &str,
        media_type: &str,
        bytes: S,
    ) -> Result<FileRef, ComponentError>
    where
        S: Stream<Item = std::io::Result<B>> + Send,
        B: AsRef<[u8]> + Send,
    {
        let mut emitter = self.artifact(name, media_type)?;
        let mut bytes = std::pin::pin!(bytes);
        while let Some(chunk) = bytes.next().await {
            match chunk {
                Ok(chunk) => emitter.write(chunk).await?,
                Err(error) => {
                    emitter.abort().await;
                    return Err(error.into());
                }
            }
        }
        emitter.finish().await
    }

    /// Opens an artifact to be written piece by piece.
    ///
    /// # Errors
    ///
    /// A `ValidationError` when the name is not a plain file name.
    pub fn artifact(
        &self,
        name: &str,
        media_type: &str,
    ) -> Result<ArtifactEmitter, ComponentError> {
        ArtifactEmitter::open(self, name, media_type)
    }

    /// Counts the questions of the attempt, from 1.
    pub(crate) fn next_question(&self) -> u32 {
        self.rest().questions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts the runs that the attempt calls, from 1.
    pub(crate) fn next_child(&self) -> u32 {
        self.rest().children.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn next_artifact_id(&self) -> ArtifactId {
        let n = self.rest().artifacts.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{}/{}/{n}", self.node().id, self.0.attempt).into()
    }

    /// Reads the bytes of a file reference as a stream.
    ///
    /// # Errors
    ///
    /// A `NotFoundError` when artifact storage does not have it, a `ValidationError` when it does
    /// not point into artifact storage.
    pub async fn open_file(
        &self,
        file: &FileRef,
    ) -> Result<impl Stream<Item = Result<Bytes, ComponentError>> + Send + use<>, ComponentError>
    {
        let artifacts = &self.0.scope.artifacts;
        let stream = artifacts.get(&file.location).await.map_err(|error| {
            ComponentError::not_found(format!("file {}: {error}", file.name)).with_source(error)
        })?;
        Ok(stream.map(|chunk| {
            chunk.map_err(|error| ComponentError::resource_unavailable(error.to_string()))
        }))
    }

    /// A secret by name. From here on the run masks its value in everything that it records.
    ///
    /// # Errors
    ///
    /// A `ConfigurationError` when the host's source does not know the name, a
    /// `ResourceUnavailableError` when it cannot be asked.
    pub async fn secret(
        &self,
        name: impl Into<SecretName>,
    ) -> Result<Secret<String>, ComponentError> {
        let name = name.into();
        let value = self.0.scope.secrets.resolve(&name).await?;
        self.0.scope.masker.learn(Some(&name), &value);
        Ok(Secret::named(name, value))
    }

    /// Makes a secret of a value that the component came by, so that the run masks it in
    /// everything that it records.
    pub fn keep_secret(&self, value: String) -> Secret<String> {
        self.0.scope.masker.learn(None, &value);
        Secret::new(value)
    }

    /// Whether the node should stop: clean up, then return any error, best soon.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancel.is_cancelled()
    }

    /// Waits until the node should stop. Cancel-safe.
    pub async fn cancelled(&self) {
        self.cancellation_token().cancelled().await;
    }

    /// The token that is cancelled when the node should stop.
    pub fn cancellation_token(&self) -> &CancellationToken {
        self.0.cancel.token()
    }

    pub(crate) fn cancel(&self) {
        self.0.cancel.cancel();
    }

    /// A folder of this attempt alone, made at the first call and removed when the attempt ends.
    ///
    /// # Errors
    ///
    /// The kind of the file system's error.
    pub fn temp_dir(&self) -> Result<&Path, ComponentError> {
        let rest = self.rest();
        if let Some(dir) = rest.temp_dir.get() {
            return Ok(dir.path());
        }
        let root = self
            .0
            .scope
            .temp_root
            .clone()
            .unwrap_or_else(std::env::temp_dir);
        let made: std::io::Result<_> = std::fs::create_dir_all(&root)
            .and_then(|()| tempfile::Builder::new().prefix("node-").tempdir_in(&root));
        let made = made.map_err(|error| temp_error(&root, error))?;
        Ok(rest.temp_dir.get_or_init(|| made).path())
    }

    /// Runs a future beside the component's own, inside the node's span. It is aborted when the
    /// attempt ends, unless it ended before.
    pub fn spawn<F>(&self, future: F) -> NodeTask<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let handle = tokio::spawn(future.in_current_span());
        let mut tasks = self
            .rest()
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(handle.abort_handle());
        NodeTask(handle)
    }

    /// The HTTP client of the run. Its requests show in the node's log, without their secrets.
    #[cfg(feature = "http")]
    pub fn http(&self) -> super::HttpClient {
        super::HttpClient::new(self.clone())
    }

    /// Aborts what [`spawn`](Self::spawn) started, and removes the temp folder. The executor calls
    /// it when the attempt has ended.
    pub(crate) fn close(&self) {
        self.forget_items();
        if let Some(rest) = self.0.rest.get() {
            for task in rest
                .tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .drain(..)
            {
                task.abort();
            }
            if let Some(dir) = rest.temp_dir.get()
                && let Err(error) = std::fs::remove_dir_all(dir.path())
                && error.kind() != std::io::ErrorKind::NotFound
            {
                self.warn(format!("temp folder {}: {error}", dir.path().display()));
            }
        }
    }

    pub(crate) fn observe(&self, level: Level, message: Option<Arc<str>>, kind: EventKind) {
        self.0.scope.recorder.observe(self, level, message, kind);
    }

    pub(crate) fn fact(&self, level: Level, message: Option<Arc<str>>, kind: EventKind) {
        self.0.scope.recorder.fact(self, level, message, kind);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.ended.load(Ordering::Relaxed)
    }

    pub(crate) fn set_ended(&self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }

    /// A record of this attempt; the recorder calls it under its lock, which keeps counters in
    /// the order of the events.
    pub(crate) fn record(
        &self,
        level: Level,
        message: Option<Arc<str>>,
        kind: EventKind,
    ) -> Record {
        self.record_at(Instant::now(), level, message, kind)
    }

    pub(crate) fn record_at(
        &self,
        at: Instant,
        level: Level,
        message: Option<Arc<str>>,
        kind: EventKind,
    ) -> Record {
        // Under the recorder's lock, so it need not be one step.
        let counter = self.0.counter.load(Ordering::Relaxed) + 1;
        self.0.counter.store(counter, Ordering::Relaxed);
        let mut record = Record::new(
            self.0.scope.clock.at(at),
            Some(self.node().clone()),
            self.0.attempt,
            counter,
            kind,
        )
        .with_level(level);
        record.message = message;
        record
    }
}

fn temp_error(root: &Path, error: std::io::Error) -> ComponentError {
    let message = format!("temp folder in {}: {error}", root.display());
    let kind = ComponentError::from(error).kind();
    ComponentError::new(kind, message)
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("run", &self.0.scope.run_id)
            .field("node", self.node())
            .field("attempt", &self.0.attempt)
            .finish_non_exhaustive()
    }
}

/// A future that runs beside a component's own; awaiting it gives its output.
#[derive(Debug)]
pub struct NodeTask<T>(JoinHandle<T>);

impl<T> NodeTask<T> {
    /// Stops the future at its next await.
    pub fn abort(&self) {
        self.0.abort();
    }
}

impl<T> Future for NodeTask<T> {
    type Output = Result<T, ComponentError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|joined| {
            joined.map_err(|error| {
                ComponentError::internal(if error.is_panic() {
                    "a task of the node panicked".to_owned()
                } else {
                    "a task of the node was aborted".to_owned()
                })
            })
        })
    }
}
