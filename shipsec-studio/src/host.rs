//! What a host gives: an executor, its stores, and who may ask.

use std::sync::Arc;

use shipsec_core::{
    Registry,
    execute::{Executor, LocalExecutor},
    storage::ArtifactStore,
    trace::TraceStore,
};

use crate::{Access, Limits, MemoryWorkflows, WorkflowStore};

/// What the router works with.
///
/// ```
/// use std::sync::Arc;
/// use shipsec_core::{Registry, execute::LocalExecutor, trace::MemoryStore};
/// use shipsec_studio::Host;
///
/// let registry = Arc::new(Registry::new());
/// let executor = LocalExecutor::builder(Arc::new(MemoryStore::new()))
///     .registry(registry.clone())
///     .build();
/// let router: axum::Router = shipsec_studio::router(Host::local(&executor, registry));
/// ```
#[derive(Debug, Clone)]
pub struct Host {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) store: Arc<dyn TraceStore>,
    pub(crate) artifacts: ArtifactStore,
    pub(crate) registry: Arc<Registry>,
    pub(crate) workflows: Arc<dyn WorkflowStore>,
    pub(crate) access: Access,
    pub(crate) limits: Limits,
}

impl Host {
    /// A host around any executor, with the stores that it uses. Workflows are kept in memory, and
    /// only this machine may ask.
    pub fn new(
        executor: Arc<dyn Executor>,
        store: Arc<dyn TraceStore>,
        artifacts: ArtifactStore,
        registry: Arc<Registry>,
    ) -> Self {
        Self {
            executor,
            store,
            artifacts,
            registry,
            workflows: Arc::new(MemoryWorkflows::new()),
            access: Access::loopback(),
            limits: Limits::default(),
        }
    }

    /// A host around a local executor.
    pub fn local(executor: &LocalExecutor, registry: Arc<Registry>) -> Self {
        let (store, artifacts) = (executor.store().clone(), executor.artifacts().clone());
        Self::new(Arc::new(executor.clone()), store, artifacts, registry)
    }

    /// Where workflows are kept.
    #[must_use]
    pub fn with_workflows(mut self, workflows: Arc<dyn WorkflowStore>) -> Self {
        self.workflows = workflows;
        self
    }

    /// Who may ask.
    #[must_use]
    pub fn with_access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// How much the API takes.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}
