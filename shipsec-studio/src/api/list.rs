//! The list of runs.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{
    RunId, WorkflowId,
    event::{Timestamp, WorkflowStatus},
    trace::{RunFilter, RunPlace, RunSummary},
};

use crate::{
    Problem,
    extract::{InQuery, Reply},
    studio::Studio,
};

/// Which runs to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunsQuery {
    /// Only runs of this workflow.
    workflow: Option<WorkflowId>,
    /// Only runs with this status.
    status: Option<WorkflowStatus>,
    /// Only runs that have not ended and that no process runs.
    #[serde(default)]
    interrupted: bool,
    /// Runs of a page.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u16,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

fn fifty() -> u16 {
    50
}

/// A page of runs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunList {
    /// The runs, the newest first.
    runs: Vec<ListedRun>,
    /// Asks for the next page; none on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A run in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ListedRun {
    #[serde(flatten)]
    run: RunSummary,
    /// Whether it has not ended, and no process runs it.
    interrupted: bool,
}

/// Checks a page's size.
pub(super) fn limit(limit: u16) -> Result<usize, Problem> {
    match limit {
        1..=1000 => Ok(limit.into()),
        _ => Err(Problem::invalid(format!(
            "limit is {limit}: expected 1 to 1000"
        ))),
    }
}

fn cursor(place: &RunPlace) -> String {
    format!("{}_{}", place.started_at.as_micros(), place.run_id)
}

fn place(cursor: &str) -> Result<RunPlace, Problem> {
    let read = || {
        let (at, run) = cursor.split_once('_')?;
        let at = Timestamp::from_micros(at.parse().ok()?);
        Some(RunPlace::new(at, RunId::parse(run).ok()?))
    };
    read().ok_or_else(|| Problem::invalid("cursor is none that this API gave"))
}

pub(crate) async fn runs(
    State(studio): State<Studio>,
    InQuery(query): InQuery<RunsQuery>,
) -> Result<Reply<RunList>, Problem> {
    let limit = limit(query.limit)?;
    // One more than asked for tells whether there is a next page.
    let mut filter = RunFilter::default().with_limit(limit + 1);
    if let Some(workflow) = query.workflow {
        filter = filter.with_workflow(workflow);
    }
    if let Some(status) = query.status {
        filter = filter.with_status(status);
    }
    if query.interrupted {
        filter = filter.interrupted();
    }
    if let Some(after) = &query.cursor {
        filter = filter.after(place(after)?);
    }
    let mut runs = studio.host.store.runs(&filter).await?;
    let more = runs.len() > limit;
    runs.truncate(limit);
    let last = runs.last().filter(|_| more);
    Ok(Reply(RunList {
        next_cursor: last.map(|run| cursor(&run.place())),
        runs: runs
            .into_iter()
            .map(|run| ListedRun {
                interrupted: run.is_interrupted(),
                run,
            })
            .collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        let at = RunPlace::new(Timestamp::from_micros(-5), RunId::parse("a_b-1").unwrap());
        assert_eq!(place(&cursor(&at)).unwrap(), at);
        for bad in ["", "_", "5", "5_", "x_a", "5_a/b", "99999999999999999999_a"] {
            assert!(place(bad).is_err(), "{bad:?}");
        }
    }
}
