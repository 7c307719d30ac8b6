//! Workflows and their versions.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{
    WorkflowId,
    workflow::{
        Compiled, Definition, Diagnostic, Diagnostics, Graph, GraphError, Layout, Severity, compile,
    },
};

use super::{inspect::drawn, list::limit};
use crate::{
    Expected, Problem, StoredWorkflow, WorkflowEntry, WorkflowStoreError, WorkflowVersion,
    check_id,
    extract::{InPath, InQuery, JsonText, Reply},
    studio::Studio,
};

/// A graph as a body. It is read by the library itself, which says where it does not fit.
#[derive(JsonSchema)]
#[schemars(transparent)]
pub(crate) struct GraphDocument(#[expect(dead_code, reason = "it only describes the body")] Graph);

/// Which workflows to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkflowsQuery {
    /// Workflows of a page.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u16,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

fn hundred() -> u16 {
    100
}

/// A page of workflows.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkflowList {
    /// The workflows, by id.
    workflows: Vec<WorkflowEntry>,
    /// Asks for the next page; none on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<WorkflowId>,
}

pub(crate) async fn list(
    State(studio): State<Studio>,
    InQuery(query): InQuery<WorkflowsQuery>,
) -> Result<Reply<WorkflowList>, Problem> {
    let limit = limit(query.limit)?;
    let after = query.cursor.map(WorkflowId::new);
    let workflows = studio.host.workflows.list(after.as_ref(), limit + 1).await;
    let mut workflows = workflows.map_err(not_stored)?;
    let more = workflows.len() > limit;
    workflows.truncate(limit);
    let last = workflows.last().filter(|_| more);
    Ok(Reply(WorkflowList {
        next_cursor: last.map(|last| last.id.clone()),
        workflows,
    }))
}

/// What a new workflow is called.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaveQuery {
    /// Its id; the graph's own, or one made from its name, where it is missing.
    id: Option<String>,
}

/// A workflow that is kept.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Saved {
    #[serde(flatten)]
    workflow: WorkflowEntry,
    /// What somebody should look at.
    warnings: Diagnostics,
}

pub(crate) async fn create(
    State(studio): State<Studio>,
    InQuery(query): InQuery<SaveQuery>,
    JsonText(text): JsonText,
) -> Result<Response, Problem> {
    let mut graph = read(&studio, text).await?;
    if let Some(id) = query.id {
        graph.id = Some(WorkflowId::new(id));
    }
    let graph = Arc::new(graph);
    let id = compiled(&studio, graph.clone())
        .await?
        .plan
        .workflow_id()
        .clone();
    let graph = Arc::unwrap_or_clone(graph);
    let saved = save(&studio, id.clone(), graph, Expected::Nothing).await;
    let (_, mut response) = saved.map_err(|problem| match problem.status() {
        StatusCode::PRECONDITION_FAILED => Problem::conflict(
            "workflow-exists",
            "There is such a workflow",
            format!("workflow {id} is kept already: PUT workflows/{id} adds a version to it"),
        ),
        _ => problem,
    })?;
    *response.status_mut() = StatusCode::CREATED;
    // Relative to `workflows`.
    if let Ok(place) = HeaderValue::from_str(&format!("workflows/{id}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

pub(crate) async fn put(
    State(studio): State<Studio>,
    InPath(id): InPath<String>,
    headers: HeaderMap,
    JsonText(text): JsonText,
) -> Result<Response, Problem> {
    let id = WorkflowId::new(id);
    let mut graph = read(&studio, text).await?;
    graph.id = Some(id.clone());
    let expected = expected(&headers)?;
    let before = studio.host.workflows.get(&id, None).await;
    let is_new = before.map_err(not_stored)?.is_none();
    let (version, mut response) = save(&studio, id, graph, expected).await?;
    // Of several that come at once, one makes it.
    if is_new && version == 1 {
        *response.status_mut() = StatusCode::CREATED;
    }
    Ok(response)
}

async fn save(
    studio: &Studio,
    id: WorkflowId,
    mut graph: Graph,
    expected: Expected,
) -> Result<(u32, Response), Problem> {
    check_id(id.as_str()).map_err(|error| not_stored(error.into()))?;
    // Runs of it carry its id.
    graph.id = Some(id.clone());
    let graph = Arc::new(graph);
    let compiled = compiled(studio, graph.clone()).await?;
    let graph = Arc::unwrap_or_clone(graph);
    let name = graph.name.clone();
    let hash = compiled.plan.hash().clone();
    let kept = studio.host.workflows.put(&id, graph, &hash, expected).await;
    let newest = kept.map_err(not_stored)?;
    let (tag, version) = (tag(&newest), newest.version);
    let saved = Saved {
        workflow: WorkflowEntry::new(id, name, newest),
        warnings: compiled.warnings,
    };
    let response = ([(header::ETAG, tag)], Reply(saved)).into_response();
    Ok((version, response))
}

/// Names a version: by its number, because some of a graph is not in what it compiles to, and by its
/// hash, because a workflow that was removed may come again.
fn tag(version: &WorkflowVersion) -> HeaderValue {
    let tag = format!("\"{}-{}\"", version.version, version.hash);
    HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Which version the request has seen.
fn expected(headers: &HeaderMap) -> Result<Expected, Problem> {
    let said = |name| {
        headers
            .get(name)
            .map(|tag| tag.to_str().unwrap_or_default().trim())
    };
    match (said(header::IF_MATCH), said(header::IF_NONE_MATCH)) {
        (None, None) => Ok(Expected::Anything),
        (Some("*"), None) => Ok(Expected::Something),
        (None, Some("*")) => Ok(Expected::Nothing),
        (None, Some(_)) => Err(Problem::invalid(
            "If-None-Match takes * here, for no workflow",
        )),
        (Some(_), Some(_)) => Err(Problem::invalid("give If-Match or If-None-Match, not both")),
        (Some(tag), None) => {
            let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let tag = tag.and_then(|tag| tag.split_once('-'));
            let version = tag.and_then(|(number, hash)| Some((number.parse().ok()?, hash)));
            let (number, hash) = version.ok_or_else(|| {
                Problem::invalid("If-Match takes one ETag of this workflow in quotes, or *")
            })?;
            Ok(Expected::Version(number, hash.to_owned()))
        }
    }
}

/// Which version.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionQuery {
    /// The version; the newest where it is missing.
    version: Option<u32>,
}

/// A workflow.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkflowDetail {
    #[serde(flatten)]
    workflow: WorkflowEntry,
    /// Every version that is kept, ascending.
    versions: Vec<WorkflowVersion>,
    /// What people wrote.
    graph: Graph,
    /// What it compiles to with the components that there are now.
    definition: Option<Arc<Definition>>,
    /// How that is drawn.
    layout: Option<Layout>,
    /// What the compiler says.
    diagnostics: Diagnostics,
}

pub(crate) async fn get(
    State(studio): State<Studio>,
    InPath(id): InPath<String>,
    InQuery(query): InQuery<VersionQuery>,
) -> Result<Response, Problem> {
    let id = WorkflowId::new(id);
    let workflow = stored(&studio, &id, query.version).await?;
    let versions = studio
        .host
        .workflows
        .versions(&id)
        .await
        .map_err(not_stored)?;
    let graph = Arc::new(workflow.graph);
    let (definition, diagnostics) = match compile_it(&studio, graph.clone()).await? {
        Ok(compiled) => (Some(compiled.plan.definition().clone()), compiled.warnings),
        Err(diagnostics) => (None, diagnostics),
    };
    let layout = match definition.clone() {
        Some(definition) => Some(drawn(&studio, definition).await?),
        None => None,
    };
    let graph = Arc::unwrap_or_clone(graph);
    let tag = tag(&workflow.version);
    let detail = WorkflowDetail {
        layout,
        workflow: WorkflowEntry::new(id, graph.name.clone(), workflow.version),
        versions,
        graph,
        definition,
        diagnostics,
    };
    Ok(([(header::ETAG, tag)], Reply(detail)).into_response())
}

pub(crate) async fn delete(
    State(studio): State<Studio>,
    InPath(id): InPath<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let id = WorkflowId::new(id);
    let gone = studio.host.workflows.delete(&id, expected(&headers)?).await;
    let gone = gone.map_err(|error| match error {
        WorkflowStoreError::Id(_) => unknown(&id),
        error => not_stored(error),
    })?;
    match gone {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown(&id)),
    }
}

/// What the compiler says of a graph.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Validation {
    /// Whether it can run.
    valid: bool,
    /// Everything that there is to say.
    diagnostics: Vec<Said>,
}

/// One thing to say about a graph.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Said {
    /// What, as a stable name: of the compiler, or `invalid-graph`.
    code: String,
    /// Whether the graph can run in spite of it.
    severity: Severity,
    /// JSON Pointer (RFC 6901) into the graph.
    path: String,
    /// What is wrong, and what was expected.
    message: String,
    /// What to do.
    suggestion: Option<String>,
}

impl From<&Diagnostic> for Said {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            code: diagnostic.code.to_string(),
            severity: diagnostic.severity,
            path: diagnostic.path.clone(),
            message: diagnostic.message.clone(),
            suggestion: diagnostic.suggestion.clone(),
        }
    }
}

impl Said {
    /// Of a text that is no graph.
    fn of(error: GraphError) -> Self {
        Self {
            code: "invalid-graph".to_owned(),
            severity: Severity::Error,
            message: format!(
                "line {}, column {}: {}",
                error.line, error.column, error.message
            ),
            path: error.path,
            suggestion: None,
        }
    }
}

pub(crate) async fn validate(
    State(studio): State<Studio>,
    JsonText(text): JsonText,
) -> Result<Reply<Validation>, Problem> {
    let registry = studio.host.registry.clone();
    let said = move || match Graph::from_json(&text) {
        Ok(graph) => match compile(&graph, &registry) {
            Ok(compiled) => (true, compiled.warnings.iter().map(Said::from).collect()),
            Err(diagnostics) => (false, diagnostics.iter().map(Said::from).collect()),
        },
        Err(_) => (
            false,
            Graph::problems(&text).into_iter().map(Said::of).collect(),
        ),
    };
    let (valid, diagnostics) = studio.work(said).await?;
    Ok(Reply(Validation { valid, diagnostics }))
}

/// A workflow from the store.
pub(super) async fn stored(
    studio: &Studio,
    id: &WorkflowId,
    version: Option<u32>,
) -> Result<StoredWorkflow, Problem> {
    let found = studio.host.workflows.get(id, version).await;
    let found = found.map_err(|error| match error {
        // Nothing can be kept under such an id.
        WorkflowStoreError::Id(_) => unknown(id),
        error => not_stored(error),
    })?;
    found.ok_or_else(|| match version {
        None => unknown(id),
        Some(version) => Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-version",
            "No such version",
            format!("workflow {id} has no version {version}"),
        ),
    })
}

/// Reads a graph.
async fn read(studio: &Studio, text: String) -> Result<Graph, Problem> {
    let graph = studio.work(move || Graph::from_json(&text)).await?;
    graph.map_err(not_read)
}

/// Compiles a graph with the host's components.
async fn compile_it(
    studio: &Studio,
    graph: Arc<Graph>,
) -> Result<Result<Compiled, Diagnostics>, Problem> {
    let registry = studio.host.registry.clone();
    studio.work(move || compile(&graph, &registry)).await
}

/// What a graph compiles to; a problem where it does not.
pub(super) async fn compiled(studio: &Studio, graph: Arc<Graph>) -> Result<Compiled, Problem> {
    compile_it(studio, graph).await?.map_err(|diagnostics| {
        let said: Vec<Said> = diagnostics.iter().map(Said::from).collect();
        let first = said.first().map_or("", |said| said.message.as_str());
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-graph",
            "The graph does not compile",
            format!("{} to say about the graph, first: {first}", said.len()),
        )
        .with("diagnostics", said)
    })
}

fn not_read(error: GraphError) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid-graph",
        "This is no graph",
        &error,
    )
    .with("path", error.path)
    .with("line", error.line)
    .with("column", error.column)
}

fn unknown(id: &WorkflowId) -> Problem {
    let shown: String = id.as_str().chars().take(160).collect();
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-workflow",
        "No such workflow",
        format!("no workflow {shown:?} is kept here; GET workflows lists those that are"),
    )
}

fn not_stored(error: WorkflowStoreError) -> Problem {
    match error {
        WorkflowStoreError::Conflict { ref newest, .. } => {
            let newest = newest.clone();
            Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "version-conflict",
                "The workflow is another one now",
                format!("{error}; read it again, and send its ETag as If-Match"),
            )
            .with("newest", newest)
        }
        WorkflowStoreError::Id(error) => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-workflow-id",
            "This cannot name a workflow",
            error,
        ),
        error => Problem::internal(error),
    }
}
