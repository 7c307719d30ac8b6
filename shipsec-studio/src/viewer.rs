//! The viewer's files, which are part of the program.

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};

use crate::{Problem, extract::InPath, studio::Studio};

struct File {
    name: &'static str,
    media: &'static str,
    bytes: &'static [u8],
}

const INDEX: File = File {
    name: "index.html",
    media: "text/html; charset=utf-8",
    bytes: include_bytes!("../dist/index.html"),
};

const ASSETS: [File; 2] = [
    File {
        name: "main.js",
        media: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../dist/assets/main.js"),
    },
    File {
        name: "style.css",
        media: "text/css; charset=utf-8",
        bytes: include_bytes!("../dist/assets/style.css"),
    },
];

pub(crate) fn routes() -> Router<Studio> {
    Router::new()
        .route("/", get(async |headers: HeaderMap| send(&INDEX, &headers)))
        .route("/assets/{file}", get(asset))
}

async fn asset(InPath(name): InPath<String>, headers: HeaderMap) -> Response {
    match ASSETS.iter().find(|file| file.name == name) {
        Some(file) => send(file, &headers),
        None => Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "Nothing is there",
            "the viewer has no such file",
        )
        .into_response(),
    }
}

/// A file, or that the browser has it already.
fn send(file: &File, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(file.bytes)[..16]));
    let known = headers.get(header::IF_NONE_MATCH);
    let mut response = match known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => file.bytes.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.media));
    // The browser asks each time whether it has changed.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}
