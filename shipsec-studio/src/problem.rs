//! What goes wrong, as RFC 9457 has it.

use std::{borrow::Cow, fmt};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use shipsec_core::{RunId, storage::StorageError, trace::StoreError, trace::StoreErrorKind};

/// Media type of a problem document: RFC 9457, section 3.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// A request that could not be followed: a problem document (RFC 9457).
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<Document>);

/// Why a request could not be followed (RFC 9457).
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Document {
    /// Names the kind of problem: `urn:shipsec:problem:` and its code.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words; the same for each problem of the kind.
    title: Cow<'static, str>,
    /// The HTTP status.
    status: u16,
    /// What happened to this request, and what to do.
    detail: String,
    /// The kind as a stable name: programs may depend on it.
    code: Cow<'static, str>,
    /// What else there is to say about a problem of this kind.
    #[serde(flatten)]
    more: Map<String, Json>,
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Problem {
    /// A problem of a kind: its status, its code, its title, and what happened.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl fmt::Display,
    ) -> Self {
        Self(Box::new(Document {
            kind: format!("urn:shipsec:problem:{code}"),
            title: title.into(),
            status: status.as_u16(),
            detail: detail.to_string(),
            code: code.into(),
            more: Map::new(),
            retry_after: None,
        }))
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(Json::Null);
        self.0.more.insert(field.to_owned(), value);
        self
    }

    /// Says after how many seconds it makes sense to try again.
    #[must_use]
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The kind as a stable name.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    pub(crate) fn invalid(detail: impl fmt::Display) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid-request",
            "The request is not understood",
            detail,
        )
    }

    pub(crate) fn unknown_run(run: &RunId) -> Self {
        let detail = format!("no run {run} is kept here; GET workflows/runs lists those that are");
        Self::new(StatusCode::NOT_FOUND, "unknown-run", "No such run", detail)
    }

    pub(crate) fn conflict(
        code: &'static str,
        title: &'static str,
        detail: impl fmt::Display,
    ) -> Self {
        Self::new(StatusCode::CONFLICT, code, title, detail)
    }

    pub(crate) fn internal(detail: impl fmt::Display) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "internal", "Something is wrong here", detail)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.0.title, self.0.status, self.0.detail)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if self.0.status == StatusCode::UNAUTHORIZED.as_u16() {
            // RFC 6750, section 3.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = format!("the trace store cannot be used: {error}");
        match error.kind() {
            StoreErrorKind::Unavailable => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "store-unavailable",
                "The trace store is away",
                detail,
            )
            .retry_after(1),
            _ => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "store-failed",
                "The trace store failed",
                detail,
            ),
        }
    }
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        match error.is_not_found() {
            true => Self::new(
                StatusCode::GONE,
                "artifact-gone",
                "The bytes are not kept any more",
                "somebody has removed them from artifact storage",
            ),
            false => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "storage-failed",
                "Artifact storage failed",
                error,
            ),
        }
    }
}
