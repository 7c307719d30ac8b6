//! Identifiers. Each is a newtype over shared text, cheap to clone, so that a node's id cannot be
//! passed where a port's is expected.

use std::{borrow::Borrow, fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps text as an identifier. Nothing is checked here: the workflow compiler reports
            /// identifiers that cannot be used, with their place in the graph.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }
    };
}

text_id! {
    /// Names a node within one workflow.
    NodeId
}
impl NodeId {
    /// Equality that does not look at the text where both share it.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self == other
    }
}

text_id! {
    /// Names an edge within one workflow.
    EdgeId
}
text_id! {
    /// Names an input or output port within one component.
    PortId
}
text_id! {
    /// Names a component in a registry, for example `core.text.splitter`.
    ComponentId
}
text_id! {
    /// Names a workflow across its versions.
    WorkflowId
}
text_id! {
    /// Names an artifact within one run: `<node>/<attempt>/<n>`, where `n` counts the artifacts of
    /// that attempt from 1.
    ArtifactId
}
text_id! {
    /// The name under which a [`SecretSource`](crate::context::SecretSource) knows a secret.
    SecretName
}

/// Names one run of a workflow.
///
/// It is used in paths and URLs, so its alphabet is small: ASCII letters, digits, `.`, `_` and
/// `-`, at most 128 of them, not starting with `.`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct RunId(Arc<str>);

impl RunId {
    /// A new id that sorts by its time of creation (a UUID of version 7, RFC 9562).
    ///
    /// ```
    /// let (a, b) = (shipsec_core::RunId::generate(), shipsec_core::RunId::generate());
    /// assert!(a < b);
    /// ```
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7().to_string().into())
    }

    /// The id that these bytes stand for (a UUID of version 8, RFC 9562).
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        let id = uuid::Builder::from_custom_bytes(bytes).into_uuid();
        Self(id.to_string().into())
    }

    /// Checks and wraps text that names a run.
    ///
    /// # Errors
    ///
    /// [`InvalidRunId`] when the text is empty, longer than 128 bytes, starts with `.`, or has a
    /// character other than ASCII letters, digits, `.`, `_` and `-`.
    pub fn parse(text: &str) -> Result<Self, InvalidRunId> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if text.is_empty()
            || text.len() > 128
            || text.starts_with('.')
            || !text.bytes().all(allowed)
        {
            return Err(InvalidRunId(text.chars().take(160).collect()));
        }
        Ok(Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl std::str::FromStr for RunId {
    type Err = InvalidRunId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Text that cannot name a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid run id {0:?}: expected 1 to 128 ASCII letters, digits, '.', '_' or '-', not starting with '.'"
)]
pub struct InvalidRunId(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_is_safe_in_a_path() {
        for bad in [
            "",
            "..",
            ".hidden",
            "a/b",
            "a\\b",
            "a b",
            "é",
            "a\n",
            &"x".repeat(129),
        ] {
            assert!(RunId::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            RunId::parse("nightly-2026.11_20").unwrap().as_str(),
            "nightly-2026.11_20"
        );
    }
}
