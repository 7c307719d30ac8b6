//! Putting the runs of an archive into a store.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shipsec_core::{
    RunId,
    storage::ArtifactStore,
    trace::{Lease, LeaseError, TraceStore},
};

use crate::{Archive, ArchiveError, ArchivedArtifact};

/// Records that are appended at once.
const BATCH: usize = 1_000;
/// How long a lease lasts unless it is renewed, which it is in time while events are stored.
const LEASE: Duration = Duration::from_secs(60);

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Imported {
    /// Runs that are in the store now and were not before, or not as far.
    pub runs: Vec<RunId>,
    /// Runs that were there already, and are the same.
    pub known: Vec<RunId>,
    /// Events that were stored.
    pub events: u64,
    /// Objects of artifact storage that are there now.
    pub artifacts: u64,
}

impl Archive {
    /// Puts the runs into a store, under their ids, and the artifacts into artifact storage. Importing
    /// the same again changes nothing. A run that had not ended when it was exported is in the store
    /// as one that was interrupted: it can be resumed there. Where the store has the beginning of a
    /// log, of an earlier export or of an import that was killed, the rest is added.
    ///
    /// Meanwhile it holds the leases of the runs.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`]: the logs are checked before anything is stored, and runs that were not there
    /// are removed again when a later one cannot be stored. Artifacts stay until they are pruned.
    pub async fn import(
        &self,
        store: &Arc<dyn TraceStore>,
        artifacts: &ArtifactStore,
    ) -> Result<Imported, ArchiveError> {
        for at in 0..self.manifest().runs.len() {
            self.check_run(at)?;
        }
        let mut imported = Imported::default();
        for artifact in &self.manifest().artifacts {
            self.keep(artifact, artifacts).await?;
            imported.artifacts += 1;
        }
        let mut held = Held {
            store,
            // Nobody else is called so.
            holder: format!("import {}", RunId::generate()),
            leases: Vec::new(),
            renewed: Instant::now(),
        };
        let stored = self.store(&mut held, &mut imported).await;
        held.let_go(stored.is_ok()).await;
        stored.map(|()| imported)
    }

    async fn store(
        &self,
        held: &mut Held<'_>,
        imported: &mut Imported,
    ) -> Result<(), ArchiveError> {
        let runs = &self.manifest().runs;
        for (at, run) in runs.iter().enumerate() {
            held.take(&run.run_id).await?;
            self.compare(at, held).await?;
        }
        for (at, run) in runs.iter().enumerate() {
            let stored = self.append(at, held).await?;
            imported.events += stored;
            match stored {
                0 => imported.known.push(run.run_id.clone()),
                _ => imported.runs.push(run.run_id.clone()),
            }
        }
        Ok(())
    }

    /// Whether what the store has of a run is the beginning of its log, or all of it.
    async fn compare(&self, at: usize, held: &mut Held<'_>) -> Result<(), ArchiveError> {
        let run = &self.manifest().runs[at];
        let known = held.leases[at].last_sequence;
        if known > run.events {
            return Err(ArchiveError::Differs(run.run_id.clone()));
        }
        for (place, chunk) in run.chunks.iter().enumerate() {
            if chunk.first > known {
                break;
            }
            let events = self.chunk(at, place)?;
            let before = chunk.first - 1;
            let kept = held.store.read(&run.run_id, before, events.len()).await?;
            let due = chunk.events.min(known - before);
            if kept.len() as u64 != due || !events.starts_with(&kept) {
                return Err(ArchiveError::Differs(run.run_id.clone()));
            }
            held.renew().await?;
        }
        Ok(())
    }

    /// Appends what the store does not have of a run. How many events that was.
    async fn append(&self, at: usize, held: &mut Held<'_>) -> Result<u64, ArchiveError> {
        let run = &self.manifest().runs[at];
        let known = held.leases[at].last_sequence;
        let mut last = known;
        for (place, chunk) in run.chunks.iter().enumerate() {
            if chunk.first + chunk.events - 1 <= known {
                continue;
            }
            let events = self.chunk(at, place)?;
            let new = events.partition_point(|event| event.sequence <= known);
            for batch in events[new..].chunks(BATCH) {
                held.renew().await?;
                let records = batch.iter().map(|event| event.record.clone()).collect();
                let appended = held.store.append_as(&held.leases[at], records).await;
                let appended = appended.map_err(|failed| failed.error)?;
                last += batch.len() as u64;
                if appended.last_sequence != last {
                    let id = &run.run_id;
                    let problem = format!("two events of run {id} have the same producer key");
                    return Err(self.damaged(&chunk.entry, problem));
                }
            }
        }
        Ok(last - known)
    }

    /// Puts one artifact into storage, piece by piece.
    async fn keep(
        &self,
        artifact: &ArchivedArtifact,
        artifacts: &ArtifactStore,
    ) -> Result<(), ArchiveError> {
        let name = format!("artifacts/{}", artifact.location);
        let stored = artifacts.put_stream(self.pieces(artifact)).await;
        let stored = stored.map_err(|error| self.damaged(&name, error.to_string()))?;
        match stored.location == artifact.location && stored.sha256 == artifact.sha256 {
            true => Ok(()),
            false => Err(self.damaged(&name, "its SHA-256 is not the one of the manifest")),
        }
    }
}

/// The leases of the runs that are imported, in the order of the manifest.
struct Held<'a> {
    store: &'a Arc<dyn TraceStore>,
    holder: String,
    leases: Vec<Lease>,
    renewed: Instant,
}

impl Held<'_> {
    async fn take(&mut self, run: &RunId) -> Result<(), ArchiveError> {
        match self.store.acquire(run, &self.holder, LEASE).await {
            Ok(lease) => {
                self.leases.push(lease);
                Ok(())
            }
            Err(LeaseError::Store(error)) => Err(error.into()),
            Err(held) => Err(ArchiveError::Held(held)),
        }
    }

    /// Lets the leases last, where it is time to.
    async fn renew(&mut self) -> Result<(), ArchiveError> {
        if self.renewed.elapsed() < LEASE / 4 {
            return Ok(());
        }
        for lease in &self.leases {
            self.store.renew(lease, LEASE).await?;
        }
        self.renewed = Instant::now();
        Ok(())
    }

    /// Ends the leases. Runs that were not there before stay only if all went well.
    async fn let_go(self, well: bool) {
        for lease in &self.leases {
            // What cannot be taken back is told by the first error, and a lease ends by itself.
            let _ = match well || lease.last_sequence > 0 {
                true => self.store.release(lease).await,
                false => self.store.remove_as(lease).await.map(drop),
            };
        }
    }
}
