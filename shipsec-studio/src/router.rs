//! The router that a host mounts.

use axum::{Router, extract::DefaultBodyLimit, middleware};
use http::StatusCode;
use serde_json::Value as Json;

use crate::{
    Host, Problem, api,
    guard::{authorize, gate},
    studio::Studio,
    viewer,
};

/// The API and the viewer, to be served alone or nested in a host's own router.
///
/// The viewer asks relative to its own path, which therefore ends with a slash: nest the router as
/// `.nest("/studio/", router)`.
///
/// Who may ask is what [`Host::with_access`] says; a host that nests it serves it where that is
/// enough, or puts a layer of its own around it.
pub fn router(host: Host) -> Router {
    let limit = host.limits.body;
    let studio = Studio::new(host);
    let (routes, open) = api::routes().routers();
    routes
        .route_layer(middleware::from_fn_with_state(studio.clone(), authorize))
        .merge(open)
        .merge(viewer::routes())
        .fallback(nothing)
        .method_not_allowed_fallback(another_method)
        .layer(DefaultBodyLimit::max(limit))
        .layer(middleware::from_fn_with_state(studio.clone(), gate))
        .with_state(studio)
}

/// The description of the API: an OpenAPI 3.1 document.
pub fn openapi() -> Json {
    api::routes().document()
}

async fn nothing() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "Nothing is there",
        "no such path; openapi.json lists those that there are",
    )
}

async fn another_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "Not with this method",
        "the path takes other methods; openapi.json lists them",
    )
}
