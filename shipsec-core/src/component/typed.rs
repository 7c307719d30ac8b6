//! The typed face of a component: what its author writes.

use std::{fmt, future::Future};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{ComponentInfo, ParamSpec, PortSpec, PortValues};
use crate::{ComponentError, context::Context};

/// A unit of work with typed inputs, parameters and outputs.
///
/// Most components are functions with `#[component(…)]` on them; implement this trait for one that
/// has state of its own, such as a connection pool.
///
/// # Behavior
///
/// - `run` may be called many times at once, for different nodes and runs.
/// - When the context is cancelled, `run` returns soon; after the grace time its future is dropped.
/// - Everything that `run` starts ends with it: use [`Context::spawn`].
/// - A panic inside is recorded as an `InternalError` of that attempt.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a component",
    label = "expected a component",
    note = "`#[component(…)]` on `async fn scan_hosts` makes the component `ScanHosts`: name that one, not the function",
    note = "a type with state of its own implements `Component` by hand"
)]
pub trait Component: Send + Sync + 'static {
    /// The input ports.
    type Input: Ports;
    /// The parameters.
    type Params: Params;
    /// The output ports.
    type Output: Ports;

    /// Name, version and settings.
    fn info(&self) -> ComponentInfo;

    /// Does the work of one attempt.
    ///
    /// # Errors
    ///
    /// The kind of the [`ComponentError`] decides whether the node is tried again.
    fn run(
        &self,
        input: Self::Input,
        params: &Self::Params,
        cx: &Context,
    ) -> impl Future<Output = Result<Self::Output, ComponentError>> + Send;
}

/// Marks a handle as an output or an input of a node; see
/// [`WorkflowBuilder`](crate::workflow::WorkflowBuilder).
pub trait HandleRole: Clone + Send + Sync + 'static {
    /// The handle of one port whose field has type `T`.
    type Handle<T: 'static>: Clone + Send + Sync + 'static;

    /// Makes the handle of a port of the node that `self` stands for.
    fn handle<T: 'static>(&self, port: &'static str) -> Self::Handle<T>;
}

/// A struct whose fields are ports. Write it with `#[derive(Ports)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of ports",
    label = "expected a struct with `#[derive(Ports)]`",
    note = "use `NoPorts` where there are none"
)]
pub trait Ports: Serialize + DeserializeOwned + JsonSchema + Send + 'static {
    /// A struct with the handle of each port in a field of the port's name.
    type Handles<R: HandleRole>;

    /// The ports in the order of the fields.
    fn specs() -> Vec<PortSpec>;

    /// Takes the fields out of their slots, which are in the order of [`specs`](Self::specs).
    ///
    /// # Errors
    ///
    /// [`PortError`] naming the first port whose value is missing or does not fit.
    fn from_values(values: PortValues) -> Result<Self, PortError>;

    /// Puts the fields into slots in the order of [`specs`](Self::specs).
    fn into_values(self) -> PortValues;

    /// The handles of a node's ports.
    fn handles<R: HandleRole>(role: &R) -> Self::Handles<R>;
}

/// A struct whose fields are parameters. Write it with `#[derive(Params)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of parameters",
    label = "expected a struct with `#[derive(Params)]`",
    note = "use `NoParams` where there are none"
)]
pub trait Params:
    Serialize + DeserializeOwned + JsonSchema + Clone + Send + Sync + 'static
{
    /// The parameters in the order of the fields.
    fn specs() -> Vec<ParamSpec>;
}

/// A port whose value is missing or does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("port {port}: {message}")]
pub struct PortError {
    /// The port's id.
    pub port: String,
    /// What was expected.
    pub message: String,
}

impl PortError {
    /// The error of one port.
    pub fn new(port: impl Into<String>, message: impl fmt::Display) -> Self {
        Self {
            port: port.into(),
            message: message.to_string(),
        }
    }

    /// The error of a port that has no value.
    pub fn missing(port: impl Into<String>) -> Self {
        Self::new(
            port,
            "required, but nothing is connected and no value is set",
        )
    }
}

impl From<PortError> for ComponentError {
    fn from(error: PortError) -> Self {
        Self::validation(error.to_string()).with_field(error.port, error.message)
    }
}

/// No ports at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoPorts {}

impl Ports for NoPorts {
    type Handles<R: HandleRole> = ();

    fn specs() -> Vec<PortSpec> {
        Vec::new()
    }
    fn from_values(_: PortValues) -> Result<Self, PortError> {
        Ok(Self {})
    }
    fn into_values(self) -> PortValues {
        PortValues::new()
    }
    fn handles<R: HandleRole>(_: &R) -> Self::Handles<R> {}
}

/// No parameters at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoParams {}

impl Params for NoParams {
    fn specs() -> Vec<ParamSpec> {
        Vec::new()
    }
}
