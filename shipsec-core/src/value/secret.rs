//! Secrets as types: nothing prints them, nothing records them.

use std::{fmt, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};

use crate::{ComponentError, SecretName};

/// A value that must not be seen: it has no `Display`, its `Debug` and JSON show its name alone.
///
/// In a workflow graph a secret is a reference, `{"secretRef": "NAME"}`, that the executor
/// resolves at the last moment through the host's
/// [`SecretSource`](crate::context::SecretSource).
///
/// ```
/// use shipsec_core::Secret;
///
/// let token = Secret::named("API_TOKEN", String::from("made-up"));
/// assert_eq!(format!("{token:?}"), "Secret(API_TOKEN)");
/// assert_eq!(token.expose().unwrap(), "made-up");
/// ```
#[derive(Clone)]
pub struct Secret<T> {
    name: Option<SecretName>,
    value: Option<Arc<T>>,
}

impl<T> Secret<T> {
    /// A secret that some component came by, without a name by which a host could give it again.
    pub fn new(value: T) -> Self {
        Self {
            name: None,
            value: Some(Arc::new(value)),
        }
    }

    /// A secret that the host's secret source knows by name.
    pub fn named(name: impl Into<SecretName>, value: T) -> Self {
        Self {
            name: Some(name.into()),
            value: Some(Arc::new(value)),
        }
    }

    /// A reference that is not resolved yet.
    pub fn reference(name: impl Into<SecretName>) -> Self {
        Self {
            name: Some(name.into()),
            value: None,
        }
    }

    /// The name by which the host's secret source knows it.
    pub fn name(&self) -> Option<&SecretName> {
        self.name.as_ref()
    }

    /// The value itself. Inputs and parameters of a running component are always resolved.
    ///
    /// # Errors
    ///
    /// A `ConfigurationError` where this is a reference that nobody resolved.
    pub fn expose(&self) -> Result<&T, ComponentError> {
        self.value.as_deref().ok_or_else(|| {
            let name = self.name.as_ref().map_or("?", SecretName::as_str);
            ComponentError::configuration(format!("secret {name} has not been resolved"))
        })
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Secret({})",
            self.name.as_ref().map_or("unnamed", SecretName::as_str)
        )
    }
}

/// The JSON of a secret: its name, and inside the process, on the way into a component, its value.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRef {
    /// The name by which the host's secret source knows it.
    #[serde(rename = "secretRef")]
    pub secret_ref: Option<SecretName>,
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Resolved<T> {
    #[serde(rename = "secretRef")]
    name: Option<SecretName>,
    #[serde(rename = "secretValue", default = "none")]
    value: Option<T>,
}

fn none<T>() -> Option<T> {
    None
}

impl<T> Serialize for Secret<T> {
    /// Gives the reference, never the value.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SecretRef {
            secret_ref: self.name.clone(),
        }
        .serialize(serializer)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Secret<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let resolved = Resolved::<T>::deserialize(deserializer).map_err(|_| {
            serde::de::Error::custom("expected a secret reference, {\"secretRef\": \"NAME\"}")
        })?;
        Ok(Self {
            name: resolved.name,
            value: resolved.value.map(Arc::new),
        })
    }
}

impl<T> JsonSchema for Secret<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": { "secretRef": { "type": "string" } },
            "required": ["secretRef"],
            "x-shipsec-secret": true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_format_shows_the_value() {
        let secret = Secret::named("TOKEN", String::from("hush-made-up"));
        let shown = format!("{secret:?}{}", serde_json::to_string(&secret).unwrap());
        assert!(!shown.contains("hush"), "{shown}");
    }

    #[test]
    fn a_literal_is_not_a_reference() {
        let error = serde_json::from_str::<Secret<String>>("\"hush-made-up\"").unwrap_err();
        assert!(error.to_string().contains("secretRef"), "{error}");
        assert!(!error.to_string().contains("hush"), "{error}");
        let reference: Secret<String> = serde_json::from_str(r#"{"secretRef":"TOKEN"}"#).unwrap();
        assert!(reference.expose().is_err());
    }
}
