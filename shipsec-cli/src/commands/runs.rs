//! `shipsec runs`.

use std::io::Write as _;

use shipsec_core::{
    event::WorkflowStatus,
    trace::{RunFilter, RunSummary},
};

use crate::{
    args::{Format, Place},
    failure::Failure,
    json,
    render::status_style,
    text::{duration, pad, visible, width},
    workspace::{self, Access},
};

pub(crate) async fn list(
    place: &Place,
    workflow: Option<String>,
    status: Option<String>,
    limit: usize,
    format: Format,
) -> Result<(), Failure> {
    let mut filter = RunFilter::default().with_limit(limit);
    if let Some(workflow) = workflow {
        filter = filter.with_workflow(workflow);
    }
    if let Some(status) = status {
        let parsed: Result<WorkflowStatus, _> =
            serde_json::from_value(status.to_uppercase().replace('-', "_").into());
        filter = filter.with_status(parsed.map_err(|_| {
            Failure::unusable(format!(
                "--status {status:?}: expected QUEUED, RUNNING, AWAITING_INPUT, COMPLETED, FAILED, \
                 CANCELLED, TIMED_OUT or TERMINATED"
            ))
        })?);
    }
    let store = workspace::store(place, Access::Read)?;
    let runs = store.runs(&filter).await.map_err(Failure::failed)?;
    match format {
        Format::Json => json::print(&runs),
        Format::Text => table(&runs),
    }
}

fn table(runs: &[RunSummary]) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    if runs.is_empty() {
        return writeln!(out, "no runs").map_err(Failure::writing);
    }
    let name = |run: &RunSummary| match &run.workflow_id {
        Some(id) => visible(id.as_str()).into_owned(),
        None => "?".to_owned(),
    };
    let longest =
        |of: &dyn Fn(&RunSummary) -> usize, least| runs.iter().map(of).fold(least, usize::max);
    let id = longest(&|run| run.run_id.as_str().len(), 3);
    let workflow = longest(&|run| width(&name(run)), 8).min(40);
    let shown = |run: &RunSummary| match run.is_interrupted() {
        true => "INTERRUPTED",
        false => run.status.as_str(),
    };
    let status = longest(&|run| shown(run).len(), 6);
    let head = format!(
        "{}  {}  {}  {:19}  {:>8}  EVENTS",
        pad("RUN", id),
        pad("WORKFLOW", workflow),
        pad("STATUS", status),
        "STARTED (UTC)",
        "TIME"
    );
    writeln!(out, "{head}").map_err(Failure::writing)?;
    for run in runs {
        let style = status_style(run.status);
        let started = run.started_at.to_string();
        writeln!(
            out,
            "{}  {}  {style}{}{style:#}  {:19}  {:>8}  {}",
            pad(run.run_id.as_str(), id),
            pad(&name(run), workflow),
            pad(shown(run), status),
            started.get(..19).unwrap_or(&started).replace('T', " "),
            duration(run.updated_at.since(run.started_at)),
            run.last_sequence
        )
        .map_err(Failure::writing)?;
    }
    if runs.iter().any(RunSummary::is_interrupted) {
        let hint =
            "the process of an interrupted run is gone; `shipsec resume RUN` goes on with it";
        writeln!(out, "{hint}").map_err(Failure::writing)?;
    }
    Ok(())
}
