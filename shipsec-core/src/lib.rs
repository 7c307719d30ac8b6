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
mod pointer;
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

/// A whole component:
///
/// ```
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use shipsec_core::{ComponentError, Context, Params, Ports, Registry, component, context::Progress};
///
/// #[derive(Serialize, Deserialize, JsonSchema, Ports)]
/// struct Text {
///     /// Text to search. Lines end with a line feed.
///     text: String,
/// }
///
/// #[derive(Clone, Serialize, Deserialize, JsonSchema, Params)]
/// #[serde(rename_all = "camelCase")]
/// struct Search {
///     /// What to look for.
///     word: String,
///     /// Lines to give at most.
///     #[serde(default = "ten")]
///     #[schemars(range(min = 1))]
///     max_lines: usize,
/// }
///
/// fn ten() -> usize {
///     10
/// }
///
/// #[derive(Serialize, Deserialize, JsonSchema, Ports)]
/// struct Found {
///     /// Lines with the word in them.
///     #[port(branching)]
///     lines: Option<Vec<String>>,
/// }
///
/// /// Finds lines. Where there are none, what depends on `lines` is skipped.
/// #[component(id = "demo.find-lines", version = "1.0.0", category = "text", timeout = "30s")]
/// async fn find_lines(input: Text, params: &Search, cx: &Context) -> Result<Found, ComponentError> {
///     if params.word.is_empty() {
///         return Err(ComponentError::configuration("word is empty: name one to look for"));
///     }
///     let found = input.text.lines().filter(|line| line.contains(&params.word));
///     let lines: Vec<_> = found.take(params.max_lines).map(str::to_owned).collect();
///     cx.progress(Progress::count(lines.len() as u64));
///     Ok(Found { lines: (!lines.is_empty()).then_some(lines) })
/// }
///
/// let mut registry = Registry::new();
/// registry.register(FindLines)?;
///
/// let definition = registry.get("demo.find-lines", None).unwrap().definition();
/// assert_eq!(definition.label, "Finds lines");
/// assert_eq!(definition.inputs[0].label, "Text to search");
/// assert_eq!(definition.params[1].id.as_ref(), "maxLines");
/// assert_eq!(definition.params[1].default, Some(10.into()));
/// assert!(definition.outputs[0].branching);
/// # Ok::<_, shipsec_core::component::RegistryError>(())
/// ```
///
/// [`Params`] and [`Ports`] say what stands on the fields, [`Contract`] how a struct of one's own
/// crosses a port.
pub use shipsec_macros::component;

/// The parameters of a [component](macro@component).
///
/// ```
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use shipsec_core::{Params, Secret};
///
/// #[derive(Clone, Serialize, Deserialize, JsonSchema, Params)]
/// #[serde(rename_all = "camelCase")]
/// struct Service {
///     /// Address of the service.
///     url: String,
///     /// A token, by the name that the host's secret source knows.
///     api_token: Option<Secret<String>>,
///     /// Query, in the service's own language.
///     #[param(editor = "textarea")]
///     #[serde(default)]
///     query: String,
/// }
///
/// let specs = Service::specs();
/// assert!(specs[0].required);
/// assert_eq!(specs[1].editor.as_deref(), Some("secret"));
/// assert_eq!(specs[2].default, Some("".into()));
/// ```
pub use shipsec_macros::Params;

/// The inputs or outputs of a [component](macro@component).
///
/// ```
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use shipsec_core::{Ports, Shared};
///
/// #[derive(Serialize, Deserialize, JsonSchema, Ports)]
/// #[serde(rename_all = "camelCase")]
/// struct Targets {
///     /// Hosts to look at. One of them will do where a list is not at hand.
///     #[port(lift)]
///     hosts: Vec<String>,
///     /// A large list, read where its producer left it.
///     known_hosts: Option<Shared<Vec<String>>>,
///     /// Connections at once.
///     #[port(default = 16, manual_first)]
///     #[schemars(range(min = 1, max = 1024))]
///     at_once: u16,
/// }
///
/// let specs = Targets::specs();
/// assert_eq!(specs[0].port_type.to_string(), "list<text>");
/// assert_eq!(specs[1].id.as_str(), "knownHosts");
/// assert_eq!(specs[2].default, Some(16.into()));
/// ```
pub use shipsec_macros::Ports;

/// Derives [`PortData`] for a struct or enum of one's own, which then crosses a port under the name
/// of its contract. Equal names connect, so a change that readers would trip over gets a new one.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use shipsec_core::{Contract, PortData};
///
/// #[derive(Clone, Serialize, Deserialize, JsonSchema, Contract)]
/// #[contract(id = "shipsec.finding.v1")]
/// struct Finding {
///     title: String,
/// }
///
/// assert_eq!(<Vec<Finding>>::port_type().to_string(), "list<shipsec.finding.v1>");
/// ```
pub use shipsec_macros::Contract;
