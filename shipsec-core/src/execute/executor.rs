//! The contract of an executor.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use serde_json::{Map, Value as Json};
use tokio::sync::watch;

use super::recovery::Recovery;
use crate::{
    NodeId, PortId, Registry, RunId,
    event::{ErrorPayload, Failure, Outputs, ParentRun, Timestamp, Trigger, WorkflowStatus},
    trace::{LeaseError, StoreError, TraceStore},
    workflow::{Diagnostics, Plan},
};

/// Runs plans.
///
/// # Behavior
///
/// - **Start**: `start` refuses inputs that do not fit the plan, and a run id that is taken;
///   nothing is recorded then. Otherwise the run goes on by itself, whoever drops the handle.
/// - **Log**: everything that happens is in the run's log, in the order that semantics fix; a
///   node's dependents start only after its `NODE_COMPLETED` is stored.
/// - **Cancel**: running nodes are asked to stop and have a grace time; clean-up behind `finally`
///   edges of nodes that had started runs, with a deadline of its own.
/// - **Terminate**: everything is dropped at once; nothing else starts.
/// - **Resume**: `resume` goes on with a run whose executor died: nodes with a recorded outcome do
///   not run again, the others do, and the log continues in the same sequence. An attempt that was
///   cut short ends as `NODE_FAILED` with `interrupted`; it does not count against the retries.
/// - **Alone**: a run has at most one executor at a time, by the store's lease. One that lost its
///   lease stops at once and records nothing more.
/// - **End**: the log ends with one `WORKFLOW_STATUS` with a final status, and the outcome is
///   given only once that is stored.
#[async_trait]
pub trait Executor: fmt::Debug + Send + Sync {
    /// Starts a run.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is recorded then. Inputs are part of the log: one that
    /// [holds](Self::hides) in clear what is kept out of it is refused.
    async fn start(&self, request: RunRequest) -> Result<RunHandle, StartError>;

    /// Goes on with a run whose executor died, or gave up because the store was away.
    ///
    /// # Errors
    ///
    /// [`ResumeError`]; nothing is recorded then.
    async fn resume(&self, run: &RunId) -> Result<RunHandle, ResumeError>;

    /// Asks a run to stop, with clean-up. Returns at once; asking again changes nothing.
    ///
    /// # Errors
    ///
    /// [`ExecutorError::UnknownRun`] when this executor does not run it (any more).
    async fn cancel(&self, run: &RunId, reason: &str) -> Result<(), ExecutorError>;

    /// Kills a run. Returns at once; asking again changes nothing.
    ///
    /// # Errors
    ///
    /// [`ExecutorError::UnknownRun`] when this executor does not run it (any more).
    async fn terminate(&self, run: &RunId, reason: &str) -> Result<(), ExecutorError>;

    /// A handle of a run that this executor runs now.
    async fn handle(&self, run: &RunId) -> Option<RunHandle>;

    /// Whether a value holds in clear what this executor keeps out of all logs. Whoever records
    /// something beside it, such as an answer, asks first. An executor that keeps nothing out has
    /// nothing to add.
    fn hides(&self, value: &Json) -> bool {
        let _ = value;
        false
    }
}

/// What to run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunRequest {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The run's inputs by id; secrets as `{"secretRef": "NAME"}`.
    pub inputs: Map<String, Json>,
    /// The run's id; a new one where it is missing.
    pub run_id: Option<RunId>,
    /// What set it off.
    pub trigger: Trigger,
    /// The earlier run that it repeats.
    pub rerun: Option<Rerun>,
    /// The run that calls it, and what time it is there.
    pub(crate) child_of: Option<(ParentRun, Timestamp)>,
}

/// An earlier run that another repeats, and what is taken over from it. A node's outputs are taken
/// over where it would do the same again: the component and its version, the parameters and all
/// inputs are the same. Failed nodes always run again.
///
/// A node whose component is [`volatile`](crate::component::ComponentInfo::volatile) may give
/// something else though all of that is the same. It is taken over where it comes before the node from
/// which on to run again, and nowhere else; where it gives the same again, what comes after it has not
/// changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rerun {
    /// The earlier run, in the same store.
    pub run_id: RunId,
    /// The node to run again, with all nodes after it. Those before it are taken over; the others
    /// run again unless `cached` is set.
    pub from: Option<NodeId>,
    /// Takes everything over that has not changed.
    pub cached: bool,
}

impl RunRequest {
    /// A run of a plan without inputs.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            inputs: Map::new(),
            run_id: None,
            trigger: Trigger::default(),
            rerun: None,
            child_of: None,
        }
    }

    /// What a run was started with, to start it again: its plan and its inputs, linked to it.
    /// Change what is to be different, and say with [`again_from`](Self::again_from) or
    /// [`cached`](Self::cached) what is to be taken over.
    ///
    /// # Errors
    ///
    /// [`ResumeError`], where the store does not know the run or the registry does not have its
    /// components, or there is no registry.
    pub async fn repeating(
        store: &Arc<dyn TraceStore>,
        run: &RunId,
        registry: Option<&Registry>,
    ) -> Result<Self, ResumeError> {
        let (plan, inputs) = Recovery::start_of(store, run, registry).await?;
        let request = Self::new(plan).rerun_of(run.clone());
        Ok(request.with_inputs((*inputs).clone()))
    }

    /// Makes it a child of another run.
    pub(crate) fn child_of(mut self, parent: ParentRun, now: Timestamp) -> Self {
        self.trigger = Trigger {
            kind: "workflow".to_owned(),
            label: Some(parent.run_id.to_string()),
        };
        self.child_of = Some((parent, now));
        self
    }

    /// Makes it a repetition of an earlier run. By itself that takes nothing over, and only links
    /// the two.
    #[must_use]
    pub fn rerun_of(mut self, run: RunId) -> Self {
        self.rerun = Some(Rerun {
            run_id: run,
            from: None,
            cached: false,
        });
        self
    }

    /// Of a repetition: takes over the nodes before this one, as [`Rerun::from`] says.
    #[must_use]
    pub fn again_from(mut self, node: impl Into<NodeId>) -> Self {
        if let Some(rerun) = &mut self.rerun {
            rerun.from = Some(node.into());
        }
        self
    }

    /// Of a repetition: takes over what has not changed, as [`Rerun::cached`] says.
    #[must_use]
    pub fn cached(mut self) -> Self {
        if let Some(rerun) = &mut self.rerun {
            rerun.cached = true;
        }
        self
    }

    /// Sets the plan.
    #[must_use]
    pub fn with_plan(mut self, plan: Arc<Plan>) -> Self {
        self.plan = plan;
        self
    }

    /// Sets one input.
    #[must_use]
    pub fn with_input(mut self, id: impl Into<String>, value: impl Into<Json>) -> Self {
        self.inputs.insert(id.into(), value.into());
        self
    }

    /// Sets all inputs.
    #[must_use]
    pub fn with_inputs(mut self, inputs: Map<String, Json>) -> Self {
        self.inputs = inputs;
        self
    }

    /// Sets the run's id.
    #[must_use]
    pub fn with_run_id(mut self, id: RunId) -> Self {
        self.run_id = Some(id);
        self
    }

    /// Sets what set it off.
    #[must_use]
    pub fn with_trigger(mut self, trigger: Trigger) -> Self {
        self.trigger = trigger;
        self
    }
}

/// A run that cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Inputs are missing or do not fit; a message for each.
    #[error("the inputs do not fit the workflow: {}", list(.0))]
    Inputs(BTreeMap<String, Vec<String>>),
    /// The store has a log of a run with this id already.
    #[error("run {0} exists already: choose another id, or leave it out")]
    RunExists(RunId),
    /// The run to be repeated is not in the store.
    #[error("run {0}, which is to be repeated, is not known to the trace store")]
    UnknownRun(RunId),
    /// The plan does not have the node that a repetition is to begin with.
    #[error("the workflow has no node {0} to run again from")]
    UnknownNode(NodeId),
    /// The store cannot be asked.
    #[error("the trace store cannot be used: {0}")]
    Store(#[from] StoreError),
}

fn list(fields: &BTreeMap<String, Vec<String>>) -> String {
    let lines: Vec<_> = fields
        .iter()
        .flat_map(|(key, all)| all.iter().map(move |m| format!("{key}: {m}")))
        .collect();
    lines.join("; ")
}

/// A run that cannot be resumed. Its log is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// The store has no log of it.
    #[error("run {0} is not known to the trace store")]
    UnknownRun(RunId),
    /// There is nothing left to do.
    #[error("run {run} has ended already: {status}")]
    Ended {
        /// The run.
        run: RunId,
        /// How.
        status: WorkflowStatus,
    },
    /// Another executor runs it now.
    #[error(transparent)]
    Held(LeaseError),
    /// The executor has no registry to bind the components of the definition with.
    #[error("run {0} cannot be resumed: give the executor a registry, with its builder")]
    NoRegistry(RunId),
    /// The definition in the log does not fit the registry, for example because a component is
    /// there in other versions only.
    #[error("run {run} cannot be resumed with these components: {problems}")]
    Definition {
        /// The run.
        run: RunId,
        /// Every problem.
        problems: Diagnostics,
    },
    /// An output that is still to be read cannot be had.
    #[error(
        "the run cannot be resumed: output {port} of node {node} cannot be restored: {problem}"
    )]
    Output {
        /// The node that has ended.
        node: NodeId,
        /// Its output port.
        port: PortId,
        /// Why.
        problem: String,
    },
    /// The log does not say what a log says.
    #[error("the log of run {run} cannot be followed: {problem}")]
    Log {
        /// The run.
        run: RunId,
        /// What is wrong.
        problem: String,
    },
    /// The store cannot be asked.
    #[error("the trace store cannot be used: {0}")]
    Store(#[from] StoreError),
}

impl From<LeaseError> for ResumeError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Store(error) => Self::Store(error),
            held => Self::Held(held),
        }
    }
}

/// A request that an executor cannot follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// No such run is live here.
    #[error("run {0} is not running here: it has ended, or another executor runs it")]
    UnknownRun(RunId),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunOutcome {
    /// The run.
    pub run_id: RunId,
    /// Its final status.
    pub status: WorkflowStatus,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Outputs of the nodes that nothing depends on, by node, with their typed values.
    pub outputs: BTreeMap<NodeId, Arc<Outputs>>,
    /// Set when the log could not be written to its end: what is recorded is intact, and this
    /// outcome is not in it.
    pub unrecorded: Option<StoreError>,
}

impl PartialEq for StoreError {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.to_string() == other.to_string()
    }
}

impl RunOutcome {
    /// Whether the run completed.
    pub fn is_completed(&self) -> bool {
        self.status == WorkflowStatus::Completed
    }

    pub(crate) fn new(run_id: RunId, status: WorkflowStatus) -> Self {
        Self {
            run_id,
            status,
            failure: None,
            outputs: BTreeMap::new(),
            unrecorded: None,
        }
    }
}

/// How an executor is told to stop a run; an implementer of [`Executor`] provides it to its
/// handles.
pub trait RunControl: fmt::Debug + Send + Sync {
    /// Asks the run to stop, with clean-up.
    fn cancel(&self, reason: &str);
    /// Kills the run.
    fn terminate(&self, reason: &str);
}

/// A run that goes on. Dropping it changes nothing for the run.
#[derive(Debug, Clone)]
pub struct RunHandle {
    run_id: RunId,
    control: Arc<dyn RunControl>,
    outcome: watch::Receiver<Option<Arc<RunOutcome>>>,
}

impl RunHandle {
    /// A handle of a run, for an implementer of [`Executor`].
    pub fn new(
        run_id: RunId,
        control: Arc<dyn RunControl>,
        outcome: watch::Receiver<Option<Arc<RunOutcome>>>,
    ) -> Self {
        Self {
            run_id,
            control,
            outcome,
        }
    }

    /// The run.
    pub fn id(&self) -> &RunId {
        &self.run_id
    }

    /// Waits for the end of the run. Cancel-safe.
    pub async fn wait(&self) -> Arc<RunOutcome> {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone(),
            Err(_) => None,
        }
        // The executor's runtime was shut down under the run.
        .unwrap_or_else(|| Arc::new(RunOutcome::new(self.run_id.clone(), WorkflowStatus::Stale)))
    }

    /// Asks the run to stop, with clean-up. Returns at once.
    pub fn cancel(&self, reason: &str) {
        self.control.cancel(reason);
    }

    /// Kills the run. Returns at once.
    pub fn terminate(&self, reason: &str) {
        self.control.terminate(reason);
    }
}

/// An error as one sentence.
pub(super) fn shown(error: &ErrorPayload) -> String {
    format!("{}: {}", error.kind, error.message)
}
