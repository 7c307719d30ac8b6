//! `core.http.request`.

use std::collections::BTreeMap;

use bytes::Bytes;
use reqwest::{
    Method, Response, StatusCode, Url,
    header::{
        ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap,
        HeaderName, HeaderValue, LOCATION, USER_AGENT,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use shipsec_core::{ComponentError, Context, Params, Ports, Secret, Shared, Value, component};

use crate::support::{
    client, header_map, json_body, origin, read_limited, seconds, shown, status_error, web_url,
    within,
};

/// How many redirects are followed before it is taken for a circle.
const MOST_REDIRECTS: usize = 10;

/// The headers that go to another host than the one they were meant for: none that may identify
/// anybody.
const HARMLESS: [HeaderName; 5] = [
    ACCEPT,
    ACCEPT_LANGUAGE,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    USER_AGENT,
];

/// What `core.http.request` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct RequestInput {
    /// URL. Where the request goes, over http or https.
    pub url: String,
    /// Method. GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS, or another that the peer knows.
    #[port(default = "GET".to_owned())]
    pub method: String,
    /// Headers. By name.
    #[port(default = BTreeMap::new())]
    pub headers: BTreeMap<String, String>,
    /// Body. Text is sent as it is, anything else as JSON.
    pub body: Option<Value>,
    /// Bearer token. Sent as `Authorization: Bearer …`, and to no other host after a redirect.
    pub bearer_token: Option<Secret<String>>,
}

/// How `core.http.request` asks.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct RequestParams {
    /// Timeout. Seconds until the whole answer must be there, redirects included.
    #[serde(default = "half_a_minute")]
    #[schemars(range(min = 0.001, max = 86400))]
    #[param(editor = "number")]
    pub timeout_seconds: f64,
    /// Follow redirects. At most ten, none of them from https to http; without it the redirect
    /// itself is the answer.
    #[serde(default = "yes")]
    pub follow_redirects: bool,
    /// Largest body. Bytes of the answer's body, after decompression.
    #[serde(default = "ten_mebibytes")]
    #[schemars(range(min = 1, max = 1_073_741_824))]
    #[param(editor = "number")]
    pub max_response_bytes: u64,
}

fn half_a_minute() -> f64 {
    30.0
}

fn yes() -> bool {
    true
}

fn ten_mebibytes() -> u64 {
    10 * 1024 * 1024
}

impl Default for RequestParams {
    fn default() -> Self {
        Self {
            timeout_seconds: half_a_minute(),
            follow_redirects: true,
            max_response_bytes: ten_mebibytes(),
        }
    }
}

/// What `core.http.request` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct RequestOutput {
    /// Status. Below 400: any other is an error.
    pub status: u16,
    /// Headers. By name in lower case; several of one name are joined with a comma.
    pub headers: BTreeMap<String, String>,
    /// Body. As text; bytes that are not UTF-8 become replacement characters.
    pub body: Shared<String>,
    /// JSON. The body as JSON, where the answer says that it is JSON.
    pub json: Option<Value>,
}

/// HTTP request. Sends a request and gives the answer; a status of 400 and more is an error whose
/// kind says whether another attempt makes sense.
#[component(
    id = "core.http.request",
    version = "1.0.0",
    category = "http",
    volatile
)]
pub async fn http_request(
    input: RequestInput,
    params: &RequestParams,
    cx: &Context,
) -> Result<RequestOutput, ComponentError> {
    let request = Outgoing::new(input)?;
    let what = format!("{} {}", request.method, shown(&request.url));
    let exchange = exchange(request, params, cx);
    within(seconds(params.timeout_seconds), &what, exchange).await
}

struct Outgoing {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
}

impl Outgoing {
    fn new(input: RequestInput) -> Result<Self, ComponentError> {
        let url = web_url("url", &input.url)?;
        let method = input.method.trim().to_ascii_uppercase();
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| {
            let message = format!("{method:?} is not an HTTP method");
            ComponentError::validation(format!("method: {message}")).with_field("method", message)
        })?;
        let mut headers = header_map(&input.headers)?;
        if let Some(token) = &input.bearer_token {
            if headers.contains_key(AUTHORIZATION) {
                let message = "there is a bearer token as well: give one of them";
                return Err(
                    ComponentError::validation(format!("header authorization: {message}"))
                        .with_field("headers", message),
                );
            }
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", token.expose()?)).map_err(|_| {
                    let message = "it has characters that no header may have, such as a line end";
                    ComponentError::validation(format!("bearerToken: {message}"))
                        .with_field("bearerToken", message)
                })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let body = match &input.body {
            None => None,
            Some(value) => Some(body(value, &mut headers)?),
        };
        Ok(Self {
            method,
            url,
            headers,
            body,
        })
    }

    /// Turns to where a redirect points, as browsers do. Credentials stay with the host that they
    /// were meant for.
    fn redirect(&mut self, status: StatusCode, location: &str) -> Result<(), ComponentError> {
        let refuse = |why: String| {
            ComponentError::validation(format!("{} {}: {why}", self.method, shown(&self.url)))
                .with_field("url", "redirects to where this request does not go")
        };
        let next = self
            .url
            .join(location)
            .map_err(|error| refuse(format!("redirects to what is not a URL: {error}")))?;
        match (self.url.scheme(), next.scheme()) {
            (_, "https") | ("http", "http") => {}
            (_, scheme) => {
                let to = shown(&next);
                return Err(refuse(format!(
                    "redirects to {to}, and from https to {scheme} is not followed"
                )));
            }
        }
        let becomes_get = match status {
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = None;
            self.headers.remove(CONTENT_TYPE);
        }
        if origin(&self.url) != origin(&next) {
            let kept = HARMLESS
                .into_iter()
                .filter_map(|name| Some((name.clone(), self.headers.remove(name)?)));
            let kept: HeaderMap = kept.collect();
            self.headers = kept;
        }
        self.url = next;
        Ok(())
    }
}

fn body(value: &Value, headers: &mut HeaderMap) -> Result<Bytes, ComponentError> {
    let text = match value.json() {
        Ok(Json::String(text)) => Some(text),
        _ => None,
    };
    let default = match text {
        Some(_) => HeaderValue::from_static("text/plain; charset=utf-8"),
        None => HeaderValue::from_static("application/json"),
    };
    headers.entry(CONTENT_TYPE).or_insert(default);
    match text {
        Some(text) => Ok(Bytes::copy_from_slice(text.as_bytes())),
        None => json_body("body", value),
    }
}

async fn exchange(
    mut request: Outgoing,
    params: &RequestParams,
    cx: &Context,
) -> Result<RequestOutput, ComponentError> {
    let mut redirects = 0;
    let response = loop {
        let response = send(&request, cx).await?;
        let status = response.status();
        if !params.follow_redirects || !is_redirect(status) {
            break response;
        }
        let location = response.headers().get(LOCATION);
        let Some(location) = location.and_then(|value| value.to_str().ok()) else {
            break response;
        };
        redirects += 1;
        if redirects > MOST_REDIRECTS {
            let message = format!("more than {MOST_REDIRECTS} redirects");
            let at = shown(&request.url);
            return Err(
                ComponentError::validation(format!("{} {at}: {message}", request.method))
                    .with_field("url", message),
            );
        }
        request.redirect(status, location)?;
    };
    if response.status().as_u16() >= 400 {
        return Err(status_error(&request.method, &request.url, response).await);
    }
    answer(&request, response, params.max_response_bytes, cx).await
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

async fn send(request: &Outgoing, cx: &Context) -> Result<Response, ComponentError> {
    let client = client()?;
    let mut builder = client
        .request(request.method.clone(), request.url.clone())
        .headers(request.headers.clone());
    if let Some(body) = &request.body {
        builder = builder.body(body.clone());
    }
    let built = builder.build().map_err(|error| {
        ComponentError::validation(format!("url: {}", error.without_url()))
            .with_field("url", "cannot be asked")
    })?;
    cx.http().execute(client, built).await
}

async fn answer(
    request: &Outgoing,
    response: Response,
    limit: u64,
    cx: &Context,
) -> Result<RequestOutput, ComponentError> {
    let what = format!("{} {}", request.method, shown(&request.url));
    let status = response.status().as_u16();
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in response.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|joined| {
                joined.push_str(", ");
                joined.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    let says_json = headers
        .get("content-type")
        .is_some_and(|kind| is_json(kind));
    let bytes = read_limited(&what, response, limit, cx).await?;
    let json = if says_json && !bytes.is_empty() {
        match serde_json::from_slice::<Json>(&bytes) {
            Ok(json) => Some(Value::from(json)),
            Err(error) => {
                cx.warn(format!(
                    "the answer says that it is JSON, but it is not: {error}"
                ));
                None
            }
        }
    } else {
        None
    };
    let body = String::from_utf8(bytes.into()).unwrap_or_else(|error| {
        cx.warn("the body is not UTF-8 text: what is not became replacement characters");
        String::from_utf8_lossy(error.as_bytes()).into_owned()
    });
    Ok(RequestOutput {
        status,
        headers,
        body: body.into(),
        json,
    })
}

/// Whether a media type is `application/json`, or built on it, such as `application/sarif+json`.
fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind == "application/json" || kind == "text/json" || kind.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(method: &str, url: &str) -> Outgoing {
        let headers = [("X-Api-Key", "made-up"), ("Accept", "text/html")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Outgoing::new(RequestInput {
            url: url.to_owned(),
            method: method.to_owned(),
            headers: BTreeMap::from(headers),
            body: Some(Value::from(serde_json::json!({"a": 1}))),
            bearer_token: Some(Secret::new("made-up".to_owned())),
        })
        .unwrap()
    }

    #[test]
    fn credentials_stay_with_their_host() {
        let mut request = outgoing("put", "https://a.test/x");
        request
            .redirect(StatusCode::PERMANENT_REDIRECT, "/y")
            .unwrap();
        assert!(request.headers.contains_key(AUTHORIZATION));
        assert!(request.headers.contains_key("x-api-key"));
        for other in ["https://b.test/", "https://a.test:8443/"] {
            let mut request = outgoing("put", "https://a.test/x");
            request
                .redirect(StatusCode::PERMANENT_REDIRECT, other)
                .unwrap();
            let mut left: Vec<_> = request.headers.keys().map(HeaderName::as_str).collect();
            left.sort_unstable();
            assert_eq!(left, ["accept", "content-type"], "{other}");
            assert_eq!(request.method, Method::PUT);
            assert!(request.body.is_some());
        }
    }

    #[test]
    fn a_redirected_post_becomes_a_get_and_https_stays_https() {
        let mut request = outgoing("POST", "https://a.test/x");
        request.redirect(StatusCode::FOUND, "y").unwrap();
        assert_eq!((request.method.as_str(), request.url.path()), ("GET", "/y"));
        assert!(request.body.is_none() && !request.headers.contains_key(CONTENT_TYPE));
        for to in ["http://a.test/", "file:///etc/passwd", "http://["] {
            let error = request.redirect(StatusCode::FOUND, to).unwrap_err();
            assert_eq!(error.kind(), shipsec_core::ErrorKind::Validation, "{to}");
        }
    }

    #[test]
    fn json_is_told_by_its_media_type() {
        assert!(is_json("application/JSON; charset=utf-8"));
        assert!(is_json("application/sarif+json"));
        assert!(!is_json("text/html"));
    }
}
