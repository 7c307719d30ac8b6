//! Runs that other runs call.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use serde_json::Map;

use super::LocalExecutor;
use crate::{
    ComponentError, RunId, WorkflowId,
    context::{Callee, Child, Ended},
    event::Outputs,
    execute::{Executor, ResumeError, RunHandle, RunRequest, StartError},
    run::RunView,
    trace::StoreError,
    workflow::{Graph, Plan, WorkflowSourceError, compile},
};

/// Events that are read at once.
const PAGE: usize = 4096;

#[async_trait]
impl Callee for LocalExecutor {
    async fn graph(&self, id: &WorkflowId) -> Result<Graph, ComponentError> {
        let source = self.workflows().ok_or_else(|| {
            let message =
                format!("workflow {id} cannot be called: the host has no workflow source");
            ComponentError::configuration(message)
        })?;
        source.graph(id).await.map_err(|error| match &error {
            WorkflowSourceError::Unknown { .. } => ComponentError::not_found(error.to_string()),
            WorkflowSourceError::Unreadable { .. } => {
                ComponentError::configuration(error.to_string())
            }
        })
    }

    fn compile(&self, graph: &Graph) -> Result<Arc<Plan>, ComponentError> {
        let registry = self.registry().ok_or_else(|| {
            let message =
                "a workflow cannot be called: give the executor a registry, with its builder";
            ComponentError::configuration(message)
        })?;
        let compiled = compile(graph, registry).map_err(|problems| {
            let message = format!("workflow {:?} does not compile:\n{problems}", graph.name);
            ComponentError::validation(message)
        })?;
        Ok(compiled.plan)
    }

    async fn begin(&self, child: Child) -> Result<Option<RunHandle>, ComponentError> {
        let run = child.run_id.clone();
        let request = RunRequest::new(child.plan)
            .with_inputs(child.inputs)
            .with_run_id(run.clone())
            .child_of(child.parent, child.now);
        match self.start(request).await {
            Ok(handle) => return Ok(Some(handle)),
            // It was started before: by an attempt whose process died.
            Err(StartError::RunExists(_)) => {}
            Err(StartError::Inputs(problems)) => {
                let message = "the inputs do not fit the workflow that is called";
                return Err(problems.into_iter().fold(
                    ComponentError::validation(message),
                    |error, (field, messages)| {
                        let fold = |error: ComponentError, message: String| {
                            error.with_field(field.clone(), message)
                        };
                        messages.into_iter().fold(error, fold)
                    },
                ));
            }
            Err(error) => return Err(ComponentError::resource_unavailable(error.to_string())),
        }
        match self.resume(&run).await {
            Ok(handle) => Ok(Some(handle)),
            Err(ResumeError::Ended { .. }) => Ok(None),
            Err(error) => {
                let message = format!("run {run} of the workflow cannot be resumed: {error}");
                Err(ComponentError::resource_unavailable(message))
            }
        }
    }

    async fn ended(&self, run: &RunId) -> Result<Ended, ComponentError> {
        let away = |error: StoreError| ComponentError::resource_unavailable(error.to_string());
        let mut view = RunView::new(run.clone());
        loop {
            let page = self.store().read(run, view.sequence, PAGE).await;
            let page = page.map_err(away)?;
            if page.is_empty() {
                break;
            }
            for event in &page {
                view.apply(event);
            }
        }
        let mut outputs = BTreeMap::new();
        for (node, recorded) in view.run_outputs() {
            outputs.insert(node.clone(), self.shown(recorded).await?);
        }
        Ok(Ended {
            status: view.status,
            failure: view.failure.as_deref().cloned(),
            outputs,
        })
    }
}

impl LocalExecutor {
    /// Stops a run whose caller will not wait for it, because it was stopped before it was resumed.
    pub(super) async fn stop_child(self, run: RunId) {
        match self.resume(&run).await {
            Ok(handle) => handle.cancel("the run that called it was stopped"),
            Err(ResumeError::Ended { .. } | ResumeError::UnknownRun(_)) => {}
            Err(error) => tracing::warn!(%run, %error, "a run that nobody waits for goes on"),
        }
    }

    /// Outputs as the log shows them, with those that are kept elsewhere.
    async fn shown(
        &self,
        recorded: &Outputs,
    ) -> Result<Map<String, serde_json::Value>, ComponentError> {
        let mut shown = Map::new();
        for (port, value) in recorded.iter() {
            let json = value
                .json()
                .map_err(|error| ComponentError::internal(error.to_string()))?;
            shown.insert(port.to_string(), json.clone());
        }
        let notes = recorded.notes.as_deref();
        for (port, stored) in notes.into_iter().flat_map(|notes| &notes.refs) {
            let failed = |error: &dyn std::fmt::Display| {
                ComponentError::resource_unavailable(format!("output {port}: {error}"))
            };
            let text = self.artifacts().get_bytes(&stored.location).await;
            let text = text.map_err(|error| failed(&error))?;
            let value = serde_json::from_slice(&text).map_err(|error| failed(&error))?;
            shown.insert(port.to_string(), value);
        }
        Ok(shown)
    }
}
