//! Every path, its handler, and what describes it.

use super::{
    artifacts::{self, ArtifactList, ArtifactQuery},
    compare::{self, DiffQuery},
    control::{self, Answer, Reason},
    events::{self, EventsQuery},
    inspect::{self, NodeDetail, RunDetail, RunStatus, StateDocument, StateQuery},
    list::{self, RunList, RunsQuery},
    server::{self, ComponentList, Health},
    start::{self, Again, Start, Started},
    trace::{self, TracePage, TraceQuery},
    workflows::{
        self, GraphDocument, SaveQuery, Saved, Validation, VersionQuery, WorkflowDetail,
        WorkflowList, WorkflowsQuery,
    },
};
use shipsec_core::run::{RunOutputs, diff::RunDiff};

use crate::{
    metrics,
    openapi::{
        Api,
        Method::{Delete, Get, Post, Put},
    },
};

/// What `Idempotency-Key` does.
const KEY: &str = "Names this request: however often it comes, one run is started, as long as that run \
                   is kept.";

/// What `ETag` is with a workflow.
const TAG: &str = "Names this version, for If-Match.";

/// What `ETag` is with an artifact.
const BYTES: &str = "Names these bytes, for If-Range and If-None-Match.";

/// What `Range` takes.
const RANGE: &str = "One range of bytes (RFC 9110, section 14).";

/// What `Location` is of a run.
const PLACE: &str = "Where the run is found, relative to the request.";

/// The operations on one run.
const OF_A_RUN: [&str; 14] = [
    "getRun",
    "getRunStatus",
    "getRunState",
    "getRunOutputs",
    "getNode",
    "getOutput",
    "getTrace",
    "listArtifacts",
    "getArtifact",
    "cancelRun",
    "terminateRun",
    "resumeRun",
    "rerunRun",
    "answerNode",
];

/// The operations on one workflow.
const OF_A_WORKFLOW: [&str; 4] = [
    "getWorkflow",
    "putWorkflow",
    "deleteWorkflow",
    "runWorkflow",
];

/// Where a reply names a run, and where a workflow.
const ITS_RUN: (&str, &str) = ("run", "/runId");
const ITS_WORKFLOW: (&str, &str) = ("id", "/id");

/// The operations.
pub(crate) fn routes() -> Api {
    runs(workflows(server(Api::new())))
}

fn server(api: Api) -> Api {
    api.on(
        (Get, "/health"),
        ("health", "Whether the server can work"),
        server::health,
        |operation| operation.for_anybody().gives::<Health>(200, "It can."),
    )
    .on(
        (Get, "/openapi.json"),
        ("openapi", "This document"),
        server::document,
        |operation| {
            operation
                .for_anybody()
                .gives_media(200, "An OpenAPI 3.1 document.", "application/json")
        },
    )
    .on(
        (Get, "/metrics"),
        ("metrics", "What the API did, for Prometheus"),
        server::metrics,
        |operation| operation.gives_media(200, "OpenMetrics text.", metrics::MEDIA_TYPE),
    )
    .on(
        (Get, "/components"),
        (
            "listComponents",
            "The components that workflows are made of",
        ),
        server::components,
        |operation| operation.gives::<ComponentList>(200, "Every component in every version."),
    )
}

fn workflows(api: Api) -> Api {
    const IF_MATCH: &str = "The ETag of the newest version: nothing changes where it is another one. \
                            `*` is any.";
    api.on(
        (Get, "/workflows"),
        ("listWorkflows", "The workflows that are kept"),
        workflows::list,
        |operation| {
            operation
                .query::<WorkflowsQuery>()
                .gives::<WorkflowList>(200, "A page of them, by id.")
        },
    )
    .on(
        (Post, "/workflows"),
        ("createWorkflow", "Keep a new workflow"),
        workflows::create,
        |operation| {
            operation
                .query::<SaveQuery>()
                .takes::<GraphDocument>()
                .gives::<Saved>(201, "It is kept as version 1.")
                .with_header(201, "ETag", TAG)
                .with_header(
                    201,
                    "Location",
                    "Where the workflow is found, relative to the request.",
                )
                .leads_to(201, ITS_WORKFLOW, &OF_A_WORKFLOW)
        },
    )
    .on(
        (Post, "/workflows/validate"),
        (
            "validateWorkflow",
            "Everything that the compiler has to say about a graph",
        ),
        workflows::validate,
        |operation| {
            operation
                .takes::<GraphDocument>()
                .gives::<Validation>(200, "What it says.")
        },
    )
    .on(
        (Get, "/workflows/{id}"),
        (
            "getWorkflow",
            "A workflow: its graph, what it compiles to, and how it is drawn",
        ),
        workflows::get,
        |operation| {
            operation
                .query::<VersionQuery>()
                .gives::<WorkflowDetail>(200, "The workflow.")
                .with_header(200, "ETag", TAG)
        },
    )
    .on(
        (Put, "/workflows/{id}"),
        ("putWorkflow", "Keep a version of a workflow"),
        workflows::put,
        |operation| {
            operation
                .header("If-Match", IF_MATCH)
                .takes::<GraphDocument>()
                .gives::<Saved>(
                    200,
                    "The newest version; the one before, where nothing is different.",
                )
                .with_header(200, "ETag", TAG)
                .gives::<Saved>(201, "There was no such workflow.")
                .with_header(201, "ETag", TAG)
                .leads_to(201, ITS_WORKFLOW, &OF_A_WORKFLOW)
        },
    )
    .on(
        (Delete, "/workflows/{id}"),
        (
            "deleteWorkflow",
            "Remove a workflow with its versions; its runs stay",
        ),
        workflows::delete,
        |operation| {
            operation
                .header("If-Match", IF_MATCH)
                .gives_nothing(204, "It is gone.")
        },
    )
    .on(
        (Post, "/workflows/{id}/run"),
        ("runWorkflow", "Start a run"),
        start::run,
        |operation| {
            operation
                .header("Idempotency-Key", KEY)
                .may_take::<Start>()
                .gives::<Started>(
                    202,
                    "It is started, or was by an earlier request of this key.",
                )
                .with_header(202, "Location", PLACE)
                .leads_to(202, ITS_RUN, &OF_A_RUN)
        },
    )
}

fn runs(api: Api) -> Api {
    api.on(
        (Get, "/workflows/runs"),
        ("listRuns", "The runs that are kept, the newest first"),
        list::runs,
        |operation| {
            operation
                .query::<RunsQuery>()
                .gives::<RunList>(200, "A page of them.")
        },
    )
    .on(
        (Get, "/workflows/runs/{run}"),
        ("getRun", "A run: its status, its plan, its inputs"),
        inspect::run,
        |operation| operation.gives::<RunDetail>(200, "The run."),
    )
    .on(
        (Get, "/workflows/runs/{run}/status"),
        ("getRunStatus", "The status of a run"),
        inspect::status,
        |operation| operation.gives::<RunStatus>(200, "The status."),
    )
    .on(
        (Get, "/workflows/runs/{run}/state"),
        (
            "getRunState",
            "The state of a run after any event of its log",
        ),
        inspect::state,
        |operation| {
            operation
                .query::<StateQuery>()
                .gives::<StateDocument>(200, "The state.")
        },
    )
    .on(
        (Get, "/workflows/runs/{run}/outputs"),
        ("getRunOutputs", "What a run gave"),
        inspect::outputs,
        |operation| operation.gives::<RunOutputs>(200, "The outputs so far."),
    )
    .on(
        (Get, "/workflows/runs/{run}/nodes/{node}"),
        ("getNode", "A node of a run, or an item of one (`node[3]`)"),
        inspect::node,
        |operation| operation.gives::<NodeDetail>(200, "The node."),
    )
    .on(
        (Get, "/workflows/runs/{run}/nodes/{node}/outputs/{port}"),
        (
            "getOutput",
            "The value of an output, also where it is too large for the log",
        ),
        inspect::output,
        |operation| {
            operation
                .header("Range", RANGE)
                .gives_media(200, "Its JSON, with secrets masked.", "application/json")
                .gives_media(206, "The range.", "application/json")
                .gives_nothing(
                    304,
                    "It is the one that the request names in If-None-Match.",
                )
        },
    )
    .on(
        (Get, "/workflows/runs/{run}/trace"),
        ("getTrace", "Events of a run, page by page"),
        trace::page,
        |operation| {
            operation
                .query::<TraceQuery>()
                .gives::<TracePage>(200, "A page of them.")
        },
    )
    .on(
        (Get, "/workflows/runs/{run}/events"),
        (
            "streamEvents",
            "The events of a run as they come: history, then live",
        ),
        events::stream,
        |operation| {
            operation
                .query::<EventsQuery>()
                .header(
                    "Last-Event-ID",
                    "The sequence number of the last event that came.",
                )
                .gives_media(
                    200,
                    "Server-sent events: `id` is the sequence number, `event` the type, `data` the \
                     event. After the last event of a run that has ended, `end`.",
                    "text/event-stream",
                )
        },
    )
    .on(
        (Get, "/workflows/runs/{run}/artifacts"),
        ("listArtifacts", "The artifacts of a run"),
        artifacts::list,
        |operation| operation.gives::<ArtifactList>(200, "In the order in which they were stored."),
    )
    .on(
        (Get, "/workflows/runs/{run}/artifacts/{*artifact}"),
        (
            "getArtifact",
            "The bytes of an artifact, or of a part of it",
        ),
        artifacts::get,
        |operation| {
            operation
                .query::<ArtifactQuery>()
                .header("Range", RANGE)
                .header(
                    "If-Range",
                    "The ETag of what a part is wanted of; all of it comes otherwise.",
                )
                .header("If-None-Match", "The ETag of what the client has already.")
                .gives_media(200, "All of it.", "*/*")
                .with_header(200, "ETag", BYTES)
                .gives_media(206, "The range.", "*/*")
                .with_header(206, "ETag", BYTES)
                .with_header(
                    206,
                    "Content-Range",
                    "Which bytes (RFC 9110, section 14.4).",
                )
                .gives_nothing(
                    304,
                    "It is the one that the request names in If-None-Match.",
                )
        },
    )
    .on(
        (Post, "/workflows/runs/{run}/cancel"),
        ("cancelRun", "Ask a run to stop, with clean-up"),
        control::cancel,
        |operation| {
            operation
                .may_take::<Reason>()
                .gives::<Started>(202, "It is asked to.")
        },
    )
    .on(
        (Post, "/workflows/runs/{run}/terminate"),
        ("terminateRun", "Kill a run"),
        control::terminate,
        |operation| {
            operation
                .may_take::<Reason>()
                .gives::<Started>(202, "It is being killed.")
        },
    )
    .on(
        (Post, "/workflows/runs/{run}/resume"),
        ("resumeRun", "Go on with a run whose process died"),
        control::resume,
        |operation| operation.gives::<Started>(202, "It goes on."),
    )
    .on(
        (Post, "/workflows/runs/{run}/rerun"),
        (
            "rerunRun",
            "Run it again, and take over what has not changed",
        ),
        start::rerun,
        |operation| {
            operation
                .header("Idempotency-Key", KEY)
                .may_take::<Again>()
                .gives::<Started>(202, "It is started.")
                .with_header(202, "Location", PLACE)
                .leads_to(202, ITS_RUN, &OF_A_RUN)
        },
    )
    .on(
        (Post, "/workflows/runs/{run}/answer"),
        ("answerNode", "Answer what a node waits for"),
        control::answer,
        |operation| {
            operation
                .takes::<Answer>()
                .gives_nothing(204, "The answer is recorded.")
        },
    )
    .on(
        (Get, "/runs/diff"),
        ("diffRuns", "What is different between two runs"),
        compare::diff,
        |operation| {
            operation
                .query::<DiffQuery>()
                .gives::<RunDiff>(200, "The difference.")
        },
    )
}
