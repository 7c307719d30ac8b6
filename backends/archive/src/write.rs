//! Writing an archive.

use std::{
    collections::BTreeMap,
    io::{BufWriter, Write},
    path::Path,
    sync::Arc,
};

use futures::StreamExt;
use sha2::{Digest, Sha256};
use shipsec_core::{
    RunId,
    event::{Event, EventKind, Timestamp},
    run::RunView,
    storage::ArtifactStore,
    trace::TraceStore,
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{
    ArchiveError, ArchivedArtifact, ArchivedChunk, ArchivedRun, Manifest,
    manifest::{FORMAT, MANIFEST, VERSION},
};

/// Events of one chunk.
const CHUNK: usize = 10_000;

/// Which artifacts come along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Contents {
    /// Those that components stored, and outputs that are too large for an event.
    #[default]
    All,
    /// Outputs that are too large for an event.
    Outputs,
    /// None: the log alone.
    Log,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// The runs.
    pub runs: Vec<RunId>,
    /// Events of all of them.
    pub events: u64,
    /// Objects of artifact storage.
    pub artifacts: u64,
    /// Objects that the logs refer to and that are not there any more.
    pub missing: Vec<String>,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Writes a run, as far as its log has come, and the runs that it called into one file. The file
/// appears whole or not at all: it is written beside its place, and then named.
///
/// Reads and writes files where it is awaited.
///
/// # Errors
///
/// [`ArchiveError`]; no file is left then. A file that is there is replaced only if `replace` says
/// so.
pub async fn export(
    store: &Arc<dyn TraceStore>,
    artifacts: &ArtifactStore,
    run: &RunId,
    contents: Contents,
    file: &Path,
    replace: bool,
) -> Result<Exported, ArchiveError> {
    let failed = |source: std::io::Error| ArchiveError::File {
        path: file.to_owned(),
        source,
    };
    if !replace && file.exists() {
        return Err(ArchiveError::Exists(file.to_owned()));
    }
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let new = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    let mut writer = Writer {
        zip: ZipWriter::new(BufWriter::new(new)),
        file,
        wanted: BTreeMap::new(),
        contents,
        children: Vec::new(),
    };
    let mut runs = Vec::new();
    let mut left = vec![run.clone()];
    while let Some(next) = left.pop() {
        if runs.iter().any(|known: &ArchivedRun| known.run_id == next) {
            continue;
        }
        match writer.run(store, &next).await? {
            Some(archived) => runs.push(archived),
            // A child may have been removed before.
            None if next != *run => {}
            None => return Err(ArchiveError::UnknownRun(next)),
        }
        left.append(&mut writer.children);
    }
    let (kept, missing) = writer.artifacts(artifacts).await?;
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        created_at: Timestamp::now(),
        runs,
        artifacts: kept,
    };
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| failed(error.into()))?;
    writer.entry(MANIFEST)?;
    writer.zip.write_all(&text).map_err(failed)?;
    let buffered = writer.zip.finish().map_err(|error| failed(error.into()))?;
    let new = buffered
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    new.as_file().sync_all().map_err(failed)?;
    let bytes = new.as_file().metadata().map_err(failed)?.len();
    let named = match replace {
        true => new.persist(file).map(drop).map_err(|error| error.error),
        false => new
            .persist_noclobber(file)
            .map(drop)
            .map_err(|error| error.error),
    };
    named.map_err(failed)?;
    Ok(Exported {
        runs: manifest.runs.iter().map(|run| run.run_id.clone()).collect(),
        events: manifest.runs.iter().map(|run| run.events).sum(),
        artifacts: manifest.artifacts.len() as u64,
        missing,
        bytes,
    })
}

struct Writer<'a> {
    zip: ZipWriter<BufWriter<tempfile::NamedTempFile>>,
    file: &'a Path,
    /// By location: size and digest.
    wanted: BTreeMap<String, (u64, String)>,
    contents: Contents,
    /// Runs that the run called.
    children: Vec<RunId>,
}

impl Writer<'_> {
    fn failed(&self, source: impl Into<std::io::Error>) -> ArchiveError {
        ArchiveError::File {
            path: self.file.to_owned(),
            source: source.into(),
        }
    }

    fn entry(&mut self, name: &str) -> Result<(), ArchiveError> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .large_file(true);
        let begun = self.zip.start_file(name, options);
        begun.map_err(|error| self.failed(error))
    }

    async fn run(
        &mut self,
        store: &Arc<dyn TraceStore>,
        run: &RunId,
    ) -> Result<Option<ArchivedRun>, ArchiveError> {
        let mut view = RunView::new(run.clone());
        let mut chunks = Vec::new();
        loop {
            let page = store.read(run, view.sequence, CHUNK).await?;
            let Some(first) = page.first().map(|event| event.sequence) else {
                break;
            };
            let entry = format!("runs/{run}/{:08}.jsonl", chunks.len() + 1);
            self.entry(&entry)?;
            let (mut digest, mut size) = (Sha256::new(), 0);
            for event in &page {
                view.apply(event);
                self.note(event);
                let mut line = serde_json::to_vec(event).map_err(|error| self.failed(error))?;
                line.push(b'\n');
                digest.update(&line);
                size += line.len() as u64;
                let written = self.zip.write_all(&line);
                written.map_err(|error| self.failed(error))?;
            }
            chunks.push(ArchivedChunk {
                entry,
                first,
                events: page.len() as u64,
                size,
                sha256: hex::encode(digest.finalize()),
            });
            if page
                .last()
                .is_some_and(|last| last.sequence != view.sequence)
            {
                let problem = format!("run {run}: the log of the store is not whole");
                return Err(self.failed(std::io::Error::other(problem)));
            }
        }
        let (Some(started_at), Some(updated_at)) = (view.started_at, view.updated_at) else {
            return Ok(None);
        };
        Ok(Some(ArchivedRun {
            run_id: run.clone(),
            workflow_id: view.workflow_id.clone(),
            status: view.status,
            started_at,
            updated_at,
            events: view.sequence,
            chunks,
        }))
    }

    /// Notes what an event refers to.
    fn note(&mut self, event: &Event) {
        match &event.kind {
            EventKind::NodeArtifact(of) if self.contents == Contents::All => {
                let stored = (of.size, of.sha256.clone());
                self.wanted.insert(of.location.clone(), stored);
            }
            EventKind::NodeCompleted(of) if self.contents != Contents::Log => {
                let notes = of.outputs.notes.as_deref();
                for stored in notes.into_iter().flat_map(|notes| notes.refs.values()) {
                    let of = (stored.size, stored.sha256.clone());
                    self.wanted.insert(stored.location.clone(), of);
                }
            }
            EventKind::NodeChildStarted(child) => self.children.push(child.run_id.clone()),
            _ => {}
        }
    }

    /// Writes the artifacts; gives those that are there, and those that are not.
    async fn artifacts(
        &mut self,
        artifacts: &ArtifactStore,
    ) -> Result<(Vec<ArchivedArtifact>, Vec<String>), ArchiveError> {
        let (mut kept, mut missing) = (Vec::new(), Vec::new());
        for (location, (size, sha256)) in std::mem::take(&mut self.wanted) {
            let Ok(mut bytes) = artifacts.get(&location).await else {
                missing.push(location);
                continue;
            };
            self.entry(&format!("artifacts/{location}"))?;
            while let Some(piece) = bytes.next().await {
                let written = self.zip.write_all(&piece?);
                written.map_err(|error| self.failed(error))?;
            }
            kept.push(ArchivedArtifact {
                location,
                size,
                sha256,
            });
        }
        Ok((kept, missing))
    }
}
