//! Workflows: what people write, what the compiler makes of it, what executors run.

mod builder;
mod compile;
mod definition;
mod diagnostic;
mod entrypoint;
mod graph;
mod layout;
mod lists;
mod plan;
mod problems;
mod read;
mod restore;
mod source;

pub use builder::{AnyNode, Input, InputOf, NodeHandle, Output, OutputOf, WorkflowBuilder};
pub use compile::{Compiled, compile};
pub(crate) use definition::canonical;
pub use definition::{
    ActionDefinition, Definition, EdgeDefinition, InputMapping, NodeMetadata, RuntimeInput,
    WorkflowConfig,
};
pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity};
pub use entrypoint::{ENTRYPOINT, EntryPoint, check_inputs};
pub use graph::{
    ForEach, Graph, GraphEdge, GraphNode, ItemFailure, NodeConfig, NodeData, Position, Viewport,
};
pub use layout::{Bends, Direction, Layout, LayoutOptions, NodePlace, Point};
pub use plan::{Mapping, Plan, PlanNode};
pub use read::GraphError;
pub use source::{FolderWorkflows, StaticWorkflows, WorkflowSource, WorkflowSourceError};

pub use crate::schedule::{EdgeKind, FailurePolicy, Join};
