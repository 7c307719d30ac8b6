//! The plan: a definition bound to components, as arrays of indices, which executors run.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{Definition, WorkflowConfig, compile::Source};
use crate::{
    PortId, WorkflowId,
    component::{BoundNode, ComponentDefinition, DynComponent, PortSpec},
    event::{ComponentRef, NodeRef},
    execute::RetryPolicy,
    schedule::{EdgeKind, Join, NodeIx, Topology},
    value::Value,
};

/// A workflow that is ready to run. Cheap to share; one plan serves any number of runs.
pub struct Plan {
    pub(crate) workflow_id: WorkflowId,
    pub(crate) topology: Arc<Topology>,
    pub(crate) nodes: Vec<PlanNode>,
    pub(crate) entrypoint: NodeIx,
    pub(crate) config: WorkflowConfig,
    pub(crate) groups: Vec<Group>,
    pub(super) source: Source,
    pub(crate) definition: OnceLock<Arc<Definition>>,
    pub(crate) hash: OnceLock<Arc<str>>,
}

/// A set of nodes that share a limit.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) limit: u32,
}

/// One node of a plan.
#[derive(Debug)]
#[non_exhaustive]
pub struct PlanNode {
    /// Its id and its index.
    pub node: NodeRef,
    /// Id and version of the component.
    pub component: Arc<ComponentRef>,
    /// What the component says about itself.
    pub definition: Arc<ComponentDefinition>,
    /// The component, to bind it again when its parameters refer to secrets.
    pub source: Arc<dyn DynComponent>,
    /// The component with this node's parameters.
    pub bound: Arc<dyn BoundNode>,
    /// Ids of the output ports in order.
    pub output_ids: Arc<[PortId]>,
    /// Where each connected input comes from, ascending by input.
    pub mappings: Box<[Mapping]>,
    /// Values set by hand, ascending by input; secrets as references.
    pub overrides: Box<[(u16, Value)]>,
    /// The parameters as written, where they refer to secrets; `None` otherwise.
    pub secret_params: Option<Box<serde_json::Value>>,
    /// When it starts.
    pub join: Join,
    /// How often it is tried.
    pub retry: Arc<RetryPolicy>,
    /// Longest time of one attempt.
    pub timeout: Option<Duration>,
    /// Longest silence between two signs of life.
    pub heartbeat_timeout: Option<Duration>,
    /// Index of its concurrency group.
    pub group: Option<u32>,
    /// Whether it has nothing to resolve but connections of equal types: no overrides, defaults,
    /// secrets or lifted lists.
    pub direct: bool,
}

/// Where one input of a node comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mapping {
    /// Index of the input port.
    pub input: u16,
    /// The node whose output it is.
    pub source: NodeIx,
    /// Index of its output port; `None` for the whole output object.
    pub port: Option<u16>,
    /// Whether both ports have the same Rust type, so that the value passes as it is.
    pub identical: bool,
    /// The kind of the edge: an edge that did not fire brings nothing.
    pub kind: EdgeKind,
}

impl Mapping {
    /// A mapping from an output port, or from the whole output object.
    pub fn new(
        input: u16,
        source: NodeIx,
        port: Option<u16>,
        identical: bool,
        kind: EdgeKind,
    ) -> Self {
        Self {
            input,
            source,
            port,
            identical,
            kind,
        }
    }
}

impl PlanNode {
    /// Input ports.
    pub fn inputs(&self) -> &Arc<[PortSpec]> {
        self.bound.inputs()
    }

    /// Output ports.
    pub fn outputs(&self) -> &Arc<[PortSpec]> {
        self.bound.outputs()
    }
}

impl Plan {
    /// The workflow.
    pub fn workflow_id(&self) -> &WorkflowId {
        &self.workflow_id
    }

    /// The nodes by index, in topological order.
    pub fn nodes(&self) -> &[PlanNode] {
        &self.nodes
    }

    /// The shape that the scheduler works on.
    pub fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }

    /// Index of the node where the workflow begins.
    pub fn entrypoint(&self) -> NodeIx {
        self.entrypoint
    }

    /// Settings of the run as a whole.
    pub fn config(&self) -> &WorkflowConfig {
        &self.config
    }

    /// The definition as names, made at the first asking.
    pub fn definition(&self) -> &Arc<Definition> {
        self.definition
            .get_or_init(|| Arc::new(self.source.definition(self)))
    }

    /// SHA-256 of the definition's canonical JSON (keys sorted, no white space) in lower-case hex.
    pub fn hash(&self) -> &Arc<str> {
        self.hash
            .get_or_init(|| super::definition::hash(self.definition()))
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("workflow_id", &self.workflow_id)
            .field("nodes", &self.nodes.len())
            .finish_non_exhaustive()
    }
}
