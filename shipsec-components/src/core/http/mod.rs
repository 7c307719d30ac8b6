//! Requests over HTTP.

pub mod request;
