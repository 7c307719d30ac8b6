//! An advisory as the OSV schema describes it: the members that matching needs.

use serde::{Deserialize, Deserializer};

/// One record of an OSV database.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    pub(super) id: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) withdrawn: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) aliases: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) summary: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) details: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) severity: Vec<Score>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) affected: Vec<Affected>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) references: Vec<Reference>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) database_specific: Specific,
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("not an OSV record: {0}")]
pub struct InvalidRecord(String);

impl Record {
    /// Reads a record from JSON; members that it does not know are passed over.
    ///
    /// # Errors
    /// When the bytes are no JSON, or no object with an `id` of an advisory's form.
    pub fn from_json(bytes: &[u8]) -> Result<Self, InvalidRecord> {
        let record: Self =
            serde_json::from_slice(bytes).map_err(|error| InvalidRecord(error.to_string()))?;
        if is_id(&record.id) {
            Ok(record)
        } else {
            Err(InvalidRecord(
                "its id is not of the form NAME-NUMBER".to_owned(),
            ))
        }
    }
}

/// Ids go into addresses and reports, so their form is checked.
pub(super) fn is_id(id: &str) -> bool {
    (3..=128).contains(&id.len())
        && id.contains('-')
        && id
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'))
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Score {
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) score: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Affected {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) package: AffectedPackage,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) ranges: Vec<Range>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) versions: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) severity: Vec<Score>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) database_specific: Specific,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct AffectedPackage {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) ecosystem: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Range {
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) events: Vec<Event>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Event {
    pub(super) introduced: Option<String>,
    pub(super) fixed: Option<String>,
    pub(super) last_affected: Option<String>,
    pub(super) limit: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Reference {
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) url: String,
}

/// What single databases add. GitHub rates in words, RustSec marks what is no vulnerability.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Specific {
    #[serde(default, deserialize_with = "text_or_none")]
    pub(super) severity: Option<String>,
    #[serde(default, deserialize_with = "text_or_none")]
    pub(super) informational: Option<String>,
}

/// `null` counts as absent: exporters write both.
fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// These members belong to single databases, so another type is no error.
fn text_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(from)? {
        serde_json::Value::String(text) => Some(text),
        _ => None,
    })
}
