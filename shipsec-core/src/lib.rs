//! ShipSec SDK: typed workflow components, wired into a DAG, executed, with every event in an
//! append-only log per run.
//!
//! A host application [registers](component::Registry) components, [compiles](workflow) a graph
//! into a plan, and gives it to an [executor](execute). What the run did is in its
//! [log](trace); its status, outputs and picture are [folds](run) of that log.

#[doc(hidden)]
pub mod __private;
pub mod component;
pub mod context;
mod error;
pub mod event;
pub mod execute;
mod id;
pub mod run;
pub mod schedule;
pub mod storage;
pub mod trace;
pub mod value;
pub mod workflow;

pub use component::{Component, DynComponent, NoParams, NoPorts, Params, Ports, Registry};
pub use context::Context;
pub use error::{ComponentError, ErrorKind, UnknownErrorKind};
pub use id::{
    ArtifactId, ComponentId, EdgeId, InvalidRunId, NodeId, PortId, RunId, SecretName, WorkflowId,
};
pub use value::{FileRef, PortData, Secret, Shared, Value};

pub use shipsec_macros::{Contract, Params, Ports, component};
