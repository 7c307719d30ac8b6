//! Reading requests and writing replies, so that whatever does not fit is a [`Problem`].

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Problem, studio::Studio};

/// What the path says.
#[derive(Debug)]
pub(crate) struct InPath<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        let Path(value) = path.map_err(|rejection| {
            Problem::new(
                StatusCode::NOT_FOUND,
                "not-found",
                "Nothing is there",
                rejection.body_text(),
            )
        })?;
        Ok(Self(value))
    }
}

/// What the query says.
#[derive(Debug)]
pub(crate) struct InQuery<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let Query(value) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
        Ok(Self(value))
    }
}

/// A JSON body.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Studio> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Studio) -> Result<Self, Problem> {
        let text = text(request, state).await?;
        parse(&text).map(Self)
    }
}

/// A JSON body that may be left out.
#[derive(Debug)]
pub(crate) struct MaybeBody<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequest<Studio> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Studio) -> Result<Self, Problem> {
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            let body = bytes(request, state).await?;
            return match body.is_empty() {
                true => Ok(Self(T::default())),
                false => Err(not_json()),
            };
        }
        let text = text(request, state).await?;
        match text.is_empty() {
            true => Ok(Self(T::default())),
            false => parse(&text).map(Self),
        }
    }
}

/// A JSON body as the text that it is.
#[derive(Debug)]
pub(crate) struct JsonText(pub(crate) String);

impl FromRequest<Studio> for JsonText {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Studio) -> Result<Self, Problem> {
        text(request, state).await.map(Self)
    }
}

/// The whole body, if it comes in time.
async fn bytes(request: Request, studio: &Studio) -> Result<Bytes, Problem> {
    let body = Bytes::from_request(request, studio);
    match tokio::time::timeout(studio.host.limits.stall, body).await {
        Ok(body) => body.map_err(|error| unread(error, studio.host.limits.body)),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "too-slow",
            "The body did not come",
            "the body took longer than this server waits",
        )),
    }
}

async fn text(request: Request, studio: &Studio) -> Result<String, Problem> {
    if !is_json(request.headers()) {
        return Err(not_json());
    }
    let bytes = bytes(request, studio).await?;
    String::from_utf8(bytes.into())
        .map_err(|_| Problem::invalid("the body is no UTF-8 text: expected JSON"))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    // Serde would take a list for an object, field by field.
    if text.trim_start().starts_with('[') {
        return Err(Problem::invalid(
            "the body does not fit: it is a list, expected an object",
        ));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let at = match path.as_str() {
            "." => String::new(),
            path => format!("at {path}: "),
        };
        Problem::invalid(format!("the body does not fit: {at}{}", error.into_inner()))
    })?;
    match reader.end() {
        Ok(()) => Ok(value),
        Err(error) => Err(Problem::invalid(format!("the body does not fit: {error}"))),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE);
    let media = media.and_then(|media| media.to_str().ok());
    let media = media.and_then(|media| media.split(';').next());
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

fn not_json() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "The body is of another kind",
        "expected a body with content-type: application/json",
    )
}

fn unread(rejection: BytesRejection, limit: usize) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The body is too large",
            format!(
                "the body is larger than the {limit} bytes that this server takes; its host sets the \
                 limit"
            ),
        ),
        _ => Problem::invalid(rejection.body_text()),
    }
}

/// A JSON reply.
#[derive(Debug)]
pub(crate) struct Reply<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(text) => {
                let json = HeaderValue::from_static("application/json");
                ([(header::CONTENT_TYPE, json)], text).into_response()
            }
            Err(error) => {
                Problem::internal(format!("the reply has no JSON: {error}")).into_response()
            }
        }
    }
}
