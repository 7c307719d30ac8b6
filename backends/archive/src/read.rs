//! Reading an archive.

use std::{
    collections::BTreeSet,
    fmt,
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use sha2::{Digest, Sha256};
use shipsec_core::{
    RunId,
    event::{Event, Record},
    run::RunView,
    trace::{
        AppendError, Appended, Capabilities, Lease, LeaseError, RunFilter, RunSummary, StoreError,
        StoreErrorKind, TraceStore,
    },
};
use zip::ZipArchive;

use crate::{
    ArchiveError, ArchivedArtifact, ArchivedChunk, ArchivedRun, Manifest,
    manifest::{FORMAT, MANIFEST, VERSION},
};

/// The largest manifest that is read, in bytes.
const LARGEST_MANIFEST: u64 = 64 * 1024 * 1024;
/// The largest chunk of a log that is read, in bytes.
const LARGEST_CHUNK: u64 = 512 * 1024 * 1024;
/// The largest artifact that is read whole, in bytes.
const LARGEST_VALUE: u64 = 256 * 1024 * 1024;

/// An archive that is open for reading. Clones share it.
#[derive(Clone)]
pub struct Archive(Arc<Inner>);

struct Inner {
    path: PathBuf,
    manifest: Manifest,
    zip: Mutex<ZipArchive<BufReader<File>>>,
    /// The chunk that was read last, by run and place.
    chunk: Mutex<Option<Chunk>>,
    /// The runs of which the manifest is known to say what their logs say.
    checked: Mutex<BTreeSet<usize>>,
}

/// Place of the run, place of the chunk, and its events.
type Chunk = (usize, usize, Arc<Vec<Event>>);

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive")
            .field("path", &self.0.path)
            .finish_non_exhaustive()
    }
}

impl Archive {
    /// Whether a file begins like an archive. What it holds is not looked at.
    pub fn is_one(path: impl AsRef<Path>) -> bool {
        let mut start = [0; 4];
        let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
        read.is_ok() && start == *b"PK\x03\x04"
    }

    /// Opens a file, and reads its manifest. Logs and artifacts are checked when they are read, and
    /// what the manifest says of a run by its log when runs are listed or imported.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`], naming the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ArchiveError> {
        let path = path.as_ref().to_owned();
        let no_archive = |problem: String| ArchiveError::NoArchive {
            path: path.clone(),
            problem,
        };
        let file = File::open(&path).map_err(|source| ArchiveError::File {
            path: path.clone(),
            source,
        })?;
        let mut zip =
            ZipArchive::new(BufReader::new(file)).map_err(|error| no_archive(error.to_string()))?;
        let text = entry(&mut zip, &path, MANIFEST, LARGEST_MANIFEST)
            .map_err(|error| no_archive(error.to_string()))?;
        let head: serde_json::Value = serde_json::from_slice(&text)
            .map_err(|error| no_archive(format!("{MANIFEST}: {error}")))?;
        if head["format"] != FORMAT {
            return Err(no_archive(format!("{MANIFEST} names another format")));
        }
        let version = head["version"].as_u64().unwrap_or(0);
        if version > u64::from(VERSION) {
            return Err(ArchiveError::Newer {
                path,
                version: u32::try_from(version).unwrap_or(u32::MAX),
                known: VERSION,
            });
        }
        if version != u64::from(VERSION) {
            return Err(ArchiveError::Damaged {
                path,
                entry: MANIFEST.to_owned(),
                problem: format!("there is no version {} of the format", head["version"]),
            });
        }
        let manifest: Manifest = serde_json::from_value(head)
            .map_err(|error| no_archive(format!("{MANIFEST}: {error}")))?;
        check(&manifest, &zip).map_err(|problem| ArchiveError::Damaged {
            path: path.clone(),
            entry: MANIFEST.to_owned(),
            problem,
        })?;
        Ok(Self(Arc::new(Inner {
            path,
            manifest,
            zip: Mutex::new(zip),
            chunk: Mutex::default(),
            checked: Mutex::default(),
        })))
    }

    /// What it holds.
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// The run that was exported; the others are those that it called.
    pub fn main_run(&self) -> &RunId {
        // There is one at least: that was checked.
        &self.0.manifest.runs[0].run_id
    }

    pub(crate) fn damaged(&self, entry: &str, problem: impl Into<String>) -> ArchiveError {
        ArchiveError::Damaged {
            path: self.0.path.clone(),
            entry: entry.to_owned(),
            problem: problem.into(),
        }
    }

    /// The events of one chunk, checked.
    pub(crate) fn chunk(&self, run: usize, place: usize) -> Result<Arc<Vec<Event>>, ArchiveError> {
        let mut last = self.0.chunk.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, of, events)) = &*last
            && (*at, *of) == (run, place)
        {
            return Ok(events.clone());
        }
        let ArchivedRun { run_id, chunks, .. } = &self.0.manifest.runs[run];
        let chunk = &chunks[place];
        let text = self.bytes(&chunk.entry, chunk.size, &chunk.sha256)?;
        let broken = |problem: String| self.damaged(&chunk.entry, problem);
        let text = String::from_utf8(text).map_err(|error| broken(error.to_string()))?;
        let mut events = Vec::new();
        for (line, expected) in text.lines().zip(chunk.first..) {
            let event = Event::from_json(line)
                .map_err(|error| broken(format!("event {expected}: {error}")))?;
            if event.sequence != expected || event.run_id != *run_id {
                let id = event.id();
                return Err(broken(format!(
                    "event {id} stands where {run_id}:{expected} is due"
                )));
            }
            events.push(event);
        }
        if events.len() as u64 != chunk.events {
            let problem = format!("{} events instead of {}", events.len(), chunk.events);
            return Err(broken(problem));
        }
        let events = Arc::new(events);
        *last = Some((run, place, events.clone()));
        Ok(events)
    }

    /// Whether the manifest says of a run what its log says. Reads the log, once.
    pub(crate) fn check_run(&self, run: usize) -> Result<(), ArchiveError> {
        let mut checked = self
            .0
            .checked
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if checked.contains(&run) {
            return Ok(());
        }
        let of = &self.0.manifest.runs[run];
        let mut view = RunView::new(of.run_id.clone());
        for place in 0..of.chunks.len() {
            for event in &*self.chunk(run, place)? {
                view.apply(event);
            }
        }
        let wrong = |what: &str| {
            let problem = format!("the {what} of run {} is not that of its log", of.run_id);
            Err(self.damaged(MANIFEST, problem))
        };
        if view.status != of.status {
            return wrong(&format!("status {}", of.status.as_str()));
        }
        if view.workflow_id != of.workflow_id {
            return wrong("workflow");
        }
        if view.started_at != Some(of.started_at) || view.updated_at != Some(of.updated_at) {
            return wrong("time");
        }
        checked.insert(run);
        Ok(())
    }

    /// The bytes of an entry, which are what the manifest says.
    fn bytes(&self, name: &str, size: u64, sha256: &str) -> Result<Vec<u8>, ArchiveError> {
        let mut zip = self.0.zip.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = entry(&mut zip, &self.0.path, name, size)?;
        if bytes.len() as u64 != size || hex::encode(Sha256::digest(&bytes)) != sha256 {
            return Err(self.damaged(name, "its SHA-256 is not the one of the manifest"));
        }
        Ok(bytes)
    }

    /// The bytes of an object of artifact storage; `None` where it did not come along.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Damaged`], also where it is larger than 256 MiB.
    pub fn artifact(&self, location: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
        let Some(of) = self.entry_of(location) else {
            return Ok(None);
        };
        let name = format!("artifacts/{location}");
        if of.size > LARGEST_VALUE {
            return Err(self.damaged(
                &name,
                "it is too large to be read whole: import the archive",
            ));
        }
        self.bytes(&name, of.size, &of.sha256).map(Some)
    }

    /// What the manifest says of an object of artifact storage; `None` where it did not come along.
    pub(crate) fn entry_of(&self, location: &str) -> Option<&ArchivedArtifact> {
        let mut all = self.0.manifest.artifacts.iter();
        all.find(|artifact| artifact.location == location)
    }

    /// The bytes of an object of artifact storage, piece by piece, as they are: at most one more than
    /// the manifest says.
    pub(crate) fn pieces(
        &self,
        artifact: &ArchivedArtifact,
    ) -> impl Stream<Item = std::io::Result<Bytes>> + Send + use<> {
        const PIECE: usize = 1024 * 1024;
        let name = format!("artifacts/{}", artifact.location);
        let (send, receive) = tokio::sync::mpsc::channel::<std::io::Result<Vec<u8>>>(2);
        let (archive, size) = (self.clone(), artifact.size);
        // It ends with its channel.
        tokio::task::spawn_blocking(move || {
            let mut zip = archive.0.zip.lock().unwrap_or_else(PoisonError::into_inner);
            let found = match zip.by_name(&name) {
                Ok(found) => found,
                Err(error) => {
                    let _ = send.blocking_send(Err(error.into()));
                    return;
                }
            };
            // One byte more than there may be shows that there is more.
            let mut found = found.take(size.saturating_add(1));
            loop {
                let mut piece = Vec::new();
                let read = (&mut found).take(PIECE as u64).read_to_end(&mut piece);
                let end = matches!(read, Ok(0) | Err(_));
                let sent = match read {
                    Ok(0) => break,
                    Ok(_) => send.blocking_send(Ok(piece)),
                    Err(error) => send.blocking_send(Err(error)),
                };
                if sent.is_err() || end {
                    break;
                }
            }
        });
        futures::stream::unfold(receive, |mut receive| async move {
            let piece = receive.recv().await?;
            Some((piece.map(Bytes::from), receive))
        })
    }

    fn refused(&self) -> StoreError {
        let message = format!(
            "{} is an archive: import it to go on with it",
            self.0.path.display()
        );
        StoreError::new(StoreErrorKind::Denied, message)
    }

    fn place(&self, run: &RunId) -> Option<usize> {
        self.0
            .manifest
            .runs
            .iter()
            .position(|known| known.run_id == *run)
    }
}

/// Reads an entry, of at most so many bytes.
fn entry(
    zip: &mut ZipArchive<BufReader<File>>,
    path: &Path,
    name: &str,
    most: u64,
) -> Result<Vec<u8>, ArchiveError> {
    let damaged = |problem: String| ArchiveError::Damaged {
        path: path.to_owned(),
        entry: name.to_owned(),
        problem,
    };
    let found = zip
        .by_name(name)
        .map_err(|error| damaged(error.to_string()))?;
    let mut bytes = Vec::new();
    // One byte more than there may be shows that there is more, whatever the file says of itself.
    let read = found.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| damaged(error.to_string()))?;
    match bytes.len() as u64 > most {
        true => Err(damaged(format!("it is larger than {most} bytes"))),
        false => Ok(bytes),
    }
}

/// Whether a manifest is whole by itself, and names every entry.
fn check(manifest: &Manifest, zip: &ZipArchive<BufReader<File>>) -> Result<(), String> {
    if manifest.runs.is_empty() {
        return Err("it names no run".to_owned());
    }
    let mut named: BTreeSet<String> = BTreeSet::from([MANIFEST.to_owned()]);
    let mut name = |entry: String| match named.insert(entry.clone()) {
        true => Ok(()),
        false => Err(format!("{entry:?} is named twice")),
    };
    let mut ids = BTreeSet::new();
    for run in &manifest.runs {
        if !ids.insert(&run.run_id) {
            return Err(format!("run {} is there twice", run.run_id));
        }
        let mut next = 1;
        for chunk in &run.chunks {
            let ArchivedChunk {
                entry,
                first,
                events,
                size,
                ..
            } = chunk;
            name(entry.clone())?;
            if *first != next || *events == 0 {
                return Err(format!(
                    "{entry:?} begins with event {first} instead of {next}"
                ));
            }
            if *size > LARGEST_CHUNK {
                return Err(format!("{entry:?} is larger than {LARGEST_CHUNK} bytes"));
            }
            // What is counted on is counted without overflow from here on.
            next = next
                .checked_add(*events)
                .ok_or_else(|| format!("{entry:?} cannot have {events} events"))?;
        }
        if run.events != next - 1 {
            return Err(format!(
                "run {} has {} events, and its chunks {}",
                run.run_id,
                run.events,
                next - 1
            ));
        }
    }
    for artifact in &manifest.artifacts {
        name(format!("artifacts/{}", artifact.location))?;
    }
    for entry in zip.file_names() {
        let entry = entry.map_err(|error| error.to_string())?;
        if !named.remove(&*entry) {
            return Err(format!(
                "entry {entry:?} is none that it names, or is there twice"
            ));
        }
    }
    match named.into_iter().next() {
        Some(missing) => Err(format!("entry {missing:?} is missing")),
        None => Ok(()),
    }
}

/// Reads on a thread where it may block.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, StoreError> {
    let read = tokio::task::spawn_blocking(read).await;
    let read = read.map_err(|error| StoreError::new(StoreErrorKind::Other, error.to_string()))?;
    read.map_err(|error| StoreError::new(StoreErrorKind::Corrupt, error.to_string()))
}

#[async_trait]
impl TraceStore for Archive {
    fn capabilities(&self) -> Capabilities {
        Capabilities::DURABLE
    }

    async fn append(&self, _: &RunId, records: Vec<Record>) -> Result<Appended, AppendError> {
        let error = self.refused();
        Err(AppendError { error, records })
    }

    async fn append_as(&self, _: &Lease, records: Vec<Record>) -> Result<Appended, AppendError> {
        let error = self.refused();
        Err(AppendError { error, records })
    }

    async fn acquire(&self, _: &RunId, _: &str, _: Duration) -> Result<Lease, LeaseError> {
        Err(self.refused().into())
    }

    async fn renew(&self, _: &Lease, _: Duration) -> Result<(), StoreError> {
        Err(self.refused())
    }

    async fn release(&self, _: &Lease) -> Result<(), StoreError> {
        Ok(())
    }

    async fn remove(&self, _: &RunId) -> Result<bool, LeaseError> {
        Err(self.refused().into())
    }

    async fn remove_as(&self, _: &Lease) -> Result<bool, StoreError> {
        Err(self.refused())
    }

    async fn read(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let Some(at) = self.place(run) else {
            return Ok(Vec::new());
        };
        let chunks = &self.0.manifest.runs[at].chunks;
        let mut events = Vec::new();
        // Chunks follow one another: the first that has events beyond is the one to begin with.
        let begin = chunks.partition_point(|chunk| chunk.first + chunk.events - 1 <= after);
        for place in begin..chunks.len() {
            if events.len() >= limit {
                break;
            }
            let archive = self.clone();
            let chunk = blocking(move || archive.chunk(at, place)).await?;
            let beyond = chunk.iter().filter(|event| event.sequence > after);
            events.extend(beyond.take(limit - events.len()).cloned());
        }
        Ok(events)
    }

    async fn wait_beyond(&self, run: &RunId, after: u64) -> Result<u64, StoreError> {
        let last = self
            .place(run)
            .map_or(0, |at| self.0.manifest.runs[at].events);
        match last > after {
            true => Ok(last),
            // Nothing is ever appended to a file.
            false => Err(self.refused()),
        }
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        // A list is what somebody goes by who does not read the logs.
        let archive = self.clone();
        let check =
            move || (0..archive.manifest().runs.len()).try_for_each(|at| archive.check_run(at));
        blocking(check).await?;
        let summary = |run: &ArchivedRun| {
            let mut summary = RunSummary::new(run.run_id.clone(), run.status, run.started_at);
            summary.workflow_id.clone_from(&run.workflow_id);
            summary.updated_at = run.updated_at;
            summary.last_sequence = run.events;
            summary
        };
        let mut runs: Vec<RunSummary> = self.0.manifest.runs.iter().map(summary).collect();
        runs.retain(|run| filter.fits(run));
        runs.sort_by(|a, b| (b.started_at, &b.run_id).cmp(&(a.started_at, &a.run_id)));
        runs.truncate(filter.limit);
        Ok(runs)
    }
}
