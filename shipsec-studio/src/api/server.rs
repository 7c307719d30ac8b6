//! What the server is, and what it can run.

use std::sync::{Arc, LazyLock};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use shipsec_core::{component::ComponentDefinition, trace::RunFilter};

use crate::{Problem, extract::Reply, metrics, studio::Studio};

/// Whether the server can work.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// Always `ok`: otherwise there is a problem document.
    status: &'static str,
    /// The version of the program.
    version: &'static str,
}

pub(crate) async fn health(State(studio): State<Studio>) -> Result<Reply<Health>, Problem> {
    let one = RunFilter::default().with_limit(1);
    studio.host.store.runs(&one).await.map_err(|error| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store-unavailable",
            "The trace store is away",
            error,
        )
        .retry_after(1)
    })?;
    Ok(Reply(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    }))
}

/// The description of the API, which is the same for every server of a build.
pub(crate) async fn document() -> Response {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| crate::openapi().to_string().into());
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], TEXT.clone()).into_response()
}

pub(crate) async fn metrics(State(studio): State<Studio>) -> Result<Response, Problem> {
    let text = studio.metrics.text().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], text).into_response())
}

/// Components.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ComponentList {
    /// Each version of each of them.
    components: Vec<Arc<ComponentDefinition>>,
}

pub(crate) async fn components(State(studio): State<Studio>) -> Reply<ComponentList> {
    Reply(ComponentList {
        components: studio.host.registry.definitions().cloned().collect(),
    })
}
