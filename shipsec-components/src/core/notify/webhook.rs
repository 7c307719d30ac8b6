//! `core.notify.webhook`.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use shipsec_core::{ComponentError, Context, Params, Ports, Secret, Value, component};

use crate::support::{
    client, header_map, json_body, seconds, shown, status_error, web_url, within,
};

/// The header by which a receiver knows a delivery that it has had before.
const DELIVERY: HeaderName = HeaderName::from_static("x-shipsec-delivery");

/// What `core.notify.webhook` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct WebhookInput {
    /// URL. Where the payload is posted; give this or the secret URL.
    pub url: Option<String>,
    /// Secret URL. For services whose URL is the credential.
    pub secret_url: Option<Secret<String>>,
    /// Payload. Posted as JSON.
    pub payload: Value,
    /// Headers. Further ones, by name.
    #[port(default = BTreeMap::new())]
    pub headers: BTreeMap<String, String>,
    /// Signing secret. With it the body is signed by HMAC-SHA-256.
    pub signing_secret: Option<Secret<String>>,
}

/// How `core.notify.webhook` delivers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct WebhookParams {
    /// Timeout. Seconds until the receiver must have answered.
    #[serde(default = "ten_seconds")]
    #[schemars(range(min = 0.001, max = 3600))]
    #[param(editor = "number")]
    pub timeout_seconds: f64,
    /// Signature header. It carries `sha256=` and the signature of the body in hexadecimal.
    #[serde(default = "signature_header")]
    pub signature_header: String,
}

fn ten_seconds() -> f64 {
    10.0
}

fn signature_header() -> String {
    "X-ShipSec-Signature-256".to_owned()
}

impl Default for WebhookParams {
    fn default() -> Self {
        Self {
            timeout_seconds: ten_seconds(),
            signature_header: signature_header(),
        }
    }
}

/// What `core.notify.webhook` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct WebhookOutput {
    /// Status. What the receiver answered, below 300.
    pub status: u16,
    /// Delivery. Its id, the same for every attempt, as the header `X-ShipSec-Delivery` had it.
    pub delivery_id: String,
}

/// Call a webhook. Posts a payload as JSON, signed where there is a secret. What is worth another
/// attempt is tried again, under the same delivery id.
#[component(id = "core.notify.webhook", version = "1.0.0", category = "notify")]
pub async fn notify_webhook(
    input: WebhookInput,
    params: &WebhookParams,
    cx: &Context,
) -> Result<WebhookOutput, ComponentError> {
    let url = match (&input.url, &input.secret_url) {
        (Some(url), None) => web_url("url", url)?,
        (None, Some(url)) => web_url("secretUrl", url.expose()?)?,
        _ => {
            let message = "give one of url and secretUrl";
            return Err(ComponentError::validation(message).with_field("url", message));
        }
    };
    let body = json_body("payload", &input.payload)?;
    let delivery_id = format!("{}/{}", cx.run_id(), cx.node_id());
    let mut headers = header_map(&input.headers)?;
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    if let Ok(value) = HeaderValue::from_str(&delivery_id) {
        headers.insert(DELIVERY, value);
    }
    if let Some(secret) = &input.signing_secret {
        sign(
            &mut headers,
            &params.signature_header,
            secret.expose()?,
            &body,
        )?;
    }
    let client = client()?;
    let request = client.post(url.clone()).headers(headers).body(body).build();
    let request = request.map_err(|error| {
        ComponentError::validation(format!("url: {}", error.without_url()))
            .with_field("url", "cannot be asked")
    })?;
    let what = format!("POST {}", shown(&url));
    let exchange = async {
        let response = cx.http().execute(client, request).await?;
        if response.status().as_u16() >= 300 {
            return Err(status_error(&Method::POST, &url, response).await);
        }
        Ok(response.status().as_u16())
    };
    let status = within(seconds(params.timeout_seconds), &what, exchange).await?;
    Ok(WebhookOutput {
        status,
        delivery_id,
    })
}

fn sign(
    headers: &mut HeaderMap,
    header: &str,
    secret: &str,
    body: &[u8],
) -> Result<(), ComponentError> {
    let name = HeaderName::from_bytes(header.as_bytes()).map_err(|_| {
        let message = format!("{header:?} is not a header's name");
        ComponentError::validation(format!("signatureHeader: {message}"))
            .with_field("signatureHeader", message)
    })?;
    let value = HeaderValue::from_str(&signature(secret.as_bytes(), body))
        .map_err(|error| ComponentError::internal(error.to_string()))?;
    headers.insert(name, value);
    Ok(())
}

fn signature(secret: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        // Test case 2 of RFC 4231.
        assert_eq!(
            signature(b"Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
