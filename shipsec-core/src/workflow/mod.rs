//! Workflows: what people write, what the compiler makes of it, what executors run.

mod definition;
mod graph;
mod inputs;
mod plan;

pub use definition::{
    ActionDefinition, Definition, EdgeDefinition, FailurePolicy, InputMapping, NodeMetadata,
    RuntimeInput, WorkflowConfig,
};
pub use graph::{EdgeKind, Graph, GraphEdge, GraphNode, NodeConfig, NodeData, Position, Viewport};
pub use inputs::check_inputs;
pub use plan::{Mapping, Plan, PlanNode};
