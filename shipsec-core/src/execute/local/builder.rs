//! Setting up a local executor, and starting runs with it.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use hashbrown::HashMap as FastMap;
use serde_json::{Map, Value as Json};

use super::{
    driver::{Driver, drive, watch},
    shared::{Control, Settings, Shared},
    store::keep_lease,
};
use crate::{
    NodeId, Registry, RunId, SecretName,
    context::{Clock, NoSecrets, Questions, RunScope, SecretSource},
    event::{
        DefinitionSource, HashSource, ParentRun, Relation, StatusPayload, Timestamp, WorkflowStatus,
    },
    execute::{
        Before, Executor, ExecutorError, Rerun, ResumeError, RunControl, RunHandle, RunRequest,
        StartError,
        recovery::Recovery,
        reuse::{Reuse, ReuseError},
    },
    storage::ArtifactStore,
    trace::{Lease, LeaseError, Masker, Recorder, RunFilter, StoreError, TraceStore},
    workflow::{Plan, WorkflowSource},
};

/// What is said of an input that holds a secret.
const IN_CLEAR: &str = "holds a secret in clear, and inputs are part of the log: give a reference, \
                        {\"secretRef\": \"NAME\"}, to an input of type secret";

/// Runs plans inside the host's process, on the tokio runtime that `start` is called on.
///
/// Clones share the same runs.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use shipsec_core::{execute::{Executor, LocalExecutor, RunRequest}, trace::MemoryStore, workflow::Plan};
/// # async fn demo(plan: Arc<Plan>) -> Result<(), Box<dyn std::error::Error>> {
/// let executor = LocalExecutor::builder(Arc::new(MemoryStore::new())).build();
/// let run = executor.start(RunRequest::new(plan).with_input("path", ".")).await?;
/// println!("{}", run.wait().await.status);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct LocalExecutor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn TraceStore>,
    artifacts: ArtifactStore,
    secrets: Arc<dyn SecretSource>,
    hidden: Vec<(Option<SecretName>, String)>,
    /// Knows what is hidden, and nothing else.
    hides: OnceLock<Masker>,
    temp_root: Option<PathBuf>,
    settings: Settings,
    clock: Option<Timestamp>,
    registry: Option<Arc<Registry>>,
    workflows: Option<Arc<dyn WorkflowSource>>,
    /// Names this executor to others on the same store.
    holder: String,
    runs: Mutex<HashMap<RunId, (Weak<Shared>, RunHandle)>>,
}

/// Sets up a [`LocalExecutor`].
#[derive(Debug)]
#[must_use = "ends with `build`"]
pub struct LocalExecutorBuilder(Inner);

impl LocalExecutorBuilder {
    /// Where artifacts and large outputs are kept. Default: in memory.
    pub fn artifacts(mut self, artifacts: ArtifactStore) -> Self {
        self.0.artifacts = artifacts;
        self
    }

    /// Where secrets come from. Default: there are none.
    pub fn secrets(mut self, secrets: Arc<dyn SecretSource>) -> Self {
        self.0.secrets = secrets;
        self
    }

    /// Masks a value in whatever runs record, also where none has asked for it as a secret: what the
    /// host keeps to itself, such as a token of its own, and what a component may come across in a file
    /// or in the environment of the process. The name is that by which the source of secrets knows it,
    /// where it does.
    pub fn hide(mut self, name: Option<SecretName>, value: impl Into<String>) -> Self {
        self.0.hidden.push((name, value.into()));
        self
    }

    /// The folder for the temp folders of nodes. Default: the system's.
    pub fn temp_root(mut self, folder: impl Into<PathBuf>) -> Self {
        self.0.temp_root = Some(folder.into());
        self
    }

    /// How long a node that was asked to stop may take before it is dropped. Default: 10 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.0.settings.grace = grace;
        self
    }

    /// How long the clean-up of a run that is being stopped may take. Default: 60 s.
    pub fn clean_up_limit(mut self, limit: Duration) -> Self {
        self.0.settings.clean_up = limit;
        self
    }

    /// How long the trace store may be away before the run gives up. Default: 60 s.
    pub fn store_patience(mut self, patience: Duration) -> Self {
        self.0.settings.patience = patience;
        self
    }

    /// How long the lease of a run lasts that is not renewed: as long another executor has to wait
    /// before it may take over a run whose executor hangs. It is renewed three times as often.
    /// Default: 30 s. A store may know sooner that an executor's process is gone.
    pub fn lease(mut self, ttl: Duration) -> Self {
        self.0.settings.lease = ttl;
        self
    }

    /// The components that runs are [resumed](Executor::resume) with. Default: none, and then no
    /// run can be resumed that this process did not start.
    pub fn registry(mut self, registry: Arc<Registry>) -> Self {
        self.0.registry = Some(registry);
        self
    }

    /// Where the workflows come from that other workflows call by their id. Default: there are
    /// none. Calling needs a [registry](Self::registry) too.
    pub fn workflows(mut self, workflows: Arc<dyn WorkflowSource>) -> Self {
        self.0.workflows = Some(workflows);
        self
    }

    /// Lets every run begin at this time, whatever the system's clock says: with a paused tokio
    /// clock its log is then the same each time.
    pub fn clock(mut self, start: Timestamp) -> Self {
        self.0.clock = Some(start);
        self
    }

    /// The executor.
    pub fn build(self) -> LocalExecutor {
        LocalExecutor(Arc::new(self.0))
    }
}

impl LocalExecutor {
    /// An executor that keeps its logs in this store.
    pub fn builder(store: Arc<dyn TraceStore>) -> LocalExecutorBuilder {
        LocalExecutorBuilder(Inner {
            store,
            artifacts: ArtifactStore::memory(),
            secrets: Arc::new(NoSecrets),
            hidden: Vec::new(),
            hides: OnceLock::new(),
            temp_root: None,
            settings: Settings {
                grace: Duration::from_secs(10),
                clean_up: Duration::from_secs(60),
                patience: Duration::from_secs(60),
                lease: Duration::from_secs(30),
            },
            clock: None,
            registry: None,
            workflows: None,
            holder: format!("process {} ({})", std::process::id(), RunId::generate()),
            runs: Mutex::default(),
        })
    }

    /// Where the logs are kept.
    pub fn store(&self) -> &Arc<dyn TraceStore> {
        &self.0.store
    }

    /// Where artifacts and large outputs are kept.
    pub fn artifacts(&self) -> &ArtifactStore {
        &self.0.artifacts
    }

    pub(super) fn registry(&self) -> Option<&Registry> {
        self.0.registry.as_deref()
    }

    pub(super) fn workflows(&self) -> Option<&Arc<dyn WorkflowSource>> {
        self.0.workflows.as_ref()
    }

    /// Goes on with every run of the store that has not ended and that nobody runs: those of
    /// processes that died. At most `most` of them, the newest first; each with its handle, or why
    /// it cannot be resumed.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the runs cannot be listed.
    pub async fn resume_interrupted(
        &self,
        most: usize,
    ) -> Result<Vec<(RunId, Result<RunHandle, ResumeError>)>, StoreError> {
        let filter = RunFilter::default().interrupted().with_limit(most);
        let mut resumed = Vec::new();
        for run in self.0.store.runs(&filter).await? {
            let handle = self.resume(&run.run_id).await;
            resumed.push((run.run_id, handle));
        }
        Ok(resumed)
    }

    fn live(&self, run: &RunId) -> Result<RunHandle, ExecutorError> {
        let runs = self.0.runs.lock().unwrap_or_else(PoisonError::into_inner);
        match runs.get(run) {
            Some((shared, handle)) if shared.strong_count() > 0 => Ok(handle.clone()),
            _ => Err(ExecutorError::UnknownRun(run.clone())),
        }
    }

    async fn acquire(&self, run: &RunId) -> Result<Lease, LeaseError> {
        let Inner {
            store,
            holder,
            settings,
            ..
        } = &*self.0;
        store.acquire(run, holder, settings.lease).await
    }

    /// What a repetition that is resumed may still take over. Where the earlier run is gone its
    /// nodes run.
    async fn reuse_again(&self, log: &Recovery) -> Result<Option<Reuse>, StoreError> {
        let Some(parent) = log.view.parent.as_ref() else {
            return Ok(None);
        };
        let rerun = Rerun {
            run_id: parent.run_id.clone(),
            from: parent.node_id.clone(),
            cached: parent.cached,
        };
        if parent.relation != Relation::Rerun {
            return Ok(None);
        }
        match Reuse::read(&self.0.store, &rerun, &log.plan, &log.inputs).await {
            Ok(reuse) => Ok(reuse),
            Err(ReuseError::Store(error)) => Err(error),
            Err(ReuseError::UnknownRun | ReuseError::UnknownNode(_)) => Ok(None),
        }
    }

    /// What a run was started with, to [start](Executor::start) it again: its plan and its inputs,
    /// linked to it. Change what is to be different, and say with [`RunRequest::again_from`] or
    /// [`RunRequest::cached`] what is to be taken over.
    ///
    /// # Errors
    ///
    /// [`ResumeError`], where the store does not know the run or the registry does not have its
    /// components.
    pub async fn request_of(&self, run: &RunId) -> Result<RunRequest, ResumeError> {
        RunRequest::repeating(&self.0.store, run, self.0.registry.as_deref()).await
    }

    /// Gives a lease back under which nothing was recorded.
    async fn unused(&self, lease: &Lease) {
        if let Err(error) = self.0.store.release(lease).await {
            tracing::debug!(run = %lease.run_id, %error, "the lease ends with its time");
        }
    }

    /// Lets a masker know what no log shows.
    fn teach(&self, masker: &Masker) {
        for (name, value) in &self.0.hidden {
            masker.learn(name.as_ref(), value);
        }
    }

    fn scope(&self, plan: &Arc<Plan>, run: RunId, masker: Arc<Masker>, begin: Begin) -> RunScope {
        self.teach(&masker);
        RunScope {
            run_id: run,
            plan: plan.clone(),
            clock: Clock::starting_at(begin.wall),
            recorder: Recorder::new(masker.clone()),
            questions: begin.questions,
            masker,
            artifacts: self.0.artifacts.clone(),
            secrets: self.0.secrets.clone(),
            temp_root: self.0.temp_root.clone(),
            inputs: begin.inputs,
            items: Mutex::new(begin.items),
            callee: Arc::new(self.clone()),
            callers: begin
                .parent
                .filter(|parent| parent.relation == Relation::Call)
                .map(|parent| parent.callers)
                .unwrap_or_default(),
            interrupted: begin.interrupted,
            grace: self.0.settings.grace,
            keeps_values: self.0.store.capabilities().keeps_values,
            #[cfg(feature = "http")]
            http: std::sync::OnceLock::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.0.clock.unwrap_or_else(Timestamp::now)
    }

    fn shared(&self, scope: RunScope, lease: Lease) -> Arc<Shared> {
        let runtime = tokio::runtime::Handle::current();
        let watched = runtime.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread;
        let plan = scope.plan.clone();
        let driver = Driver::new(&plan);
        Arc::new(Shared::new(
            plan,
            Arc::new(scope),
            (self.0.store.clone(), lease),
            self.0.settings,
            watched,
            driver,
        ))
    }

    /// Lets a run go on by itself.
    fn launch(&self, shared: Arc<Shared>) -> RunHandle {
        let run_id = shared.scope.run_id.clone();
        let control: Arc<dyn RunControl> = Arc::new(Control(Arc::downgrade(&shared)));
        let handle = RunHandle::new(run_id.clone(), control, shared.outcome.subscribe());
        {
            let mut runs = self.0.runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs.retain(|_, (run, _)| run.strong_count() > 0);
            runs.insert(run_id, (Arc::downgrade(&shared), handle.clone()));
        }
        if shared.watched {
            tokio::spawn(watch(Arc::downgrade(&shared)));
        }
        let keeper = tokio::spawn(keep_lease(Arc::downgrade(&shared), shared.settings.lease));
        // It is set here alone.
        let _ = shared.keeper.set(keeper.abort_handle());
        tokio::spawn(drive(shared, 0));
        handle
    }
}

/// What a run begins with in this process.
struct Begin {
    wall: Timestamp,
    parent: Option<ParentRun>,
    interrupted: FastMap<NodeId, u32>,
    inputs: Arc<Map<String, Json>>,
    questions: Questions,
    items: FastMap<u32, BTreeMap<u32, Before>>,
}

#[async_trait]
impl Executor for LocalExecutor {
    async fn start(&self, request: RunRequest) -> Result<RunHandle, StartError> {
        let RunRequest {
            plan,
            inputs,
            run_id,
            trigger,
            rerun,
            child_of,
        } = request;
        crate::workflow::check_inputs(&plan, &inputs).map_err(StartError::Inputs)?;
        let in_clear: BTreeMap<_, _> = inputs
            .iter()
            .filter(|(_, value)| self.hides(value))
            .map(|(id, _)| (id.clone(), vec![IN_CLEAR.to_owned()]))
            .collect();
        if !in_clear.is_empty() {
            return Err(StartError::Inputs(in_clear));
        }
        let run_id = run_id.unwrap_or_else(RunId::generate);
        if self.live(&run_id).is_ok() {
            return Err(StartError::RunExists(run_id));
        }
        let lease = match self.acquire(&run_id).await {
            Ok(lease) if lease.last_sequence == 0 => lease,
            Ok(lease) => {
                self.unused(&lease).await;
                return Err(StartError::RunExists(run_id));
            }
            Err(LeaseError::Held { .. }) => return Err(StartError::RunExists(run_id)),
            Err(LeaseError::Store(error)) => return Err(error.into()),
        };
        let inputs = Arc::new(inputs);
        let reuse = match &rerun {
            None => None,
            Some(rerun) => match Reuse::read(&self.0.store, rerun, &plan, &inputs).await {
                Ok(reuse) => reuse,
                Err(error) => {
                    self.unused(&lease).await;
                    return Err(match error {
                        ReuseError::UnknownRun => StartError::UnknownRun(rerun.run_id.clone()),
                        ReuseError::UnknownNode(node) => StartError::UnknownNode(node),
                        ReuseError::Store(error) => error.into(),
                    });
                }
            },
        };
        let (called_by, wall) = match child_of {
            Some((parent, now)) => (Some(parent), now),
            None => (None, self.now()),
        };
        let begin = Begin {
            wall,
            parent: called_by.clone(),
            interrupted: FastMap::new(),
            inputs: inputs.clone(),
            questions: Questions::default(),
            items: FastMap::new(),
        };
        let mut first = StatusPayload::new(WorkflowStatus::Running);
        first.workflow_id = Some(plan.workflow_id().clone());
        first.definition = Some(DefinitionSource::of(&plan));
        first.definition_hash = Some(HashSource::of(&plan));
        first.inputs = Some(inputs);
        first.trigger = Some(trigger);
        first.parent = called_by.or_else(|| {
            let rerun = rerun?;
            let mut parent = ParentRun::new(rerun.run_id, Relation::Rerun, rerun.from);
            parent.cached = rerun.cached;
            Some(parent)
        });
        first.executor = Some("local".to_owned());
        let scope = self.scope(&plan, run_id, Arc::default(), begin);
        let shared = self.shared(scope, lease);
        {
            let mut driver = shared.driver();
            driver.reuse = reuse.map(Box::new);
            driver.begin(&shared, first);
        }
        Ok(self.launch(shared))
    }

    async fn resume(&self, run: &RunId) -> Result<RunHandle, ResumeError> {
        if let Ok(handle) = self.live(run) {
            return Ok(handle);
        }
        let lease = self.acquire(run).await?;
        let masker = Arc::new(Masker::default());
        let restored = async {
            let registry = self.0.registry.as_deref();
            let mut log = Recovery::read(&self.0.store, run, registry).await?;
            log.load(&self.0.artifacts, &self.0.secrets, &masker)
                .await?;
            let reuse = self.reuse_again(&log).await?;
            // Time does not go backwards within a log, though the clocks of two hosts differ.
            let now = self.now();
            let begin = Begin {
                wall: log.last_time().map_or(now, |last| last.max(now)),
                parent: log.view.parent.clone(),
                interrupted: log.interrupted(),
                inputs: log.inputs.clone(),
                questions: std::mem::take(&mut log.questions),
                items: log.items_before(),
            };
            let scope = self.scope(&log.plan, run.clone(), masker.clone(), begin);
            let shared = self.shared(scope, lease.clone());
            let restored = {
                let mut driver = shared.driver();
                driver.reuse = reuse.map(Box::new);
                driver.restore(&shared, &log)
            };
            restored.map_err(|problem| ResumeError::Log {
                run: run.clone(),
                problem,
            })?;
            let abandoned = shared.driver().abandoned(&log);
            Ok((shared, abandoned))
        };
        match restored.await {
            Ok((shared, abandoned)) => {
                for child in abandoned {
                    tokio::spawn(self.clone().stop_child(child));
                }
                Ok(self.launch(shared))
            }
            Err(error) => {
                self.unused(&lease).await;
                Err(error)
            }
        }
    }

    async fn cancel(&self, run: &RunId, reason: &str) -> Result<(), ExecutorError> {
        self.live(run)?.cancel(reason);
        Ok(())
    }

    async fn terminate(&self, run: &RunId, reason: &str) -> Result<(), ExecutorError> {
        self.live(run)?.terminate(reason);
        Ok(())
    }

    async fn handle(&self, run: &RunId) -> Option<RunHandle> {
        self.live(run).ok()
    }

    fn hides(&self, value: &Json) -> bool {
        let masker = self.0.hides.get_or_init(|| {
            let masker = Masker::default();
            self.teach(&masker);
            masker
        });
        !masker.is_idle() && masker.json(&mut value.clone())
    }
}
