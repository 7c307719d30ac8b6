//! Starting runs.

use std::{sync::Arc, time::Duration};

use axum::extract::State;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};
use shipsec_core::{
    NodeId, RunId, WorkflowId,
    event::{Trigger, WorkflowStatus},
    execute::{RunRequest, StartError},
    run::RunView,
    trace::{StoreError, StoreErrorKind},
    workflow::Plan,
};

use super::{
    control::not_resumed,
    inspect::{latest, run_id},
    workflows::{compiled, stored},
};
use crate::{
    Problem,
    extract::{InPath, MaybeBody, Reply},
    studio::Studio,
};

/// How long the first event of a run that was started may take.
const BEGIN: Duration = Duration::from_secs(5);

/// What a run is started with.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Start {
    /// Its inputs by id; a secret as `{"secretRef": "NAME"}`.
    #[serde(default)]
    inputs: Map<String, Json>,
    /// Which version of the workflow; the newest where it is missing.
    #[serde(default)]
    version: Option<u32>,
}

/// How to run it again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Again {
    /// The node to run again, with all nodes after it; those before it are taken over where they have
    /// not changed.
    #[serde(default)]
    from: Option<NodeId>,
    /// Takes over everything that has not changed.
    #[serde(default)]
    cached: bool,
    /// Inputs that are different.
    #[serde(default)]
    inputs: Map<String, Json>,
}

/// A run.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Started {
    /// The run.
    run_id: RunId,
    /// The workflow.
    workflow_id: Option<WorkflowId>,
    /// Its status now.
    status: WorkflowStatus,
}

impl Started {
    pub(super) fn of(view: &RunView) -> Self {
        Self {
            run_id: view.run_id.clone(),
            workflow_id: view.workflow_id.clone(),
            status: view.status,
        }
    }
}

type Accepted = (
    StatusCode,
    [(header::HeaderName, HeaderValue); 1],
    Reply<Started>,
);

/// Where the run is found: relative to the request, wherever the router is mounted.
fn accepted(view: &RunView, up: &str) -> Accepted {
    let place = format!("{up}{}", view.run_id);
    let place = HeaderValue::from_str(&place).unwrap_or(HeaderValue::from_static("."));
    let reply = Reply(Started::of(view));
    (StatusCode::ACCEPTED, [(header::LOCATION, place)], reply)
}

fn trigger(label: Option<&str>) -> Trigger {
    let mut trigger = Trigger::default();
    "api".clone_into(&mut trigger.kind);
    trigger.label = label.map(str::to_owned);
    trigger
}

pub(crate) async fn run(
    State(studio): State<Studio>,
    InPath(id): InPath<String>,
    headers: HeaderMap,
    MaybeBody(body): MaybeBody<Start>,
) -> Result<Accepted, Problem> {
    let id = WorkflowId::new(id);
    let key = idempotency_key(&headers)?;
    let key = key.map(|key| run_of_key(&["run", id.as_str(), key]));
    // An earlier request of this key needs no workflow any more: what is gone cannot be compared.
    if let Some(run) = &key
        && is_there(&studio, run).await?
    {
        let plan = match body.version {
            Some(_) => if_there(plan_of(&studio, &id, body.version).await)?,
            None => None,
        };
        let view = begun(&studio, run).await?;
        return same_start(&view, &body, plan.as_deref()).map(|()| accepted(&view, "../runs/"));
    }
    let plan = plan_of(&studio, &id, body.version).await?;
    let mut request = RunRequest::new(plan.clone())
        .with_inputs(body.inputs.clone())
        .with_trigger(trigger(None));
    request.run_id.clone_from(&key);
    match studio.host.executor.start(request).await {
        Ok(handle) => {
            studio.metrics.runs_started.inc();
            let view = begun(&studio, handle.id()).await?;
            Ok(accepted(&view, "../runs/"))
        }
        Err(StartError::RunExists(run)) if key.is_some() => {
            let view = begun(&studio, &run).await?;
            same_start(&view, &body, Some(&plan)).map(|()| accepted(&view, "../runs/"))
        }
        Err(error) => Err(not_started(error)),
    }
}

/// What a version of a workflow compiles to; of the newest one, where none is named.
async fn plan_of(
    studio: &Studio,
    id: &WorkflowId,
    version: Option<u32>,
) -> Result<Arc<Plan>, Problem> {
    let workflow = stored(studio, id, version).await?;
    Ok(compiled(studio, Arc::new(workflow.graph)).await?.plan)
}

/// Nothing, where the server works and what was asked for is gone or compiles no more.
fn if_there<T>(found: Result<T, Problem>) -> Result<Option<T>, Problem> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(problem) if problem.status().is_client_error() => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Whether a run was started by the same request; `plan` is that of the version that is asked for.
fn same_start(view: &RunView, body: &Start, plan: Option<&Plan>) -> Result<(), Problem> {
    let version = view.definition_hash.as_ref().map(|hash| hash.as_str());
    let other_version =
        body.version.is_some() && plan.is_some_and(|plan| version != Some(&**plan.hash()));
    if other_version || view.inputs.as_deref() != Some(&body.inputs) {
        return Err(used(&view.run_id));
    }
    Ok(())
}

fn used(run: &RunId) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency-key-used",
        "The key was used for another request",
        format!(
            "run {run} was started with this Idempotency-Key by another request: send a new key"
        ),
    )
}

async fn is_there(studio: &Studio, run: &RunId) -> Result<bool, Problem> {
    Ok(!studio.host.store.read(run, 0, 1).await?.is_empty())
}

/// A run that was just started, once the first event of its log is there.
async fn begun(studio: &Studio, run: &RunId) -> Result<RunView, Problem> {
    let first = studio.host.store.wait_beyond(run, 0);
    match tokio::time::timeout(BEGIN, first).await {
        Ok(begun) => begun?,
        Err(_) => {
            let detail = format!("run {run} was started, and its log does not begin");
            return Err(StoreError::new(StoreErrorKind::Unavailable, detail).into());
        }
    };
    latest(studio, run).await
}

/// The key of a request, where it has one.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let (Some(key), other) = (keys.next(), keys.next()) else {
        return Ok(None);
    };
    match key.to_str().map(str::trim) {
        Ok(key) if other.is_none() && (1..=255).contains(&key.len()) => Ok(Some(key)),
        _ => Err(Problem::invalid(
            "Idempotency-Key does not fit: expected one, of 1 to 255 visible ASCII characters",
        )),
    }
}

/// The run that a key stands for: the store itself refuses a second one, whichever server is asked and
/// however often it was restarted.
fn run_of_key(parts: &[&str]) -> RunId {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hex::encode(&hash.finalize()[..16]);
    RunId::parse(&format!("key-{digest}")).expect("hex digits may stand in an id")
}

pub(crate) async fn rerun(
    State(studio): State<Studio>,
    InPath(run): InPath<String>,
    headers: HeaderMap,
    MaybeBody(body): MaybeBody<Again>,
) -> Result<Accepted, Problem> {
    let run = run_id(&run)?;
    let key = idempotency_key(&headers)?;
    let key = key.map(|key| run_of_key(&["rerun", run.as_str(), key]));
    let (store, registry) = (&studio.host.store, &studio.host.registry);
    let request = RunRequest::repeating(store, &run, Some(registry)).await;
    let mut request = request.map_err(not_resumed)?;
    request.inputs.extend(body.inputs);
    if let Some(node) = body.from.clone() {
        request = request.again_from(node);
    }
    if body.cached {
        request = request.cached();
    }
    let mut request = request.with_trigger(trigger(Some("rerun")));
    let inputs = request.inputs.clone();
    request.run_id.clone_from(&key);
    let again = match studio.host.executor.start(request).await {
        Ok(handle) => {
            studio.metrics.runs_started.inc();
            begun(&studio, handle.id()).await?
        }
        Err(StartError::RunExists(again)) if key.is_some() => {
            let again = begun(&studio, &again).await?;
            let asked = again.parent.as_ref();
            let asked = asked.map(|parent| (parent.node_id.as_ref(), parent.cached));
            if again.inputs.as_deref() != Some(&inputs)
                || asked != Some((body.from.as_ref(), body.cached))
            {
                return Err(used(&again.run_id));
            }
            again
        }
        Err(error) => return Err(not_started(error)),
    };
    Ok(accepted(&again, "../"))
}

fn not_started(error: StartError) -> Problem {
    match error {
        StartError::Inputs(ref fields) => {
            let fields = Arc::new(fields.clone());
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid-inputs",
                "The inputs do not fit the workflow",
                error,
            )
            .with("fields", &*fields)
        }
        StartError::RunExists(_) => Problem::conflict("run-exists", "The run exists", error),
        StartError::UnknownRun(run) => Problem::unknown_run(&run),
        StartError::UnknownNode(_) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Problem::new(status, "unknown-node", "No such node", error)
        }
        StartError::Store(error) => error.into(),
        error => Problem::internal(error),
    }
}
