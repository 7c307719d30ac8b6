//! The API over real HTTP, on loopback.

mod artifacts;
mod document;
mod events;
mod guard;
mod runs;
mod support;
mod workflows;
