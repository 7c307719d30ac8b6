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
        Compiled, Definition, Diagnostic, Diagnostics, Graph, GraphError, Layout, LayoutOptions,
        Severity, compile,
    },
};

use super::list::limit;
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
    let mut graph = Graph::from_json(&text).map_err(not_read)?;
    if let Some(id) = query.id {
        graph.id = Some(WorkflowId::new(id));
    }
    let id = compiled(&studio, &graph)?.plan.workflow_id().clone();
    let mut response = save(&studio, id.clone(), graph, Expected::Nothing).await?;
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
    let mut graph = Graph::from_json(&text).map_err(not_read)?;
    graph.id = Some(id.clone());
    let expected = expected(&headers)?;
    let is_new = studio
        .host
        .workflows
        .versions(&id)
        .await
        .map_err(not_stored)?
        .is_empty();
    let mut response = save(&studio, id, graph, expected).await?;
    if is_new {
        *response.status_mut() = StatusCode::CREATED;
    }
    Ok(response)
}

async fn save(
    studio: &Studio,
    id: WorkflowId,
    mut graph: Graph,
    expected: Expected,
) -> Result<Response, Problem> {
    check_id(id.as_str()).map_err(|error| not_stored(error.into()))?;
    // Runs of it carry its id.
    graph.id = Some(id.clone());
    let compiled = compiled(studio, &graph)?;
    let name = graph.name.clone();
    let hash = compiled.plan.hash().clone();
    let kept = studio.host.workflows.put(&id, graph, &hash, expected).await;
    let newest = kept.map_err(not_stored)?;
    let tag = tag(&newest);
    let saved = Saved {
        workflow: WorkflowEntry::new(id, name, newest),
        warnings: compiled.warnings,
    };
    Ok(([(header::ETAG, tag)], Reply(saved)).into_response())
}

fn tag(version: &WorkflowVersion) -> HeaderValue {
    let tag = format!("\"{}\"", version.hash);
    HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Which version the request has seen.
fn expected(headers: &HeaderMap) -> Result<Expected, Problem> {
    let Some(tag) = headers.get(header::IF_MATCH) else {
        return Ok(Expected::Anything);
    };
    let tag = tag.to_str().map(str::trim).unwrap_or_default();
    if tag == "*" {
        return Ok(Expected::Anything);
    }
    let hash = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    let hash = hash.filter(|hash| !hash.is_empty() && !hash.contains('"'));
    let hash = hash.ok_or_else(|| Problem::invalid("If-Match takes one ETag in quotes, or *"))?;
    Ok(Expected::Hash(hash.to_owned()))
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
    let (definition, diagnostics) = match compile(&workflow.graph, &studio.host.registry) {
        Ok(compiled) => (Some(compiled.plan.definition().clone()), compiled.warnings),
        Err(diagnostics) => (None, diagnostics),
    };
    let draw =
        |definition: &Arc<Definition>| Layout::of_definition(definition, &LayoutOptions::default());
    let tag = tag(&workflow.version);
    let detail = WorkflowDetail {
        layout: definition.as_ref().map(draw),
        workflow: WorkflowEntry::new(id, workflow.graph.name.clone(), workflow.version),
        versions,
        graph: workflow.graph,
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
    match gone.map_err(not_stored)? {
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

pub(crate) async fn validate(
    State(studio): State<Studio>,
    JsonText(text): JsonText,
) -> Reply<Validation> {
    let (valid, diagnostics) = match Graph::from_json(&text) {
        Ok(graph) => match compile(&graph, &studio.host.registry) {
            Ok(compiled) => (true, compiled.warnings.iter().map(Said::from).collect()),
            Err(diagnostics) => (false, diagnostics.iter().map(Said::from).collect()),
        },
        Err(error) => {
            let said = Said {
                code: "invalid-graph".to_owned(),
                severity: Severity::Error,
                message: format!(
                    "line {}, column {}: {}",
                    error.line, error.column, error.message
                ),
                path: error.path,
                suggestion: None,
            };
            (false, vec![said])
        }
    };
    Reply(Validation { valid, diagnostics })
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

/// Compiles a graph with the host's components.
pub(super) fn compiled(studio: &Studio, graph: &Graph) -> Result<Compiled, Problem> {
    compile(graph, &studio.host.registry).map_err(|diagnostics| {
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
