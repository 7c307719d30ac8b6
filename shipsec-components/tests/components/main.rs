//! The components as a host meets them: out of the registry, inside runs.

mod bench;
mod catalogue;
mod compliance;
mod dev;
mod files;
mod http;
mod server;
mod values;
mod webhook;
