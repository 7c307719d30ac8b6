//! The operations of the API.

mod artifacts;
mod compare;
mod control;
mod events;
mod inspect;
mod list;
mod routes;
mod server;
mod start;
mod trace;
mod workflows;

pub(crate) use routes::routes;
