//! One module for each command.

mod answer;
mod archive;
mod artifacts;
mod check;
mod components;
mod diff;
mod dispatch;
mod events;
mod host;
mod prune;
mod replay;
mod rerun;
mod resume;
mod run;
mod runs;
mod serve;

pub(crate) use dispatch::execute;
