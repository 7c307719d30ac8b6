//! Where secrets come from.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use async_trait::async_trait;

use crate::{ComponentError, SecretName};

/// Resolves the name of a secret to its value, at the last moment.
///
/// # Behavior
///
/// - `resolve` gives the value that the name stands for now; it may differ from call to call.
/// - The value appears in no log, error or `Debug` text of the source.
#[async_trait]
pub trait SecretSource: fmt::Debug + Send + Sync + 'static {
    /// The value of a secret.
    ///
    /// # Errors
    ///
    /// [`SecretError`] when there is no such secret, or the source cannot be asked.
    async fn resolve(&self, name: &SecretName) -> Result<String, SecretError>;
}

/// A secret that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The source does not know the name.
    #[error("secret {name} is not known: {hint}")]
    Unknown {
        /// The name.
        name: SecretName,
        /// How to make it known.
        hint: String,
    },
    /// The source cannot be asked now.
    #[error("secret {name} cannot be read: {reason}")]
    Unavailable {
        /// The name.
        name: SecretName,
        /// Why.
        reason: String,
    },
}

impl From<SecretError> for ComponentError {
    fn from(error: SecretError) -> Self {
        match &error {
            SecretError::Unknown { .. } => Self::configuration(error.to_string()),
            SecretError::Unavailable { .. } => Self::resource_unavailable(error.to_string()),
        }
    }
}

/// No secrets at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSecrets;

#[async_trait]
impl SecretSource for NoSecrets {
    async fn resolve(&self, name: &SecretName) -> Result<String, SecretError> {
        let hint = "the host has no secret source".to_owned();
        Err(SecretError::Unknown {
            name: name.clone(),
            hint,
        })
    }
}

/// Secrets from environment variables, each allowed by name: a workflow cannot read the rest of
/// the environment.
#[derive(Debug, Clone, Default)]
pub struct EnvSecrets(BTreeMap<SecretName, String>);

impl EnvSecrets {
    /// No variable allowed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the secret `name` be read from the environment variable `variable`.
    #[must_use]
    pub fn allow(mut self, name: impl Into<SecretName>, variable: impl Into<String>) -> Self {
        self.0.insert(name.into(), variable.into());
        self
    }
}

#[async_trait]
impl SecretSource for EnvSecrets {
    async fn resolve(&self, name: &SecretName) -> Result<String, SecretError> {
        let unknown = |hint| SecretError::Unknown {
            name: name.clone(),
            hint,
        };
        let variable = self.0.get(name).ok_or_else(|| {
            unknown(format!(
                "no environment variable is allowed for it; name one, as in {name}=VARIABLE"
            ))
        })?;
        std::env::var(variable).map_err(|_| {
            unknown(format!(
                "environment variable {variable} is not set, or not UTF-8"
            ))
        })
    }
}

/// Secrets from files of one folder, a file each, as container platforms mount them. One line end
/// at the end of a file is not part of the secret.
#[derive(Debug, Clone)]
pub struct FileSecrets(PathBuf);

impl FileSecrets {
    /// Reads from this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }
}

#[async_trait]
impl SecretSource for FileSecrets {
    async fn resolve(&self, name: &SecretName) -> Result<String, SecretError> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let text = name.as_str();
        if text.is_empty() || text.starts_with('.') || !text.bytes().all(is_plain) {
            let hint = "expected a plain file name".to_owned();
            return Err(SecretError::Unknown {
                name: name.clone(),
                hint,
            });
        }
        let path = self.0.join(text);
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
        match read {
            Ok(Ok(mut text)) => {
                if text.ends_with('\n') {
                    text.pop();
                    if text.ends_with('\r') {
                        text.pop();
                    }
                }
                Ok(text)
            }
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                let hint = format!("no such file in {}", self.0.display());
                Err(SecretError::Unknown {
                    name: name.clone(),
                    hint,
                })
            }
            Ok(Err(error)) => Err(SecretError::Unavailable {
                name: name.clone(),
                reason: error.to_string(),
            }),
            Err(error) => Err(SecretError::Unavailable {
                name: name.clone(),
                reason: error.to_string(),
            }),
        }
    }
}

/// Secrets that the host holds in memory.
#[derive(Clone, Default)]
pub struct StaticSecrets(BTreeMap<SecretName, String>);

impl StaticSecrets {
    /// No secret yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a secret.
    #[must_use]
    pub fn with(mut self, name: impl Into<SecretName>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }
}

impl fmt::Debug for StaticSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[async_trait]
impl SecretSource for StaticSecrets {
    async fn resolve(&self, name: &SecretName) -> Result<String, SecretError> {
        self.0
            .get(name)
            .cloned()
            .ok_or_else(|| SecretError::Unknown {
                name: name.clone(),
                hint: "the host was not given it".to_owned(),
            })
    }
}
