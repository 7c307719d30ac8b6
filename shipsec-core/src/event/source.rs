//! The definition inside the first event of a log: made from the plan when somebody reads it, so
//! that starting a run of a million nodes does not wait for a description of them.

use std::{fmt, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::workflow::{Definition, Plan};

/// A compiled definition, or the plan that it is made from at the first asking.
#[derive(Clone)]
pub struct DefinitionSource(Source<Arc<Definition>>);

/// The hash of a definition, or the plan that it is made from at the first asking.
#[derive(Clone)]
pub struct HashSource(Source<Arc<str>>);

#[derive(Clone)]
enum Source<T> {
    Plan(Arc<Plan>),
    Made(T),
}

impl DefinitionSource {
    /// The definition of a plan.
    pub fn of(plan: &Arc<Plan>) -> Self {
        Self(Source::Plan(plan.clone()))
    }

    /// The plan, where the definition is to be made of one.
    pub(crate) fn plan(&self) -> Option<&Arc<Plan>> {
        match &self.0 {
            Source::Plan(plan) => Some(plan),
            Source::Made(_) => None,
        }
    }

    /// The definition.
    pub fn get(&self) -> &Arc<Definition> {
        match &self.0 {
            Source::Plan(plan) => plan.definition(),
            Source::Made(definition) => definition,
        }
    }
}

impl HashSource {
    /// The hash of a plan's definition.
    pub fn of(plan: &Arc<Plan>) -> Self {
        Self(Source::Plan(plan.clone()))
    }

    /// SHA-256 in lower-case hex.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Source::Plan(plan) => plan.hash(),
            Source::Made(hash) => hash,
        }
    }
}

impl From<Arc<Definition>> for DefinitionSource {
    fn from(definition: Arc<Definition>) -> Self {
        Self(Source::Made(definition))
    }
}

impl From<Definition> for DefinitionSource {
    fn from(definition: Definition) -> Self {
        Arc::new(definition).into()
    }
}

impl From<&str> for HashSource {
    fn from(hash: &str) -> Self {
        Self(Source::Made(hash.into()))
    }
}

impl fmt::Debug for DefinitionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Plan(plan) => plan.fmt(f),
            Source::Made(definition) => definition.fmt(f),
        }
    }
}

impl fmt::Debug for HashSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Plan(plan) => plan.fmt(f),
            Source::Made(hash) => hash.fmt(f),
        }
    }
}

impl PartialEq for DefinitionSource {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl PartialEq for HashSource {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Serialize for DefinitionSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(serializer)
    }
}

impl Serialize for HashSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_str().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DefinitionSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Definition::deserialize(deserializer).map(Self::from)
    }
}

impl<'de> Deserialize<'de> for HashSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Arc::<str>::deserialize(deserializer).map(|hash| Self(Source::Made(hash)))
    }
}

impl JsonSchema for DefinitionSource {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Definition::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Definition::json_schema(generator)
    }
}

impl JsonSchema for HashSource {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hash".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}
