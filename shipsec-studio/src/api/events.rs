//! Events as they come.

use axum::{
    body::Body,
    extract::{Extension, State},
    response::{IntoResponse, Response},
};
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;
use shipsec_core::trace::RunFilter;

use super::inspect::run_id;
use crate::{
    Problem,
    extract::{InPath, InQuery},
    feed::Closing,
    studio::Studio,
};

/// From where on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    /// Only events after this sequence number. `Last-Event-ID` overrides it.
    #[serde(default)]
    after: u64,
}

/// Counts a stream as long as it is open.
struct Counted(Studio);

impl Counted {
    fn new(studio: Studio) -> Self {
        studio.metrics.streams.inc();
        Self(studio)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.streams.dec();
    }
}

pub(crate) async fn stream(
    State(studio): State<Studio>,
    InPath(run): InPath<String>,
    InQuery(query): InQuery<EventsQuery>,
    closing: Option<Extension<Closing>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let run = run_id(&run)?;
    let after = match headers.get("last-event-id") {
        None => query.after,
        Some(id) => {
            let id = id.to_str().ok().and_then(|id| id.trim().parse().ok());
            id.ok_or_else(|| Problem::invalid("Last-Event-ID is no sequence number"))?
        }
    };
    let permit = studio.streams.clone().try_acquire_owned().map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-streams",
            "Too many event streams",
            "as many event streams are open as this server allows; try again later, or ask for pages \
             of the trace",
        )
        .retry_after(5)
    })?;
    let filter = RunFilter::default().with_run(run.clone());
    let listed = studio.host.store.runs(&filter).await?;
    let listed = listed.first().ok_or_else(|| Problem::unknown_run(&run))?;
    let (last, ended) = (listed.last_sequence, listed.status.is_final());
    if after > last {
        return Err(Problem::invalid(format!(
            "the log of run {run} ends at {last}, and the request asks for what comes after {after}"
        )));
    }
    let closing = closing.map_or_else(Closing::default, |Extension(closing)| closing);
    let counted = Counted::new(studio.clone());
    let stream = studio
        .feeds
        .stream(&run, after, last, ended, closing, permit);
    let stream = stream.map(move |piece| {
        let _ = &counted;
        piece
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        // Proxies that collect replies leave this one alone.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}
