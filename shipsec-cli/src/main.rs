//! The command `shipsec`: parse, call the library, render.
//!
//! It is also the reference for how a host application uses the library: `commands/run.rs` is the
//! whole of it, from a graph to a run that is followed to its end.

mod args;
mod calls;
mod commands;
mod diagnostics;
mod failure;
mod graph_file;
mod inputs;
mod json;
mod locate;
mod notices;
mod render;
mod runs;
mod text;
mod workspace;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    match commands::execute(args) {
        Ok(code) => code,
        Err(failure) => {
            failure.tell();
            failure.code()
        }
    }
}
