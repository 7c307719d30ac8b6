//! HTTP as the components speak it: limits, redirects, and statuses as errors.

use std::{collections::BTreeMap, future::Future, sync::OnceLock, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Client, Method, Response, StatusCode, Url,
    header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};
use serde_json::json;
use shipsec_core::{ComponentError, Context, ErrorKind, Value};

use super::cancelled;

/// The longest wait that a peer is granted, so that a wrong clock does not stop a run for years.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How much of the body of a refusal is kept to be read.
const EXCERPT: usize = 2048;

/// A client that follows no redirect: the components decide themselves what goes where.
pub(crate) fn client() -> Result<&'static Client, ComponentError> {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    if let Some(client) = CLIENT.get() {
        return Ok(client);
    }
    let made = Client::builder()
        .user_agent(concat!("shipsec-sdk/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .redirect(Policy::none())
        .build()
        .map_err(|error| {
            ComponentError::configuration("the HTTP client cannot be set up").with_source(error)
        })?;
    Ok(CLIENT.get_or_init(|| made))
}

/// Reads an `http` or `https` URL. Its text is not repeated in the error: it may hold a secret.
pub(crate) fn web_url(port: &str, text: &str) -> Result<Url, ComponentError> {
    let wrong = |message: String| {
        ComponentError::validation(format!("{port}: {message}")).with_field(port, message)
    };
    let url = Url::parse(text.trim())
        .map_err(|error| wrong(format!("not a URL, such as https://example.com/: {error}")))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(wrong(format!("scheme {scheme:?}: expected http or https"))),
    }
}

/// A URL as messages show it: without user info, query and fragment.
pub(crate) fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    // These fail only for URLs without a host, which have no user info either.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.to_string()
}

/// Scheme, host and port: whom credentials are meant for.
pub(crate) fn origin(url: &Url) -> (&str, Option<&str>, Option<u16>) {
    (url.scheme(), url.host_str(), url.port_or_known_default())
}

/// Reads headers by name. The values are not repeated in the error: they may be secret.
pub(crate) fn header_map(headers: &BTreeMap<String, String>) -> Result<HeaderMap, ComponentError> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let wrong = |what: &str| {
            ComponentError::validation(format!("header {name:?}: {what}"))
                .with_field("headers", format!("{name:?}: {what}"))
        };
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("not a header's name"))?;
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| wrong("its value has characters that no header may have"))?;
        value.set_sensitive(true);
        map.insert(name, value);
    }
    Ok(map)
}

/// A value as the text of a JSON body.
pub(crate) fn json_body(port: &str, value: &Value) -> Result<Bytes, ComponentError> {
    let mut text = Vec::new();
    value.write_json(&mut text).map_err(|error| {
        ComponentError::validation(format!("{port}: the value has no JSON: {error}"))
            .with_field(port, "expected a value that has JSON")
    })?;
    Ok(text.into())
}

/// Seconds as a duration, at least a millisecond.
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.001)).unwrap_or(LONGEST_WAIT)
}

/// Awaits a whole exchange for at most `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    what: &str,
    exchange: impl Future<Output = Result<T, ComponentError>>,
) -> Result<T, ComponentError> {
    match tokio::time::timeout(limit, exchange).await {
        Ok(result) => result,
        Err(_) => Err(ComponentError::timeout(format!(
            "{what}: no complete answer within {} s",
            limit.as_secs_f64()
        ))),
    }
}

/// Reads a body of at most `limit` bytes, counted after decompression.
pub(crate) async fn read_limited(
    what: &str,
    mut response: Response,
    limit: u64,
    cx: &Context,
) -> Result<Bytes, ComponentError> {
    let too_large = || {
        ComponentError::validation(format!(
            "{what}: the body is larger than {limit} bytes: raise maxResponseBytes, or ask for less"
        ))
        .with_field("maxResponseBytes", "too low for this answer")
    };
    if response.content_length().is_some_and(|size| size > limit) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    loop {
        let chunk = tokio::select! {
            chunk = response.chunk() => chunk,
            () = cx.cancelled() => return Err(cancelled()),
        };
        let chunk = chunk.map_err(|error| {
            let kind = if error.is_timeout() {
                ErrorKind::Timeout
            } else {
                ErrorKind::Network
            };
            let message = format!("{what}: the body broke off after {} bytes", body.len());
            ComponentError::new(kind, message).with_source(error.without_url())
        })?;
        let Some(chunk) = chunk else { break };
        if (body.len() + chunk.len()) as u64 > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// The error of an answer that refuses.
pub(crate) async fn status_error(
    method: &Method,
    url: &Url,
    mut response: Response,
) -> ComponentError {
    let status = response.status();
    let wait = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry_after(value, jiff::Timestamp::now()));
    let mut excerpt = BytesMut::new();
    while excerpt.len() < EXCERPT
        && let Ok(Some(chunk)) = response.chunk().await
    {
        excerpt.extend_from_slice(&chunk);
    }
    excerpt.truncate(EXCERPT);
    let excerpt = String::from_utf8_lossy(&excerpt);
    let reason = status.canonical_reason().unwrap_or("refused");
    let message = format!("{method} {}: {} {reason}", shown(url), status.as_u16());
    let mut error = ComponentError::new(kind_of(status), message)
        .with_details(json!({ "status": status.as_u16(), "body": excerpt.trim() }));
    if let Some(wait) = wait {
        error = error.with_retry_after(wait);
    }
    error
}

/// What kind of failure a status of 300 and more is.
pub(crate) fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 | 407 => ErrorKind::Authentication,
        403 | 451 => ErrorKind::Permission,
        404 | 410 => ErrorKind::NotFound,
        408 => ErrorKind::Timeout,
        429 => ErrorKind::RateLimit,
        300..=399 => ErrorKind::Configuration,
        400..=499 => ErrorKind::Validation,
        _ => ErrorKind::Service,
    }
}

/// Reads `Retry-After`: seconds, or an HTTP date.
fn retry_after(value: &str, now: jiff::Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let at = jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(value)
            .ok()?;
        Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2015-10-21T07:27:00Z".parse().unwrap();
        let read = |text| retry_after(text, now);
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            read("Wed, 21 Oct 2015 07:28:00 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(read("Wed, 21 Oct 2015 07:26:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("99999999999999999999999"), Some(LONGEST_WAIT));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-5"), None);
    }

    #[test]
    fn each_status_has_its_kind() {
        for (status, kind) in [
            (400, ErrorKind::Validation),
            (401, ErrorKind::Authentication),
            (403, ErrorKind::Permission),
            (404, ErrorKind::NotFound),
            (408, ErrorKind::Timeout),
            (409, ErrorKind::Validation),
            (422, ErrorKind::Validation),
            (429, ErrorKind::RateLimit),
            (500, ErrorKind::Service),
            (503, ErrorKind::Service),
            (302, ErrorKind::Configuration),
        ] {
            assert_eq!(
                kind_of(StatusCode::from_u16(status).unwrap()),
                kind,
                "{status}"
            );
        }
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        let url = web_url("url", "https://me:made-up@host.test/a?key=made-up#x").unwrap();
        assert_eq!(shown(&url), "https://host.test/a");
        for bad in ["host.test", "file:///etc/passwd", "https://"] {
            let error = web_url("url", bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Validation);
            assert!(error.fields().contains_key("url"), "{error}");
        }
    }

    #[test]
    fn a_bad_header_is_named_and_its_value_is_not() {
        let headers = BTreeMap::from([("X-Key".to_owned(), "made-up\nvalue".to_owned())]);
        let error = header_map(&headers).unwrap_err();
        assert!(error.message().contains("X-Key"), "{error}");
        assert!(!error.message().contains("made-up"), "{error}");
    }
}
