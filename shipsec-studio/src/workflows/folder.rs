//! Workflows in a folder: `<id>/<version>.json`, each written once and never changed.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use shipsec_core::{
    WorkflowId,
    event::Timestamp,
    workflow::{Graph, WorkflowSource, WorkflowSourceError},
};

use super::{
    Expected, StoredWorkflow, WorkflowEntry, WorkflowStore, WorkflowStoreError, WorkflowVersion,
    check_id,
};

/// Version of the format of the files.
const FORMAT: u32 = 1;

/// Keeps workflows in a folder, for any number of processes on one machine.
#[derive(Debug, Clone)]
pub struct WorkflowFolder(PathBuf);

/// What a file holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    format: u32,
    #[serde(flatten)]
    workflow: StoredWorkflow,
}

impl WorkflowFolder {
    /// Keeps them in this folder, which is made with the first workflow.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Does something with the disk, off the threads that others wait for.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, WorkflowStoreError> + Send + 'static,
    ) -> Result<T, WorkflowStoreError> {
        let folder = self.0.clone();
        let done = tokio::task::spawn_blocking(move || work(&folder)).await;
        done.unwrap_or_else(|error| Err(unusable(&self.0, "read")(io::Error::other(error))))
    }
}

fn unusable(place: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> WorkflowStoreError {
    let place = place.display().to_string();
    move |source| WorkflowStoreError::Unusable {
        place,
        doing,
        source,
    }
}

/// The version that a file's name tells.
fn number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".json")?;
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|n| all_digits && *n > 0)
}

/// The versions that a workflow's folder holds, ascending.
fn numbers(folder: &Path) -> Result<Vec<u32>, WorkflowStoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(Vec::new()),
                _ => Err(unusable(folder, "read")(error)),
            };
        }
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unusable(folder, "read"))?;
        numbers.extend(entry.file_name().to_str().and_then(number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number}.json"))
}

/// Reads a version; none where somebody removed it meanwhile.
fn read(folder: &Path, number: u32) -> Result<Option<StoredWorkflow>, WorkflowStoreError> {
    let path = path(folder, number);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(&path, "read")(error)),
    };
    let file: File = serde_json::from_slice(&text)
        .map_err(|error| unusable(&path, "read")(io::Error::other(error)))?;
    match file.format {
        FORMAT => Ok(Some(file.workflow)),
        other => {
            let message = format!("it has format {other}, and this program reads {FORMAT}");
            Err(unusable(&path, "read")(io::Error::other(message)))
        }
    }
}

fn newest(folder: &Path) -> Result<Option<StoredWorkflow>, WorkflowStoreError> {
    match numbers(folder)?.last() {
        Some(number) => read(folder, *number),
        None => Ok(None),
    }
}

/// Keeps other processes, and other tasks, from changing anything meanwhile.
fn lock(root: &Path) -> Result<fs::File, WorkflowStoreError> {
    let path = root.join(".lock");
    let lock = || {
        fs::create_dir_all(root)?;
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)?;
        file.lock()?;
        Ok(file)
    };
    lock().map_err(unusable(&path, "written"))
}

fn put(
    root: &Path,
    id: &WorkflowId,
    graph: Graph,
    hash: &str,
    expected: &Expected,
) -> Result<WorkflowVersion, WorkflowStoreError> {
    let _alone = lock(root)?;
    let folder = root.join(id.as_str());
    let newest = newest(&folder)?;
    expected.check(id, newest.as_ref().map(|newest| &newest.version))?;
    let number = match newest {
        Some(newest) if newest.graph == graph => return Ok(newest.version),
        Some(newest) => newest.version.version.checked_add(1).ok_or_else(|| {
            let error = io::Error::other("no version number is left");
            unusable(&folder, "written")(error)
        })?,
        None => 1,
    };
    let version = WorkflowVersion::new(number, hash, Timestamp::now());
    let file = File {
        format: FORMAT,
        workflow: StoredWorkflow::new(version.clone(), graph),
    };
    let keep = || {
        fs::create_dir_all(&folder)?;
        let mut kept = tempfile::NamedTempFile::new_in(&folder)?;
        let mut writer = io::BufWriter::new(&mut kept);
        serde_json::to_writer_pretty(&mut writer, &file)?;
        // What cannot be written any more, on a full disk, shows here and not when it is dropped.
        writer.flush()?;
        drop(writer);
        kept.as_file().sync_all()?;
        kept.persist_noclobber(path(&folder, number))?;
        // The name is durable once its folder is.
        #[cfg(unix)]
        fs::File::open(&folder)?.sync_all()?;
        Ok(())
    };
    keep().map_err(unusable(&folder, "written"))?;
    Ok(version)
}

fn delete(root: &Path, id: &WorkflowId, expected: &Expected) -> Result<bool, WorkflowStoreError> {
    let _alone = lock(root)?;
    let folder = root.join(id.as_str());
    let newest = newest(&folder)?;
    expected.check(id, newest.as_ref().map(|newest| &newest.version))?;
    if newest.is_none() {
        return Ok(false);
    }
    // The newest one last: as long as it is there, so is the workflow.
    for number in numbers(&folder)? {
        let path = path(&folder, number);
        fs::remove_file(&path).map_err(unusable(&path, "removed"))?;
    }
    // What else somebody keeps there stays.
    if let Err(error) = fs::remove_dir(&folder) {
        tracing::debug!(folder = %folder.display(), %error, "the folder of a removed workflow stays");
    }
    Ok(true)
}

fn list(
    root: &Path,
    after: Option<&WorkflowId>,
    limit: usize,
) -> Result<Vec<WorkflowEntry>, WorkflowStoreError> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unusable(root, "read")(error)),
    };
    let mut ids = Vec::new();
    for entry in entries {
        let name = entry.map_err(unusable(root, "read"))?.file_name();
        // What is named otherwise is none of ours.
        if let Some(name) = name.to_str().filter(|name| check_id(name).is_ok())
            && after.is_none_or(|after| name > after.as_str())
        {
            ids.push(WorkflowId::new(name));
        }
    }
    ids.sort_unstable();
    let mut listed = Vec::new();
    for id in ids {
        if listed.len() == limit {
            break;
        }
        match newest(&root.join(id.as_str())) {
            Ok(Some(newest)) => {
                listed.push(WorkflowEntry::new(id, newest.graph.name, newest.version));
            }
            Ok(None) => {}
            // One damaged file must not hide all others.
            Err(error) => tracing::warn!(workflow = %id, %error, "a workflow is not listed"),
        }
    }
    Ok(listed)
}

#[async_trait]
impl WorkflowStore for WorkflowFolder {
    async fn list(
        &self,
        after: Option<&WorkflowId>,
        limit: usize,
    ) -> Result<Vec<WorkflowEntry>, WorkflowStoreError> {
        let after = after.cloned();
        self.with(move |root| list(root, after.as_ref(), limit))
            .await
    }

    async fn versions(&self, id: &WorkflowId) -> Result<Vec<WorkflowVersion>, WorkflowStoreError> {
        check_id(id.as_str())?;
        let id = id.clone();
        self.with(move |root| {
            let folder = root.join(id.as_str());
            let mut versions = Vec::new();
            for number in numbers(&folder)? {
                versions.extend(read(&folder, number)?.map(|stored| stored.version));
            }
            Ok(versions)
        })
        .await
    }

    async fn get(
        &self,
        id: &WorkflowId,
        version: Option<u32>,
    ) -> Result<Option<StoredWorkflow>, WorkflowStoreError> {
        check_id(id.as_str())?;
        let id = id.clone();
        self.with(move |root| {
            let folder = root.join(id.as_str());
            match version {
                Some(number) => read(&folder, number),
                None => newest(&folder),
            }
        })
        .await
    }

    async fn put(
        &self,
        id: &WorkflowId,
        graph: Graph,
        hash: &str,
        expected: Expected,
    ) -> Result<WorkflowVersion, WorkflowStoreError> {
        check_id(id.as_str())?;
        let (id, hash) = (id.clone(), hash.to_owned());
        self.with(move |root| put(root, &id, graph, &hash, &expected))
            .await
    }

    async fn delete(
        &self,
        id: &WorkflowId,
        expected: Expected,
    ) -> Result<bool, WorkflowStoreError> {
        check_id(id.as_str())?;
        let id = id.clone();
        self.with(move |root| delete(root, &id, &expected)).await
    }
}

#[async_trait]
impl WorkflowSource for WorkflowFolder {
    async fn graph(&self, id: &WorkflowId) -> Result<Graph, WorkflowSourceError> {
        match self.get(id, None).await {
            Ok(Some(stored)) => Ok(stored.graph),
            Ok(None) => Err(WorkflowSourceError::Unknown {
                id: id.clone(),
                hint: format!("{} has none of this name", self.0.display()),
            }),
            Err(error) => Err(WorkflowSourceError::Unreadable {
                id: id.clone(),
                reason: error.to_string(),
            }),
        }
    }
}
