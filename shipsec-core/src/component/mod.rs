//! What a component is: its definition, its typed and its erased face, and the registry.

mod definition;
mod erased;
mod port;
mod registry;
mod typed;

pub use definition::{ComponentDefinition, ComponentInfo, Execution, ParamSpec};
pub use erased::{ActivePorts, BoundNode, DynComponent, NodeOutput, ParamIssue, PortValues, erase};
pub(crate) use erased::{More, Output};
pub use port::{PortPriority, PortSpec, PortType, UnknownPortType};
pub use registry::{Registry, RegistryError};
pub use typed::{Component, HandleRole, NoParams, NoPorts, Params, PortError, Ports};
