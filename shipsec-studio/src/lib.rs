//! ShipSec Studio: the HTTP API of the ShipSec SDK, and the live view that it serves.
//!
//! A host mounts [`router()`] in its own axum application, or lets [`serve()`] run it alone. It serves
//! the API and a small viewer from its own bytes; nothing comes from anywhere else. What the API takes
//! and gives is described in `openapi.json` beside this crate, and under `GET openapi.json`; errors
//! are problem documents (RFC 9457).
//!
//! Everything is told from the event logs of the [trace store](shipsec_core::trace): the server holds
//! no state of a run of its own, so that several may serve one store.

mod api;
mod extract;
mod feed;
mod guard;
mod host;
mod metrics;
mod openapi;
mod problem;
mod replays;
mod router;
mod serve;
mod settings;
mod studio;
mod viewer;
mod workflows;

pub use host::Host;
pub use problem::Problem;
pub use router::{openapi, router};
pub use serve::{ServeError, serve};
pub use settings::{Access, Limits, WeakToken};
pub use workflows::{
    Expected, InvalidWorkflowId, MemoryWorkflows, StoredWorkflow, WorkflowEntry, WorkflowFolder,
    WorkflowStore, WorkflowStoreError, WorkflowVersion, check_id,
};
