//! Stopping, going on, and answering.

use axum::extract::State;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;
use shipsec_core::{
    NodeId, RunId,
    execute::{ExecutorError, ResumeError},
    trace::{AnswerError, TraceStoreExt as _},
};

use super::{
    inspect::{latest, run_id},
    start::Started,
};
use crate::{
    Host, Problem,
    extract::{Body, InPath, MaybeBody, Reply},
    studio::Studio,
};

/// Why a run is stopped.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    /// For the log.
    #[serde(default)]
    reason: Option<String>,
}

type Accepted = (StatusCode, Reply<Started>);

pub(crate) async fn cancel(
    State(studio): State<Studio>,
    InPath(run): InPath<String>,
    MaybeBody(body): MaybeBody<Reason>,
) -> Result<Accepted, Problem> {
    let run = run_id(&run)?;
    let reason = body.reason.as_deref().unwrap_or("cancelled over the API");
    let asked = studio.host.executor.cancel(&run, reason).await;
    stopped(&studio, run, asked).await
}

pub(crate) async fn terminate(
    State(studio): State<Studio>,
    InPath(run): InPath<String>,
    MaybeBody(body): MaybeBody<Reason>,
) -> Result<Accepted, Problem> {
    let run = run_id(&run)?;
    let reason = body.reason.as_deref().unwrap_or("terminated over the API");
    let asked = studio.host.executor.terminate(&run, reason).await;
    stopped(&studio, run, asked).await
}

async fn stopped(
    studio: &Studio,
    run: RunId,
    asked: Result<(), ExecutorError>,
) -> Result<Accepted, Problem> {
    let view = latest(studio, &run).await?;
    if asked.is_ok() {
        return Ok((StatusCode::ACCEPTED, Reply(Started::of(&view))));
    }
    Err(match view.status.is_final() {
        true => ended(&run, view.status),
        false => Problem::conflict(
            "not-running-here",
            "This server does not run it",
            format!(
                "run {run} is not run by this server: another process runs it, or its process died; \
                 resume it here to stop it with clean-up"
            ),
        ),
    })
}

fn ended(run: &RunId, status: impl std::fmt::Display) -> Problem {
    Problem::conflict(
        "run-ended",
        "The run has ended",
        format!("run {run} has ended: {status}"),
    )
}

pub(crate) async fn resume(
    State(studio): State<Studio>,
    InPath(run): InPath<String>,
) -> Result<Accepted, Problem> {
    let run = run_id(&run)?;
    let handle = studio.host.executor.resume(&run).await;
    handle.map_err(not_resumed)?;
    let view = latest(&studio, &run).await?;
    Ok((StatusCode::ACCEPTED, Reply(Started::of(&view))))
}

/// Why a run cannot be gone on with, or repeated.
pub(super) fn not_resumed(error: ResumeError) -> Problem {
    match error {
        ResumeError::UnknownRun(run) => Problem::unknown_run(&run),
        ResumeError::Ended { run, status } => ended(&run, status),
        ResumeError::Held(error) => Problem::conflict("run-held", "Another process runs it", error),
        ResumeError::Store(error) => error.into(),
        ResumeError::Definition { ref problems, .. } => {
            let problems = problems.clone();
            unfit(&error).with("diagnostics", problems)
        }
        error => unfit(&error),
    }
}

fn unfit(error: &ResumeError) -> Problem {
    Problem::conflict("not-resumable", "The run cannot be gone on with", error)
}

/// An answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    /// The node that waits, or the item of one.
    node: NodeId,
    /// What the question asks for; of an approval `{"approved": true, "comment": "…"}`.
    answer: Json,
    /// Who answers, for the log.
    #[serde(default)]
    by: Option<String>,
}

pub(crate) async fn answer(
    State(studio): State<Studio>,
    InPath(run): InPath<String>,
    Body(body): Body<Answer>,
) -> Result<StatusCode, Problem> {
    let run = run_id(&run)?;
    let Host {
        store, executor, ..
    } = &studio.host;
    let by = body.by.as_deref();
    if executor.hides(&body.answer) || by.is_some_and(|by| executor.hides(&by.into())) {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "secret-in-clear",
            "The answer holds a secret in clear",
            "the answer holds a secret that this server keeps out of logs, and answers are part of the \
             log: give its name instead",
        ));
    }
    match store.answer(&run, &body.node, body.answer, by).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(not_answered(error)),
    }
}

fn not_answered(error: AnswerError) -> Problem {
    match error {
        AnswerError::UnknownRun(run) => Problem::unknown_run(&run),
        AnswerError::UnknownNode { .. } => {
            Problem::new(StatusCode::NOT_FOUND, "unknown-node", "No such node", error)
        }
        AnswerError::Ended { run, status } => ended(&run, status),
        AnswerError::Invalid { ref problems, .. } => {
            let problems = problems.clone();
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid-answer",
                "The answer does not fit the question",
                error,
            )
            .with("problems", problems)
        }
        AnswerError::Store(error) => error.into(),
        AnswerError::NotWaiting { .. } | AnswerError::Answered(_) => {
            Problem::conflict("not-waiting", "Nobody waits for an answer", error)
        }
        error => Problem::internal(error),
    }
}
