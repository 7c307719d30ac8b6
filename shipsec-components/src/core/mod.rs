//! General components: text, lists, JSON, decisions, HTTP, files, artifacts, secrets.

pub mod approval;
pub mod array;
pub mod artifact;
pub mod file;
pub mod form;
pub mod http;
pub mod json;
pub mod logic;
pub mod notify;
pub mod secret;
pub mod text;
pub mod workflow;
