//! Removing runs, and what no run refers to any more.

use std::{sync::Arc, time::Duration};

use hashbrown::HashSet;

use super::{ArtifactStore, StorageError};
use crate::{
    RunId,
    event::{Event, EventKind, Timestamp, WorkflowStatus},
    trace::{LeaseError, RunFilter, StoreError, StoreErrorKind, TraceStore},
};

/// Events that are read at once.
const PAGE: usize = 4096;

/// Which runs are removed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Retention {
    /// Runs that ended longer ago than this.
    pub older_than: Duration,
    /// Only those that ended so; all where it is empty.
    pub status: Vec<WorkflowStatus>,
    /// The newest runs, of those that have ended, that stay in any case.
    pub keep: usize,
    /// Also runs that did not end and that nobody runs, by their last event.
    pub interrupted: bool,
    /// Only tells what would be removed.
    pub dry_run: bool,
    /// Artifacts that are younger stay, whether or not a log refers to them: a node that runs may
    /// have stored one whose event is still on its way.
    pub grace: Duration,
}

impl Retention {
    /// Ended runs older than this, and artifacts that nothing refers to and that are older than an
    /// hour.
    pub fn older_than(age: Duration) -> Self {
        Self {
            older_than: age,
            status: Vec::new(),
            keep: 0,
            interrupted: false,
            dry_run: false,
            grace: Duration::from_secs(3600),
        }
    }
}

/// What was removed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Pruned {
    /// The runs.
    pub runs: Vec<RunId>,
    /// Runs that were to be removed, and that somebody runs or has taken meanwhile.
    pub held: Vec<RunId>,
    /// How many objects of artifact storage.
    pub artifacts: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Runs or artifacts that cannot be removed. What was removed before stays removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// The trace store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Artifact storage.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Removes runs, and then every object of artifact storage that no remaining run refers to. A run
/// that somebody runs stays. Several may prune at once, and runs go on meanwhile: what their logs
/// refer to stays, as does what is younger than [`Retention::grace`].
///
/// The storage must hold artifacts of this store's runs alone.
///
/// # Errors
///
/// [`PruneError`].
pub async fn prune(
    store: &Arc<dyn TraceStore>,
    artifacts: &ArtifactStore,
    retention: &Retention,
) -> Result<Pruned, PruneError> {
    let now = Timestamp::now();
    let mut pruned = Pruned::default();
    let all = store
        .runs(&RunFilter::default().with_limit(usize::MAX))
        .await?;
    let ended = all.iter().filter(|run| run.status.is_final());
    let interrupted = all
        .iter()
        .filter(|run| retention.interrupted && run.is_interrupted());
    let fits =
        |status: &WorkflowStatus| retention.status.is_empty() || retention.status.contains(status);
    let old = ended
        .skip(retention.keep)
        .filter(|run| fits(&run.status))
        .chain(interrupted)
        .filter(|run| now.since(run.updated_at) > retention.older_than);
    for run in old {
        if retention.dry_run {
            pruned.runs.push(run.run_id.clone());
            continue;
        }
        match store.remove(&run.run_id).await {
            // Somebody else may have been faster.
            Ok(removed) => pruned.runs.extend(removed.then(|| run.run_id.clone())),
            Err(LeaseError::Held { .. }) => pruned.held.push(run.run_id.clone()),
            Err(LeaseError::Store(error)) => return Err(error.into()),
        }
    }
    // What was stored before the logs are read and has no event then never gets one, unless it is
    // younger than the grace.
    let found = artifacts.objects().await?;
    let gone: HashSet<RunId> = pruned.runs.iter().cloned().collect();
    let mut kept = HashSet::new();
    // Listed anew: runs that began meanwhile count.
    let all = store
        .runs(&RunFilter::default().with_limit(usize::MAX))
        .await?;
    for run in all.iter().filter(|run| !gone.contains(&run.run_id)) {
        let mut after = 0;
        loop {
            let page = store.read(&run.run_id, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.sequence;
            page.iter().try_for_each(|event| refers(event, &mut kept))?;
        }
    }
    for object in found {
        let young = |modified: Timestamp| now.since(modified) < retention.grace;
        if kept.contains(&object.location) || young(object.modified) {
            continue;
        }
        if !retention.dry_run {
            // A run may have stored the same again meanwhile.
            match artifacts.modified(&object.location).await? {
                Some(modified) if !young(modified) => artifacts.remove(&object.location).await?,
                _ => continue,
            }
        }
        pruned.artifacts += 1;
        pruned.bytes += object.size;
    }
    Ok(pruned)
}

/// Notes what of artifact storage an event refers to. What looks like a digest counts as a reference
/// wherever it stands: values carry references too, into artifacts of other runs as well (outputs that
/// were taken over, those of children), and so may types of event that this version does not know.
fn refers(event: &Event, kept: &mut HashSet<String>) -> Result<(), StoreError> {
    match &event.kind {
        EventKind::NodeArtifact(artifact) => {
            kept.insert(artifact.location.clone());
        }
        EventKind::NodeCompleted(completed) => {
            let notes = completed.outputs.notes.as_deref();
            let refs = notes.into_iter().flat_map(|notes| notes.refs.values());
            kept.extend(refs.map(|stored| stored.location.clone()));
        }
        _ => {}
    }
    // What cannot be looked into may refer to anything: nothing is removed then.
    let text = serde_json::to_string(event).map_err(|error| {
        let message = format!("event {} cannot be looked into: {error}", event.id());
        StoreError::new(StoreErrorKind::Corrupt, message).with_source(error)
    })?;
    let part = |c: char| matches!(c, '0'..='9' | 'a'..='f' | '/');
    for word in text.split(|c| !part(c)) {
        // A digest alone, of which an escape such as `\b` may stand right before, or the end of a
        // location: `sha256/<2 hex>/<62 hex>`.
        let (from, rest) = word.rsplit_once('/').unwrap_or(("", word));
        let from = from.rsplit('/').next().unwrap_or("");
        let (start, rest) = match rest.len() {
            62 => (from, rest),
            64.. => rest[rest.len() - 64..].split_at(2),
            _ => continue,
        };
        kept.insert(format!("sha256/{start}/{rest}"));
    }
    Ok(())
}
