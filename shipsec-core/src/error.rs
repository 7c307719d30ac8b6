//! The error that a component gives back: its kind decides whether a retry makes sense.

use std::{collections::BTreeMap, error::Error as StdError, fmt, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of failure it was. The wire names are those of the variants.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The peer could not be reached, or the connection broke. Retryable.
    #[serde(rename = "NetworkError")]
    Network,
    /// The peer asks for fewer requests; see [`ComponentError::with_retry_after`]. Retryable.
    #[serde(rename = "RateLimitError")]
    RateLimit,
    /// The peer failed on its side. Retryable.
    #[serde(rename = "ServiceError")]
    Service,
    /// A time limit passed. Retryable.
    #[serde(rename = "TimeoutError")]
    Timeout,
    /// Something that is needed is used up for now: memory, file handles, disk. Retryable.
    #[serde(rename = "ResourceUnavailableError")]
    ResourceUnavailable,
    /// The credentials were not accepted.
    #[serde(rename = "AuthenticationError")]
    Authentication,
    /// The credentials do not allow this.
    #[serde(rename = "PermissionError")]
    Permission,
    /// The thing asked for does not exist.
    #[serde(rename = "NotFoundError")]
    NotFound,
    /// The input is not what the component accepts; see [`ComponentError::with_field`].
    #[serde(rename = "ValidationError")]
    Validation,
    /// The component or its host is not set up for this.
    #[serde(rename = "ConfigurationError")]
    Configuration,
    /// A container could not be started, or ended badly.
    #[serde(rename = "ContainerError")]
    Container,
    /// A bug: a panic, or a promise that the component broke.
    #[serde(rename = "InternalError")]
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 12] = [
        Self::Network,
        Self::RateLimit,
        Self::Service,
        Self::Timeout,
        Self::ResourceUnavailable,
        Self::Authentication,
        Self::Permission,
        Self::NotFound,
        Self::Validation,
        Self::Configuration,
        Self::Container,
        Self::Internal,
    ];

    /// Whether another attempt may succeed without anybody changing anything.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Network
                | Self::RateLimit
                | Self::Service
                | Self::Timeout
                | Self::ResourceUnavailable
        )
    }

    /// The name on the wire, for example `NetworkError`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "NetworkError",
            Self::RateLimit => "RateLimitError",
            Self::Service => "ServiceError",
            Self::Timeout => "TimeoutError",
            Self::ResourceUnavailable => "ResourceUnavailableError",
            Self::Authentication => "AuthenticationError",
            Self::Permission => "PermissionError",
            Self::NotFound => "NotFoundError",
            Self::Validation => "ValidationError",
            Self::Configuration => "ConfigurationError",
            Self::Container => "ContainerError",
            Self::Internal => "InternalError",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for ErrorKind {
    type Err = UnknownErrorKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownErrorKind(text.to_owned()))
    }
}

/// Text that names no [`ErrorKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown error kind {0:?}: expected a name such as NetworkError or ValidationError")]
pub struct UnknownErrorKind(String);

/// Why a node's attempt failed.
///
/// ```
/// use shipsec_core::{ComponentError, ErrorKind};
///
/// let error = ComponentError::not_found("no repository at ./missing")
///     .with_field("path", "does not exist");
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert!(!error.is_retryable());
/// ```
#[derive(Clone)]
pub struct ComponentError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    retryable: Option<bool>,
    retry_after: Option<Duration>,
    fields: BTreeMap<String, Vec<String>>,
    details: Option<serde_json::Value>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {
        impl ComponentError {
            $($(#[$doc])*
            pub fn $name(message: impl Into<String>) -> Self {
                Self::new(ErrorKind::$kind, message)
            })*
        }
    };
}

constructors! {
    /// An error of kind [`ErrorKind::Network`].
    network => Network;
    /// An error of kind [`ErrorKind::RateLimit`].
    rate_limit => RateLimit;
    /// An error of kind [`ErrorKind::Service`].
    service => Service;
    /// An error of kind [`ErrorKind::Timeout`].
    timeout => Timeout;
    /// An error of kind [`ErrorKind::ResourceUnavailable`].
    resource_unavailable => ResourceUnavailable;
    /// An error of kind [`ErrorKind::Authentication`].
    authentication => Authentication;
    /// An error of kind [`ErrorKind::Permission`].
    permission => Permission;
    /// An error of kind [`ErrorKind::NotFound`].
    not_found => NotFound;
    /// An error of kind [`ErrorKind::Validation`].
    validation => Validation;
    /// An error of kind [`ErrorKind::Configuration`].
    configuration => Configuration;
    /// An error of kind [`ErrorKind::Container`].
    container => Container;
    /// An error of kind [`ErrorKind::Internal`].
    internal => Internal;
}

impl ComponentError {
    /// An error of the given kind. The message is a lowercase fragment that names the thing, says
    /// what was expected, and what to do next.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            retryable: None,
            retry_after: None,
            fields: BTreeMap::new(),
            details: None,
            source: None,
        }))
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message, without the kind.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether another attempt may succeed: what [`with_retryable`](Self::with_retryable) said,
    /// else what the kind says.
    pub fn is_retryable(&self) -> bool {
        self.0
            .retryable
            .unwrap_or_else(|| self.0.kind.is_retryable())
    }

    /// How long the peer asked to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Messages by field of the input or the parameters.
    pub fn fields(&self) -> &BTreeMap<String, Vec<String>> {
        &self.0.fields
    }

    /// Further facts for a program to read.
    pub fn details(&self) -> Option<&serde_json::Value> {
        self.0.details.as_ref()
    }

    /// Overrides what the kind says about retries.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = Some(retryable);
        self
    }

    /// Sets how long to wait before the next attempt; the executor waits at least that long.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Adds a message about one field of the input or the parameters.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.0
            .fields
            .entry(field.into())
            .or_default()
            .push(message.into());
        self
    }

    /// Adds facts for a program to read.
    #[must_use]
    pub fn with_details(mut self, details: serde_json::Value) -> Self {
        self.0.details = Some(details);
        self
    }

    /// Sets the error that caused this one; the messages of the chain go into the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// The message followed by those of its causes, separated by `: `.
    pub fn chain(&self) -> String {
        let mut text = self.0.message.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            let message = error.to_string();
            if !text.contains(&message) {
                text.push_str(": ");
                text.push_str(&message);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for ComponentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for ComponentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComponentError")
            .field("kind", &self.0.kind)
            .field("message", &self.chain())
            .finish_non_exhaustive()
    }
}

impl StdError for ComponentError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_ref()
            .map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

impl From<std::io::Error> for ComponentError {
    /// Maps by [`std::io::ErrorKind`]; prefer a message of your own that names the file.
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let kind = match error.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::Permission,
            Io::TimedOut => ErrorKind::Timeout,
            Io::StorageFull | Io::OutOfMemory | Io::QuotaExceeded => ErrorKind::ResourceUnavailable,
            Io::ConnectionRefused
            | Io::ConnectionReset
            | Io::ConnectionAborted
            | Io::NotConnected
            | Io::BrokenPipe
            | Io::HostUnreachable
            | Io::NetworkUnreachable
            | Io::NetworkDown => ErrorKind::Network,
            Io::InvalidInput | Io::InvalidData => ErrorKind::Validation,
            _ => ErrorKind::Internal,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_wire() {
        for kind in ErrorKind::ALL {
            let json = serde_json::to_value(kind).unwrap();
            assert_eq!(json, kind.as_str());
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
    }

    #[test]
    fn the_chain_names_each_cause_once() {
        let io = std::io::Error::other("disk on fire");
        let error = ComponentError::service("upload failed").with_source(io);
        assert_eq!(error.chain(), "upload failed: disk on fire");
        let io = std::io::Error::new(std::io::ErrorKind::NotFound, "nope");
        assert_eq!(ComponentError::from(io).chain(), "nope");
    }
}
