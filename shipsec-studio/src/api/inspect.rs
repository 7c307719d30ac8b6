//! One run: its status, its state, its outputs, its nodes.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use shipsec_core::{
    RunId,
    run::{
        ArtifactView, LogCounts, NodeCounts, NodeView, PortOutput, RunOutputs, RunView,
        StatusReport, ports,
    },
    trace::RunFilter,
    workflow::{Definition, Layout, LayoutOptions},
};

use super::artifacts::{Stored, send};
use crate::{
    Problem,
    extract::{InPath, InQuery, Reply},
    studio::Studio,
};

/// The status of a run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunStatus {
    #[serde(flatten)]
    report: StatusReport,
    /// Whether it has not ended, and no process runs it: resume it.
    interrupted: bool,
}

impl RunStatus {
    pub(super) async fn of(studio: &Studio, view: &RunView) -> Result<Self, Problem> {
        let report = StatusReport::from(view);
        let interrupted = !report.status.is_final() && {
            let filter = RunFilter::default().with_run(view.run_id.clone());
            let listed = studio.host.store.runs(&filter).await?;
            listed.iter().any(|run| run.is_interrupted())
        };
        Ok(Self {
            report,
            interrupted,
        })
    }
}

/// The state of a run after the last event of its log.
pub(super) async fn latest(studio: &Studio, run: &RunId) -> Result<RunView, Problem> {
    let replay = studio.replays.get(run).await?;
    Ok(replay.timeline(|timeline| timeline.view().clone()))
}

pub(super) fn run_id(text: &str) -> Result<RunId, Problem> {
    RunId::parse(text).map_err(|error| {
        let status = http::StatusCode::NOT_FOUND;
        Problem::new(status, "unknown-run", "No such run", error)
    })
}

pub(crate) async fn status(
    State(studio): State<Studio>,
    InPath(run): InPath<String>,
) -> Result<Reply<RunStatus>, Problem> {
    let view = latest(&studio, &run_id(&run)?).await?;
    Ok(Reply(RunStatus::of(&studio, &view).await?))
}

/// A run.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunDetail {
    /// Its status.
    run: RunStatus,
    /// Sequence number of the last event of its log.
    last_sequence: u64,
    /// What it runs, once the log tells it.
    definition: Option<Arc<Definition>>,
    /// How that is drawn.
    layout: Option<Layout>,
    /// What it was given.
    inputs: Option<Arc<Map<String, Json>>>,
}

pub(crate) async fn run(
    State(studio): State<Studio>,
    InPath(run): InPath<String>,
) -> Result<Reply<RunDetail>, Problem> {
    let view = latest(&studio, &run_id(&run)?).await?;
    let definition = view.definition().cloned();
    let layout = match definition.clone() {
        Some(definition) => Some(drawn(&studio, definition).await?),
        None => None,
    };
    Ok(Reply(RunDetail {
        run: RunStatus::of(&studio, &view).await?,
        last_sequence: view.sequence,
        layout,
        definition,
        inputs: view.inputs.clone(),
    }))
}

/// How a definition is drawn.
pub(super) async fn drawn(studio: &Studio, definition: Arc<Definition>) -> Result<Layout, Problem> {
    let draw = move || Layout::of_definition(&definition, &LayoutOptions::default());
    studio.work(draw).await
}

/// Which moment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateQuery {
    /// After which event of the log; after the last one where it is missing or beyond.
    at: Option<u64>,
}

/// The state of a run after an event: what the reducer makes of its log.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StateDocument {
    /// Sequence number of the event.
    sequence: u64,
    /// The status then.
    #[serde(flatten)]
    status: StatusReport,
    /// How many nodes are in which state.
    counts: NodeCounts,
    /// How many lines were logged, by level.
    log_counts: LogCounts,
    /// Events that came after the end of what they were about.
    late_events: u64,
    /// Events of types that this version does not know.
    unknown_events: u64,
    /// Every node, in the order of the definition.
    nodes: Vec<NodeView>,
    /// Every edge, and whether it has fired.
    edges: Vec<Map<String, Json>>,
    /// The artifacts so far.
    artifacts: Vec<ArtifactView>,
}

pub(crate) async fn state(
    State(studio): State<Studio>,
    InPath(run): InPath<String>,
    InQuery(query): InQuery<StateQuery>,
) -> Result<Reply<RunView>, Problem> {
    let replay = studio.replays.get(&run_id(&run)?).await?;
    Ok(Reply(replay.at(query.at.unwrap_or(u64::MAX)).await?))
}

pub(crate) async fn outputs(
    State(studio): State<Studio>,
    InPath(run): InPath<String>,
) -> Result<Reply<RunOutputs>, Problem> {
    let view = latest(&studio, &run_id(&run)?).await?;
    Ok(Reply(RunOutputs::from(&view)))
}

/// A node of a run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct NodeDetail {
    #[serde(flatten)]
    node: NodeView,
    /// Its items, where it runs once for each.
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Items>,
}

/// The items of a node.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Items {
    /// How many are in which state.
    counts: NodeCounts,
    /// The first 1,000 of those that have begun.
    begun: Vec<NodeView>,
}

/// Items that are given with their node.
const ITEMS: usize = 1000;

pub(crate) async fn node(
    State(studio): State<Studio>,
    InPath((run, node)): InPath<(String, String)>,
) -> Result<Reply<NodeDetail>, Problem> {
    let run = run_id(&run)?;
    let view = latest(&studio, &run).await?;
    let found = view.node(&node).ok_or_else(|| unknown_node(&run, &node))?;
    let items = view.items(&node).map(|items| Items {
        counts: items.counts(),
        begun: items.iter().take(ITEMS).cloned().collect(),
    });
    Ok(Reply(NodeDetail {
        node: found.clone(),
        items,
    }))
}

/// The value of an output, from the log or from where it is kept.
pub(crate) async fn output(
    State(studio): State<Studio>,
    InPath((run, node, port)): InPath<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = run_id(&run)?;
    let view = latest(&studio, &run).await?;
    let found = view.node(&node).ok_or_else(|| unknown_node(&run, &node))?;
    let mut outputs = found.outputs.as_deref().map(ports).unwrap_or_default();
    let why = match outputs.remove(port.as_str()) {
        Some(PortOutput::Value { value, .. }) => return Ok(Reply(value).into_response()),
        Some(PortOutput::Reference { reference, .. }) => {
            let stored = Stored {
                location: &reference.location,
                size: reference.size,
                sha256: &reference.sha256,
                media_type: "application/json",
                name: &format!("{node}.{port}.json"),
            };
            return send(&studio, &stored, false, &headers).await;
        }
        Some(PortOutput::Unreadable { message }) => message,
        Some(_) => "a secret is never shown".to_owned(),
        None => "it has given none so far".to_owned(),
    };
    Err(Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-output",
        "No such output",
        format!("node {node:?} of run {run} has no value to show at port {port:?}: {why}"),
    ))
}

fn unknown_node(run: &RunId, node: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-node",
        "No such node",
        format!("run {run} has no node {node:?}"),
    )
}
