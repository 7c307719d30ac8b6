//! The components as a host meets them: out of the registry, inside runs.

mod bench;
mod call;
mod catalogue;
mod compliance;
mod dev;
mod files;
mod http;
mod human;
mod server;
mod source_audit;
mod tree;
mod values;
mod webhook;
mod workflows;
