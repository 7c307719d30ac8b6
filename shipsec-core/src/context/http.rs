//! HTTP for components: one client per run, requests in the log without their secrets.

use std::time::Duration;

use reqwest::{Client, Method, Request, RequestBuilder, Response, Url};
use tokio::time::Instant;

use super::Context;
use crate::{ComponentError, event::Level};

/// An HTTP client whose requests show in the node's log: method, URL without user info and
/// without the values of its query, status, time. Headers and bodies are never logged.
#[derive(Debug, Clone)]
pub struct HttpClient {
    cx: Context,
}

impl HttpClient {
    pub(super) fn new(cx: Context) -> Self {
        Self { cx }
    }

    fn client(&self) -> Result<&Client, ComponentError> {
        let cell = &self.cx.scope().http;
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let made = Client::builder()
            .user_agent(concat!("shipsec-sdk/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .build()
            .map_err(|error| {
                ComponentError::configuration(format!("the HTTP client cannot be set up: {error}"))
            })?;
        Ok(cell.get_or_init(|| made))
    }

    /// Begins a request; finish it with [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// A `ConfigurationError` when the system's certificates cannot be read.
    pub fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, ComponentError> {
        Ok(self.client()?.request(method, url))
    }

    /// Sends a request of the run's shared client. Ends early when the node is cancelled.
    ///
    /// # Errors
    ///
    /// A `ValidationError` when the request cannot be built, a `TimeoutError` or `NetworkError`
    /// when no answer came, an error of kind `InternalError` when the node was cancelled. A status
    /// of 400 and more is no error here.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, ComponentError> {
        let request = request.build().map_err(|error| {
            ComponentError::validation(format!("HTTP request: {}", error.without_url()))
        })?;
        self.execute(self.client()?, request).await
    }

    /// Sends a request through a client of the component's own (with other redirect rules, say),
    /// logged like those of the shared one.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn execute(
        &self,
        client: &Client,
        request: Request,
    ) -> Result<Response, ComponentError> {
        let method = request.method().clone();
        let shown = shown(request.url());
        let begun = Instant::now();
        let sent = tokio::select! {
            sent = client.execute(request) => sent,
            () = self.cx.cancelled() => {
                return Err(ComponentError::internal(format!("{method} {shown}: cancelled")));
            }
        };
        let millis = begun.elapsed().as_millis();
        match sent {
            Ok(response) => {
                let status = response.status().as_u16();
                self.cx
                    .log_line(
                        Level::Info,
                        format!("{method} {shown}: {status} in {millis} ms"),
                    )
                    .field("method", method.as_str())
                    .field("url", &shown)
                    .field("status", status)
                    .send();
                Ok(response)
            }
            Err(error) => {
                let error = error.without_url();
                self.cx
                    .log_line(
                        Level::Warn,
                        format!("{method} {shown}: failed after {millis} ms"),
                    )
                    .field("method", method.as_str())
                    .field("url", &shown)
                    .send();
                let message = format!("{method} {shown}");
                Err(if error.is_timeout() {
                    ComponentError::timeout(format!("{message}: no answer in time"))
                } else if error.is_builder() {
                    ComponentError::validation(message)
                } else {
                    ComponentError::network(message)
                }
                .with_source(error))
            }
        }
    }
}

/// A URL as the log shows it: no user info, no fragment, the query's keys without their values.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_fragment(None);
    let keys: Vec<String> = url
        .query_pairs()
        .map(|(key, _)| format!("{key}=…"))
        .collect();
    shown.set_query(None);
    let mut text = shown.to_string();
    if !keys.is_empty() {
        text.push('?');
        text.push_str(&keys.join("&"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        let url =
            Url::parse("https://user:made-up@host.test/a/b?token=made-up&page=2#made-up").unwrap();
        assert_eq!(shown(&url), "https://host.test/a/b?token=…&page=…");
    }
}
