//! Setting up a local executor, and starting runs with it.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;

use super::{
    driver::{Driver, drive, watch},
    shared::{Control, Settings, Shared},
};
use crate::{
    RunId,
    context::{Clock, NoSecrets, RunScope, SecretSource},
    event::{
        DefinitionSource, EventKind, HashSource, Record, StatusPayload, Timestamp, WorkflowStatus,
    },
    execute::{Executor, ExecutorError, RunControl, RunHandle, RunRequest, StartError},
    storage::ArtifactStore,
    trace::{Masker, Recorder, TraceStore},
};

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
    temp_root: Option<PathBuf>,
    settings: Settings,
    clock: Option<Timestamp>,
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
            temp_root: None,
            settings: Settings {
                grace: Duration::from_secs(10),
                clean_up: Duration::from_secs(60),
                patience: Duration::from_secs(60),
            },
            clock: None,
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

    fn live(&self, run: &RunId) -> Result<RunHandle, ExecutorError> {
        let runs = self.0.runs.lock().unwrap_or_else(PoisonError::into_inner);
        match runs.get(run) {
            Some((shared, handle)) if shared.strong_count() > 0 => Ok(handle.clone()),
            _ => Err(ExecutorError::UnknownRun(run.clone())),
        }
    }
}

#[async_trait]
impl Executor for LocalExecutor {
    async fn start(&self, request: RunRequest) -> Result<RunHandle, StartError> {
        let RunRequest {
            plan,
            inputs,
            run_id,
            trigger,
        } = request;
        crate::workflow::check_inputs(&plan, &inputs).map_err(StartError::Inputs)?;
        let run_id = match run_id {
            None => RunId::generate(),
            Some(id) => {
                if self.live(&id).is_ok() || !self.0.store.read(&id, 0, 1).await?.is_empty() {
                    return Err(StartError::RunExists(id));
                }
                id
            }
        };
        let masker = Arc::new(Masker::default());
        let inputs = Arc::new(inputs);
        let scope = Arc::new(RunScope {
            run_id: run_id.clone(),
            plan: plan.clone(),
            clock: Clock::starting_at(self.0.clock.unwrap_or_else(Timestamp::now)),
            recorder: Recorder::new(masker.clone()),
            masker,
            artifacts: self.0.artifacts.clone(),
            secrets: self.0.secrets.clone(),
            temp_root: self.0.temp_root.clone(),
            inputs: inputs.clone(),
            #[cfg(feature = "http")]
            http: std::sync::OnceLock::new(),
        });
        let mut first = StatusPayload::new(WorkflowStatus::Running);
        first.workflow_id = Some(plan.workflow_id().clone());
        first.definition = Some(DefinitionSource::of(&plan));
        first.definition_hash = Some(HashSource::of(&plan));
        first.inputs = Some(inputs);
        first.trigger = Some(trigger);
        first.executor = Some("local".to_owned());
        let kind = EventKind::WorkflowStatus(Box::new(first));
        let first = Record::new(scope.clock.now(), None, 0, 1, kind);

        let runtime = tokio::runtime::Handle::current();
        let watched = runtime.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread;
        let driver = Driver::new(&plan);
        let shared = Arc::new(Shared::new(
            plan,
            scope,
            self.0.store.clone(),
            self.0.settings,
            watched,
            driver,
        ));
        shared.driver().begin(&shared, first);
        let control: Arc<dyn RunControl> = Arc::new(Control(Arc::downgrade(&shared)));
        let handle = RunHandle::new(run_id.clone(), control, shared.outcome.subscribe());
        {
            let mut runs = self.0.runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs.retain(|_, (run, _)| run.strong_count() > 0);
            runs.insert(run_id, (Arc::downgrade(&shared), handle.clone()));
        }
        if watched {
            tokio::spawn(watch(Arc::downgrade(&shared)));
        }
        tokio::spawn(drive(shared, 0));
        Ok(handle)
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
}
