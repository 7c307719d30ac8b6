//! Writing an archive.

use std::{
    collections::BTreeMap,
    io::{BufWriter, Write},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
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
    Archive, ArchiveError, ArchivedArtifact, ArchivedChunk, ArchivedRun, Manifest,
    manifest::{FORMAT, MANIFEST, VERSION},
};

/// Events of one chunk.
const CHUNK: usize = 10_000;

/// Where the artifacts of a run are.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Source<'a> {
    /// In artifact storage.
    Storage(&'a ArtifactStore),
    /// In the archive that the run is in.
    Archive(&'a Archive),
}

impl<'a> From<&'a ArtifactStore> for Source<'a> {
    fn from(storage: &'a ArtifactStore) -> Self {
        Self::Storage(storage)
    }
}

impl<'a> From<&'a Archive> for Source<'a> {
    fn from(archive: &'a Archive) -> Self {
        Self::Archive(archive)
    }
}

type Pieces = BoxStream<'static, Result<Bytes, String>>;

impl Source<'_> {
    /// The bytes of an artifact; `None` where it is not there.
    async fn get(self, location: &str) -> Result<Option<Pieces>, String> {
        match self {
            Self::Storage(storage) => match storage.get(location).await {
                Ok(pieces) => Ok(Some(pieces.map_err(|error| error.to_string()).boxed())),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(error.to_string()),
            },
            Self::Archive(archive) => Ok(archive.entry_of(location).map(|artifact| {
                let pieces = archive.pieces(artifact);
                pieces.map_err(|error| error.to_string()).boxed()
            })),
        }
    }
}

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
    /// Objects that the logs refer to and that are not there, or not there any more.
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
/// so. An artifact that is not there any more is no error; one that cannot be read, or is damaged, is.
pub async fn export<'a>(
    store: &Arc<dyn TraceStore>,
    artifacts: impl Into<Source<'a>>,
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
    let (kept, missing) = writer.artifacts(artifacts.into()).await?;
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
        artifacts: Source<'_>,
    ) -> Result<(Vec<ArchivedArtifact>, Vec<String>), ArchiveError> {
        let (mut kept, mut missing) = (Vec::new(), Vec::new());
        for (location, (size, sha256)) in std::mem::take(&mut self.wanted) {
            let wrong = |problem: String| ArchiveError::Artifact {
                location: location.clone(),
                problem,
            };
            let Some(mut bytes) = artifacts.get(&location).await.map_err(wrong)? else {
                missing.push(location);
                continue;
            };
            self.entry(&format!("artifacts/{location}"))?;
            let (mut digest, mut length) = (Sha256::new(), 0);
            while let Some(piece) = bytes.next().await {
                let piece = piece.map_err(wrong)?;
                digest.update(&piece);
                length += piece.len() as u64;
                let written = self.zip.write_all(&piece);
                written.map_err(|error| self.failed(error))?;
            }
            // A file with it could not be imported.
            if length != size || hex::encode(digest.finalize()) != sha256 {
                return Err(wrong(
                    "its bytes are not those that the log speaks of".to_owned(),
                ));
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
