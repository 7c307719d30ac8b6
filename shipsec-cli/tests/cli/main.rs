//! The command as its users meet it: arguments, files, standard output, a terminal, signals.

mod archive;
mod bad_days;
mod calls;
mod commands;
mod diff;
mod durable;
mod live;
mod replay;
mod serve;
mod stress;
mod support;
mod terminal;
