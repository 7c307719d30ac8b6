//! Calling another workflow as a child run.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use super::Context;
use crate::{
    ComponentError, NodeId, RunId, WorkflowId,
    event::{
        Caller, ChildStartedPayload, EventKind, Failure, Level, ParentRun, Relation, Timestamp,
        WorkflowStatus,
    },
    execute::RunHandle,
    workflow::{Graph, Plan},
};

/// How deep runs may call runs.
const DEEPEST: usize = 16;

/// What a context asks of the executor about other runs.
#[async_trait]
pub(crate) trait Callee: fmt::Debug + Send + Sync {
    /// The graph of a workflow of the host's.
    async fn graph(&self, id: &WorkflowId) -> Result<Graph, ComponentError>;

    /// The plan of a graph, with the executor's components.
    fn compile(&self, graph: &Graph) -> Result<Arc<Plan>, ComponentError>;

    /// Starts a child run, or goes on with it where it was started before. `None` where it has
    /// ended.
    async fn begin(&self, child: Child) -> Result<Option<RunHandle>, ComponentError>;

    /// How a run ended, and its outputs as its log shows them.
    async fn ended(&self, run: &RunId) -> Result<Ended, ComponentError>;
}

/// A run to be started for a node of another.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) run_id: RunId,
    pub(crate) plan: Arc<Plan>,
    pub(crate) inputs: Map<String, Json>,
    pub(crate) parent: ParentRun,
    pub(crate) now: Timestamp,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: WorkflowStatus,
    pub(crate) failure: Option<Failure>,
    pub(crate) outputs: BTreeMap<NodeId, Map<String, Json>>,
}

/// What a workflow that was called gave.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Called {
    /// The child run.
    pub run_id: RunId,
    /// Outputs of the nodes that nothing depends on, by node and port, as the child's log shows
    /// them: a secret does not leave the run that resolved it.
    pub outputs: BTreeMap<NodeId, Map<String, Json>>,
}

impl Context {
    /// The plan of a workflow of the host's, by its id.
    ///
    /// # Errors
    ///
    /// A `ConfigurationError` when the host has no workflows, a `NotFoundError` when it does not
    /// have this one, a `ValidationError` when it does not compile.
    pub async fn workflow(&self, id: &WorkflowId) -> Result<Arc<Plan>, ComponentError> {
        let graph = self.scope().callee.graph(id).await?;
        self.compile(&graph)
    }

    /// The plan of a graph, with the components of the executor's registry.
    ///
    /// # Errors
    ///
    /// A `ConfigurationError` when the executor has no registry, a `ValidationError` when the graph
    /// does not compile.
    pub fn compile(&self, graph: &Graph) -> Result<Arc<Plan>, ComponentError> {
        self.scope().callee.compile(graph)
    }

    /// Runs a workflow as a child of this run, and waits for its end. The child has a log of its
    /// own, which names this run and node; this run's log names the child. It is cancelled with the
    /// node. When the process dies, a resumed run goes on with the same child.
    ///
    /// # Errors
    ///
    /// A `ConfigurationError` when workflows call each other in a circle or deeper than 16 levels,
    /// or when an input holds a secret in clear; a `ValidationError` when the inputs do not fit; the
    /// kind of the child's failure when it fails; a `TimeoutError` when its own time limit passed; an
    /// `InternalError` when it was cancelled or killed by somebody else.
    pub async fn call(
        &self,
        plan: Arc<Plan>,
        inputs: Map<String, Json>,
    ) -> Result<Called, ComponentError> {
        let callers = self.callers(&plan)?;
        let mut shown = Json::Object(inputs.clone());
        if self.scope().masker.json(&mut shown) {
            let message = "an input of the workflow that is called holds a secret in clear: give a \
                           reference, {\"secretRef\": \"NAME\"}";
            return Err(ComponentError::configuration(message));
        }
        let run_id = self.child_id();
        let mut parent = ParentRun::new(
            self.run_id().clone(),
            Relation::Call,
            Some(self.node_id().clone()),
        );
        parent.callers = callers;
        let workflow_id = plan.workflow_id().clone();
        let message = format!("calls workflow {workflow_id} as run {run_id}");
        let link = ChildStartedPayload {
            run_id: run_id.clone(),
            workflow_id,
        };
        self.fact(
            Level::Info,
            Some(message.into()),
            EventKind::NodeChildStarted(Box::new(link)),
        );
        let child = Child {
            run_id: run_id.clone(),
            plan,
            inputs,
            parent,
            now: self.scope().clock.now(),
        };
        let callee = &self.scope().callee;
        if let Some(handle) = callee.begin(child).await? {
            let mut watched = Watched(Some(handle));
            watched.end(self).await;
        }
        let ended = callee.ended(&run_id).await?;
        let why = |what: &str| {
            let reason = ended.failure.as_ref().map(|failure| &*failure.reason);
            let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
            format!("run {run_id} of the workflow {what}{reason}")
        };
        match ended.status {
            WorkflowStatus::Completed => Ok(Called {
                run_id,
                outputs: ended.outputs,
            }),
            WorkflowStatus::TimedOut => Err(ComponentError::timeout(why("took too long"))),
            WorkflowStatus::Failed => {
                let error = ended
                    .failure
                    .as_ref()
                    .and_then(|failure| failure.error.as_ref());
                let kind = error.map_or(crate::ErrorKind::Internal, |error| error.kind);
                Err(ComponentError::new(kind, why("failed")))
            }
            other => Err(ComponentError::internal(why(&format!("ended as {other}")))),
        }
    }

    /// The chain of workflows above the one that is called.
    fn callers(&self, plan: &Arc<Plan>) -> Result<Vec<Caller>, ComponentError> {
        let scope = self.scope();
        let mut callers = scope.callers.clone();
        callers.push(Caller {
            workflow_id: scope.plan.workflow_id().clone(),
            definition_hash: scope.plan.hash().to_string(),
        });
        let chain = || {
            let ids = callers.iter().map(|caller| caller.workflow_id.as_str());
            let ids: Vec<&str> = ids.chain([plan.workflow_id().as_str()]).collect();
            ids.join(" → ")
        };
        if callers.len() >= DEEPEST {
            let message = format!(
                "workflows call workflows more than {DEEPEST} levels deep: {}",
                chain()
            );
            return Err(ComponentError::configuration(message));
        }
        let hash = &**plan.hash();
        if callers.iter().any(|caller| caller.definition_hash == hash) {
            let message = format!("workflows call each other in a circle: {}", chain());
            return Err(ComponentError::configuration(message));
        }
        Ok(callers)
    }

    /// The id of the next child: the same for an attempt that takes the place of one whose process
    /// died, another for an attempt that follows a failure.
    fn child_id(&self) -> RunId {
        let interrupted = self.scope().interrupted(self.node_id());
        let attempt = self.attempt() - interrupted.min(self.attempt() - 1);
        let mut digest = Sha256::new();
        for part in [self.run_id().as_str(), self.node_id().as_str()] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.update(attempt.to_le_bytes());
        digest.update(self.next_child().to_le_bytes());
        let digest = digest.finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        RunId::from_bytes(bytes)
    }
}

/// A child run that is killed when nobody waits for it any more.
struct Watched(Option<RunHandle>);

impl Watched {
    /// Waits for the end, and passes on the request to stop.
    async fn end(&mut self, cx: &Context) {
        let Some(handle) = &self.0 else { return };
        tokio::select! {
            biased;
            _ = handle.wait() => {}
            () = cx.cancelled() => {
                handle.cancel("the node that called it was stopped");
                handle.wait().await;
            }
        }
        self.0 = None;
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.terminate("the node that called it was dropped");
        }
    }
}
