//! Workflows in memory: for tests, and for hosts that bring theirs along.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use shipsec_core::{WorkflowId, event::Timestamp, workflow::Graph};

use super::{
    Expected, StoredWorkflow, WorkflowEntry, WorkflowStore, WorkflowStoreError, WorkflowVersion,
    check_id,
};

/// Keeps workflows as long as the process lives.
#[derive(Debug, Default)]
pub struct MemoryWorkflows(Mutex<BTreeMap<WorkflowId, Vec<StoredWorkflow>>>);

impl MemoryWorkflows {
    /// No workflows yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<WorkflowId, Vec<StoredWorkflow>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl WorkflowStore for MemoryWorkflows {
    async fn list(
        &self,
        after: Option<&WorkflowId>,
        limit: usize,
    ) -> Result<Vec<WorkflowEntry>, WorkflowStoreError> {
        let from = after.map_or(Bound::Unbounded, |id| Bound::Excluded(id.clone()));
        let all = self.all();
        let entries = all.range((from, Bound::Unbounded));
        let entries = entries.filter_map(|(id, versions)| {
            let newest = versions.last()?;
            let name = newest.graph.name.clone();
            Some(WorkflowEntry::new(id.clone(), name, newest.version.clone()))
        });
        Ok(entries.take(limit).collect())
    }

    async fn versions(&self, id: &WorkflowId) -> Result<Vec<WorkflowVersion>, WorkflowStoreError> {
        let all = self.all();
        let versions = all.get(id).into_iter().flatten();
        Ok(versions.map(|stored| stored.version.clone()).collect())
    }

    async fn get(
        &self,
        id: &WorkflowId,
        version: Option<u32>,
    ) -> Result<Option<StoredWorkflow>, WorkflowStoreError> {
        let all = self.all();
        let Some(versions) = all.get(id) else {
            return Ok(None);
        };
        let mut newest_first = versions.iter().rev();
        let fits = |stored: &&StoredWorkflow| version.is_none_or(|n| stored.version.version == n);
        Ok(newest_first.find(fits).cloned())
    }

    async fn put(
        &self,
        id: &WorkflowId,
        graph: Graph,
        hash: &str,
        expected: Expected,
    ) -> Result<WorkflowVersion, WorkflowStoreError> {
        check_id(id.as_str())?;
        let mut all = self.all();
        let newest = all.get(id).and_then(|versions| versions.last());
        expected.check(id, newest.map(|newest| &newest.version))?;
        let number = match newest {
            Some(newest) if newest.graph == graph => return Ok(newest.version.clone()),
            Some(newest) => newest.version.version + 1,
            None => 1,
        };
        let version = WorkflowVersion::new(number, hash, Timestamp::now());
        let stored = StoredWorkflow::new(version.clone(), graph);
        all.entry(id.clone()).or_default().push(stored);
        Ok(version)
    }

    async fn delete(
        &self,
        id: &WorkflowId,
        expected: Expected,
    ) -> Result<bool, WorkflowStoreError> {
        check_id(id.as_str())?;
        let mut all = self.all();
        let newest = all.get(id).and_then(|versions| versions.last());
        expected.check(id, newest.map(|newest| &newest.version))?;
        Ok(all.remove(id).is_some())
    }
}
