//! `shipsec resume`: going on with runs whose process died.

use std::process::ExitCode;

use shipsec_core::{
    RunId,
    execute::{Executor as _, LocalExecutor, ResumeError, RunHandle},
    run::RunView,
    trace::RunFilter,
    workflow::WorkflowSource,
};

use super::host::{Host, hosted};
use crate::{
    args::{ResumeArgs, RunArg},
    calls,
    failure::Failure,
    inputs,
    runs::Found,
};

/// Runs that are resumed at once with `--all`.
const MOST: usize = 1000;

pub(crate) fn resume(args: &ResumeArgs) -> Result<ExitCode, Failure> {
    hosted(async |said| {
        let secrets = inputs::secrets(&args.host.secret)?;
        let host = Host::open(&args.host, secrets, None, said)?;
        match &args.name {
            None => all(host).await,
            Some(name) => {
                let run = RunArg {
                    name: name.clone(),
                    place: args.host.place.clone(),
                };
                let found = Found::by(&run).await?;
                go_on(host, &found).await
            }
        }
    })
}

/// Goes on with a run, and follows it to its end.
pub(super) async fn go_on(host: Host, found: &Found) -> Result<ExitCode, Failure> {
    let mut view = found.view().await?;
    let outer = match view.status.is_final() {
        true => None,
        false => calls::outermost(found, &view).await?,
    };
    if let Some(outer) = outer {
        if !host.is_log() {
            anstream::println!("{}", instead(&view, &outer));
        }
        view = outer;
    }
    host.has_workflows_of(&view).await?;
    let run = host.executor.resume(&view.run_id).await;
    let run = run.map_err(|error| cannot(&error))?;
    let title = title(&view);
    host.follow(run, &title, view).await
}

/// Says that another run is gone on with than the one that was named.
pub(super) fn instead(named: &RunView, outer: &RunView) -> String {
    format!(
        "run {} waits for run {}, which it called: going on with both",
        outer.run_id, named.run_id
    )
}

pub(super) fn title(view: &RunView) -> String {
    let title = view
        .definition()
        .map(|definition| definition.title.as_str());
    match title {
        None | Some("") => view.run_id.to_string(),
        Some(title) => title.to_owned(),
    }
}

/// Why, and what to do.
pub(super) fn cannot(error: &ResumeError) -> Failure {
    let hint = match error {
        ResumeError::Ended { .. } => "nothing is left to do; `shipsec rerun` runs it again",
        ResumeError::Held(_) => "wait for it, or stop that process",
        ResumeError::Output { .. } => {
            "give secrets that it used again, with --secret NAME=ENV; or run it again with \
             `shipsec rerun`"
        }
        ResumeError::Definition { .. } => {
            "use a version of shipsec that has these components, or run the workflow again"
        }
        _ => return Failure::unusable(error),
    };
    Failure::unusable(format!("{error}\n{hint}"))
}

/// Goes on with every run of a store that was interrupted: each with its handle, or why it cannot be.
/// `how` names the folder of workflows.
pub(super) async fn interrupted(
    executor: &LocalExecutor,
    workflows: &dyn WorkflowSource,
    how: &str,
) -> Result<Vec<Result<RunHandle, Failure>>, Failure> {
    let filter = RunFilter::default().interrupted().with_limit(MOST);
    let listed = executor.store().runs(&filter).await;
    let mut resumed = Vec::new();
    for run in listed.map_err(Failure::failed)? {
        let one = one_of_all(executor, run.run_id, workflows, how).await;
        resumed.extend(one.transpose());
    }
    Ok(resumed)
}

/// Goes on with a run, unless whoever called it has done so already.
async fn one_of_all(
    executor: &LocalExecutor,
    run: RunId,
    workflows: &dyn WorkflowSource,
    how: &str,
) -> Result<Option<RunHandle>, Failure> {
    if let Some(handle) = executor.handle(&run).await {
        return Ok(Some(handle));
    }
    let found = Found::of(executor.store(), run);
    let view = found.view().await?;
    if view.status.is_final() {
        return Ok(None);
    }
    calls::can_go_on(&found, &view, workflows, how).await?;
    match executor.resume(&found.id).await {
        Ok(handle) => Ok(Some(handle)),
        // It ended, or was taken over, since it was listed.
        Err(ResumeError::Ended { .. }) => Ok(None),
        Err(ResumeError::Held(_)) => Ok(executor.handle(&found.id).await),
        Err(error) => Err(cannot(&error)),
    }
}

/// Goes on with every run that was interrupted, and says how each ended.
async fn all(mut host: Host) -> Result<ExitCode, Failure> {
    let resumed = host.resume_interrupted().await?;
    if resumed.is_empty() {
        anstream::println!("no run was interrupted");
        return Ok(ExitCode::SUCCESS);
    }
    let mut fine = true;
    let mut handles: Vec<RunHandle> = Vec::new();
    for handle in resumed {
        match handle {
            Ok(handle) => handles.push(handle),
            Err(failure) => {
                fine = false;
                failure.tell();
            }
        }
    }
    let mut asked = 0_u32;
    for handle in &handles {
        let outcome = loop {
            tokio::select! {
                outcome = handle.wait() => break outcome,
                () = host.interrupted() => {
                    asked += 1;
                    for handle in &handles {
                        match asked {
                            1 => handle.cancel("interrupted"),
                            _ => handle.terminate("killed"),
                        }
                    }
                    if asked > 2 {
                        return Ok(ExitCode::from(super::host::INTERRUPTED));
                    }
                }
            }
        };
        fine &= outcome.is_completed() && outcome.unrecorded.is_none();
        anstream::println!("{} {}", handle.id(), outcome.status);
    }
    Ok(match (asked, fine) {
        (1.., _) => ExitCode::from(super::host::INTERRUPTED),
        (0, true) => ExitCode::SUCCESS,
        (0, false) => ExitCode::from(1),
    })
}
