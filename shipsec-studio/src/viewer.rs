//! The viewer's files, which are part of the program.

use std::sync::OnceLock;

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
    tag: OnceLock<HeaderValue>,
}

impl File {
    const fn new(name: &'static str, media: &'static str, bytes: &'static [u8]) -> Self {
        Self {
            name,
            media,
            bytes,
            tag: OnceLock::new(),
        }
    }

    /// Names the bytes.
    fn tag(&self) -> &HeaderValue {
        self.tag.get_or_init(|| {
            let tag = format!("\"{}\"", hex::encode(&Sha256::digest(self.bytes)[..16]));
            HeaderValue::from_str(&tag).expect("hex digits in quotes may stand in a header")
        })
    }
}

static INDEX: File = File::new(
    "index.html",
    "text/html; charset=utf-8",
    include_bytes!("../dist/index.html"),
);

static ASSETS: [File; 2] = [
    File::new(
        "main.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../dist/assets/main.js"),
    ),
    File::new(
        "style.css",
        "text/css; charset=utf-8",
        include_bytes!("../dist/assets/style.css"),
    ),
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
fn send(file: &'static File, headers: &HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH);
    let mut response = match known == Some(file.tag()) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => file.bytes.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.media));
    // The browser asks each time whether it has changed.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::ETAG, file.tag().clone());
    response
}
