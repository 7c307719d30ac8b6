//! What a running component can do: log, tell progress, emit artifacts, read secrets, notice
//! cancellation.

mod artifact;
mod call;
mod cancel;
#[cfg(feature = "http")]
mod http;
mod item;
#[cfg(feature = "tracing")]
mod layer;
mod log;
mod node;
mod progress;
mod question;
mod scope;
mod secret;

pub use artifact::ArtifactEmitter;
pub use call::Called;
pub(crate) use call::{Callee, Child, Ended};
#[cfg(feature = "http")]
pub use http::HttpClient;
#[cfg(feature = "tracing")]
pub use layer::NodeLogLayer;
#[cfg(feature = "tracing")]
pub(crate) use layer::node_span;
pub use log::LogLine;
pub use node::{Context, NodeTask};
pub use progress::Progress;
pub use question::Question;
pub(crate) use question::{Questions, Waiting};
pub(crate) use scope::{Clock, Moment, RunScope};
pub use secret::{EnvSecrets, FileSecrets, NoSecrets, SecretError, SecretSource, StaticSecrets};
