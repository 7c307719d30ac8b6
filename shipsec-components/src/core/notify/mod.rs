//! Notes to people and other systems.

pub mod webhook;
