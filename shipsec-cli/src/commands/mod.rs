//! One module for each command.

mod artifacts;
mod check;
mod components;
mod dispatch;
mod events;
mod replay;
mod run;
mod runs;

pub(crate) use dispatch::execute;
