//! From arguments to a command.

use std::{future::Future, process::ExitCode};

use clap::CommandFactory as _;
use shipsec_core::run::{RunOutputs, StatusReport};

use super::{
    answer, archive, artifacts, check, components, diff, events, prune, replay, rerun, resume, run,
    runs, serve,
};
use crate::{
    args::{Args, Command, RunArg},
    failure::Failure,
    json,
    runs::Found,
};

/// Does what the arguments say.
pub(crate) fn execute(args: Args) -> Result<ExitCode, Failure> {
    match args.command {
        Command::Run(args) => run::run(&args),
        Command::Resume(args) => resume::resume(&args),
        Command::Rerun(args) => rerun::rerun(&args),
        Command::Answer(args) => answer::answer(&args),
        Command::Diff(args) => asking(diff::run(&args)),
        Command::Export(args) => waiting(archive::export(&args)),
        Command::Import(args) => waiting(archive::import(&args)),
        Command::Prune(args) => waiting(prune::run(&args)),
        Command::Validate { graph, format } => check::validate(&graph.path, format),
        Command::Compile { graph } => check::compile(&graph.path),
        Command::Components { id, format } => components::components(id.as_deref(), format),
        Command::Runs {
            place,
            workflow,
            status,
            limit,
            format,
        } => waiting(runs::list(&place, workflow, status, limit, format)),
        Command::Status { run } => waiting(status(&run)),
        Command::Events { run, after, follow } => waiting(events::events(&run, after, follow)),
        Command::Outputs { run } => waiting(outputs(&run)),
        Command::Artifacts {
            run,
            get,
            output,
            format,
        } => waiting(artifacts::artifacts(
            &run,
            get.as_deref().zip(output.as_deref()),
            format,
        )),
        Command::Replay(args) => replay::replay(&args),
        Command::Serve(args) => serve::serve(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "shipsec", &mut script);
            std::io::Write::write_all(&mut std::io::stdout(), &script).map_err(Failure::writing)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Runs a command that only waits for a store.
fn waiting(command: impl Future<Output = Result<(), Failure>>) -> Result<ExitCode, Failure> {
    asking(async { command.await.map(|()| ExitCode::SUCCESS) })
}

/// The same of a command whose exit code says something.
fn asking(command: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(Failure::failed)?;
    runtime.block_on(command)
}

async fn status(run: &RunArg) -> Result<(), Failure> {
    let found = Found::by(run).await?;
    let view = found.view().await?;
    let report = StatusReport::from(&view);
    if report.status.is_final() || !found.is_interrupted().await? {
        return json::print(&report);
    }
    // The log cannot tell that nobody writes it any more.
    let mut report = serde_json::to_value(&report).map_err(Failure::failed)?;
    report["interrupted"] = true.into();
    json::print(&report)
}

async fn outputs(run: &RunArg) -> Result<(), Failure> {
    let view = Found::by(run).await?.view().await?;
    json::print(&RunOutputs::from(&view))
}
