//! Components by id and version.

use std::{collections::BTreeMap, sync::Arc};

use semver::Version;

use super::{Component, ComponentDefinition, DynComponent, erase};
use crate::ComponentId;

/// The components that a host offers, by id and version. Several versions of one component live
/// side by side; a node that names no version gets the highest release.
///
/// Registration is explicit: a host lists what it offers.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    components: BTreeMap<ComponentId, BTreeMap<Version, Arc<dyn DynComponent>>>,
}

/// A component that cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The same id and version twice.
    #[error("component {id} {version} is registered already: give it another version")]
    Duplicate {
        /// The component's id.
        id: ComponentId,
        /// Its version.
        version: String,
    },
    /// The version is not a semantic version.
    #[error("component {id} has version {version:?}: expected a semantic version such as 1.0.0")]
    InvalidVersion {
        /// The component's id.
        id: ComponentId,
        /// What it gave for a version.
        version: String,
    },
}

impl Registry {
    /// A registry without components.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a typed component.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when its id and version are taken, or the version is not semantic.
    pub fn register<C: Component>(&mut self, component: C) -> Result<&mut Self, RegistryError> {
        self.register_dyn(erase(component))
    }

    /// Adds a component behind a pointer.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register).
    pub fn register_dyn(
        &mut self,
        component: Arc<dyn DynComponent>,
    ) -> Result<&mut Self, RegistryError> {
        let definition = component.definition();
        let (id, version) = (definition.id.clone(), definition.version.to_string());
        let Ok(parsed) = Version::parse(&version) else {
            return Err(RegistryError::InvalidVersion { id, version });
        };
        let versions = self.components.entry(id.clone()).or_default();
        if versions.contains_key(&parsed) {
            return Err(RegistryError::Duplicate { id, version });
        }
        versions.insert(parsed, component);
        Ok(self)
    }

    /// The component with this id: the version asked for, else the highest release, else the
    /// highest pre-release.
    pub fn get(&self, id: &str, version: Option<&str>) -> Option<&Arc<dyn DynComponent>> {
        let versions = self.components.get(id)?;
        match version {
            Some(version) => versions.get(&Version::parse(version).ok()?),
            None => versions
                .iter()
                .rev()
                .find(|(version, _)| version.pre.is_empty())
                .or_else(|| versions.iter().next_back())
                .map(|(_, component)| component),
        }
    }

    /// Every id, ascending.
    pub fn ids(&self) -> impl Iterator<Item = &ComponentId> {
        self.components.keys()
    }

    /// Every definition, by id and then by version, ascending.
    pub fn definitions(&self) -> impl Iterator<Item = &Arc<ComponentDefinition>> {
        self.components
            .values()
            .flat_map(BTreeMap::values)
            .map(|component| component.definition())
    }

    /// The ids most like `id`, best first, at most three: suggestions for a misspelt one.
    pub fn near(&self, id: &str) -> Vec<ComponentId> {
        let mut near: Vec<_> = self
            .components
            .keys()
            .map(|known| (strsim::jaro_winkler(known.as_str(), id), known))
            .filter(|(likeness, _)| *likeness > 0.85)
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        near.into_iter()
            .take(3)
            .map(|(_, known)| known.clone())
            .collect()
    }
}
