//! Content-addressed storage: bytes are hashed while they stream in, and never whole in memory.

use std::{fmt, ops::Range, path::Path as FsPath, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    GetOptions, ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart, local::LocalFileSystem,
    memory::InMemory, path::Path,
};
use sha2::{Digest, Sha256};

use crate::event::Timestamp;

/// Keeps bytes under the SHA-256 of their content: `sha256/ab/cdef…`. The same bytes are kept
/// once, whoever writes them.
///
/// Clones share the same storage.
#[derive(Clone)]
pub struct ArtifactStore {
    objects: Arc<dyn ObjectStore>,
    description: Arc<str>,
}

/// Where bytes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// Path inside the storage.
    pub location: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
}

/// Trouble with artifact storage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The storage refused or failed.
    #[error("artifact storage {storage}: {doing}: {source}")]
    Storage {
        /// Which storage.
        storage: Arc<str>,
        /// What was being done.
        doing: &'static str,
        /// What it said.
        source: object_store::Error,
    },
    /// What was to be stored could not be read.
    #[error("reading the bytes to store: {0}")]
    Source(#[source] std::io::Error),
    /// The folder cannot be used.
    #[error("artifact folder {path}: {source}; choose a folder that can be written")]
    Folder {
        /// The folder.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The path does not lie inside the storage.
    #[error("{0:?} is no path inside artifact storage: expected sha256/<2 hex>/<62 hex>")]
    BadLocation(String),
}

impl StorageError {
    /// Whether the storage says that there is nothing at the location. Whatever else goes wrong does
    /// not tell whether there is.
    pub fn is_not_found(&self) -> bool {
        let Self::Storage { source, .. } = self else {
            return false;
        };
        matches!(source, object_store::Error::NotFound { .. })
    }
}

/// An object of the storage.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) location: String,
    pub(super) size: u64,
    pub(super) modified: Timestamp,
}

fn time(found: &object_store::ObjectMeta) -> Timestamp {
    Timestamp::from_micros(found.last_modified.timestamp_micros())
}

/// For so long what is there is not written again.
const FRESH: Duration = Duration::from_secs(600);

/// Bytes that are collected before they are sent: larger ones go in parts of this size.
const PART: usize = 8 * 1024 * 1024;

impl ArtifactStore {
    /// Over any object store.
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        let description = objects.to_string().into();
        Self {
            objects,
            description,
        }
    }

    /// In memory: for tests.
    pub fn memory() -> Self {
        Self::new(Arc::new(InMemory::new()))
    }

    /// In a local folder, which is created where it is missing.
    ///
    /// # Errors
    ///
    /// [`StorageError::Folder`] when the folder cannot be created or opened.
    pub fn folder(path: impl AsRef<FsPath>) -> Result<Self, StorageError> {
        let path = path.as_ref();
        let folder = |source| StorageError::Folder {
            path: path.display().to_string(),
            source,
        };
        std::fs::create_dir_all(path).map_err(folder)?;
        let objects = LocalFileSystem::new_with_prefix(path)
            .map_err(|error| folder(std::io::Error::other(error)))?
            .with_automatic_cleanup(true);
        Ok(Self::new(Arc::new(objects)))
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(object_store::Error) -> StorageError {
        let storage = self.description.clone();
        move |source| StorageError::Storage {
            storage,
            doing,
            source,
        }
    }

    /// Every object, with its size and the time when it was written.
    pub(super) async fn objects(&self) -> Result<Vec<Object>, StorageError> {
        let prefix = Path::from("sha256");
        let listed = self.objects.list(Some(&prefix));
        let objects = listed.map_ok(|found| Object {
            modified: time(&found),
            size: found.size,
            location: found.location.to_string(),
        });
        objects.try_collect().await.map_err(self.failed("listing"))
    }

    /// When an object was written; none where it is not there.
    pub(super) async fn modified(&self, location: &str) -> Result<Option<Timestamp>, StorageError> {
        match self.objects.head(&checked(location)?).await {
            Ok(found) => Ok(Some(time(&found))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("looking up")(error)),
        }
    }

    /// Removes an object; one that is not there is removed already.
    pub(super) async fn remove(&self, location: &str) -> Result<(), StorageError> {
        match self.objects.delete(&checked(location)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("removing")(error)),
        }
    }

    /// Whether an object is there and need not be written again. One that has been there for long is
    /// written again all the same: whoever removes what nothing refers to goes by its time.
    async fn is_fresh(&self, path: &Path) -> bool {
        let found = self.objects.head(path).await;
        found.is_ok_and(|found| Timestamp::now().since(time(&found)) < FRESH)
    }

    /// Keeps bytes that are in memory already.
    ///
    /// # Errors
    ///
    /// [`StorageError::Storage`].
    pub async fn put(&self, bytes: Bytes) -> Result<Stored, StorageError> {
        let stored = stored(&Sha256::digest(&bytes), bytes.len() as u64);
        let path = Path::from(stored.location.as_str());
        if !self.is_fresh(&path).await {
            let payload = PutPayload::from(bytes);
            self.objects
                .put(&path, payload)
                .await
                .map_err(self.failed("writing"))?;
        }
        Ok(stored)
    }

    /// Keeps a stream of bytes, at most a few parts of it in memory at a time.
    ///
    /// # Errors
    ///
    /// [`StorageError::Source`] when the stream fails, [`StorageError::Storage`] when the storage
    /// does. Nothing is kept then.
    pub async fn put_stream<S>(&self, bytes: S) -> Result<Stored, StorageError>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send,
    {
        let mut bytes = std::pin::pin!(bytes);
        let mut writer = self.writer();
        while let Some(chunk) = bytes.next().await {
            match chunk {
                Ok(chunk) => writer.write(chunk).await?,
                Err(error) => {
                    writer.abort().await;
                    return Err(StorageError::Source(error));
                }
            }
        }
        writer.finish().await
    }

    /// Keeps bytes that come piece by piece.
    pub fn writer(&self) -> ArtifactWriter {
        ArtifactWriter {
            store: self.clone(),
            hash: Sha256::new(),
            size: 0,
            buffer: Vec::new(),
            upload: None,
        }
    }

    /// Reads what is kept at a location, as a stream.
    ///
    /// # Errors
    ///
    /// [`StorageError::BadLocation`] when the location is not one that this type gave,
    /// [`StorageError::Storage`] when there is nothing there or it cannot be read.
    pub async fn get(
        &self,
        location: &str,
    ) -> Result<BoxStream<'static, Result<Bytes, StorageError>>, StorageError> {
        self.stream(location, GetOptions::new()).await
    }

    async fn stream(
        &self,
        location: &str,
        options: GetOptions,
    ) -> Result<BoxStream<'static, Result<Bytes, StorageError>>, StorageError> {
        let path = checked(location)?;
        let found = self
            .objects
            .get_opts(&path, options)
            .await
            .map_err(self.failed("reading"))?;
        let storage = self.description.clone();
        let stream = found.into_stream().map(move |chunk| {
            let storage = storage.clone();
            chunk.map_err(|source| StorageError::Storage {
                storage,
                doing: "reading",
                source,
            })
        });
        Ok(stream.boxed())
    }

    /// Reads some of the bytes that are kept at a location, as a stream: from `range.start` up to,
    /// and without, `range.end`.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); also where the range does not lie inside.
    pub async fn get_range(
        &self,
        location: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, StorageError>>, StorageError> {
        let options = GetOptions::new().with_range(Some(range));
        self.stream(location, options).await
    }

    /// Reads what is kept at a location into memory.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn get_bytes(&self, location: &str) -> Result<Bytes, StorageError> {
        let path = checked(location)?;
        let found = self
            .objects
            .get(&path)
            .await
            .map_err(self.failed("reading"))?;
        found.bytes().await.map_err(self.failed("reading"))
    }
}

impl fmt::Debug for ArtifactStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArtifactStore({})", self.description)
    }
}

/// Only what this store itself names can be read through it.
fn checked(location: &str) -> Result<Path, StorageError> {
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let parts: Vec<_> = location.split('/').collect();
    match parts.as_slice() {
        ["sha256", a, b] if a.len() == 2 && b.len() == 62 && is_hex(a) && is_hex(b) => {
            Ok(Path::from(location))
        }
        _ => Err(StorageError::BadLocation(
            location.chars().take(200).collect(),
        )),
    }
}

fn stored(digest: &[u8], size: u64) -> Stored {
    let sha256 = hex::encode(digest);
    Stored {
        location: format!("sha256/{}/{}", &sha256[..2], &sha256[2..]),
        size,
        sha256,
    }
}

/// Bytes on their way into storage. Dropping it before [`finish`](Self::finish) keeps nothing
/// under a content address; call [`abort`](Self::abort) to clean up the parts already sent.
pub struct ArtifactWriter {
    store: ArtifactStore,
    hash: Sha256,
    size: u64,
    buffer: Vec<u8>,
    upload: Option<(Path, WriteMultipart)>,
}

impl fmt::Debug for ArtifactWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArtifactWriter")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl ArtifactWriter {
    /// Adds bytes. Waits where the storage is slower than the writer.
    ///
    /// # Errors
    ///
    /// [`StorageError::Storage`].
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), StorageError> {
        let bytes = bytes.as_ref();
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        if self.upload.is_none() && self.buffer.len() + bytes.len() > PART {
            let path = Path::from(format!("incoming/{}", uuid::Uuid::now_v7()));
            let parts = self.store.objects.put_multipart(&path).await;
            let parts = parts.map_err(self.store.failed("opening an upload"))?;
            let mut upload = WriteMultipart::new_with_chunk_size(parts, PART);
            upload.write(&std::mem::take(&mut self.buffer));
            self.upload = Some((path, upload));
        }
        match &mut self.upload {
            Some((_, upload)) => {
                upload
                    .wait_for_capacity(1)
                    .await
                    .map_err(self.store.failed("writing"))?;
                upload.write(bytes);
            }
            None => self.buffer.extend_from_slice(bytes),
        }
        Ok(())
    }

    /// Ends the bytes and gives them their content address.
    ///
    /// # Errors
    ///
    /// [`StorageError::Storage`]; nothing is kept then.
    pub async fn finish(self) -> Result<Stored, StorageError> {
        let Some((incoming, upload)) = self.upload else {
            return self.store.put(self.buffer.into()).await;
        };
        let stored = stored(&self.hash.finalize(), self.size);
        upload
            .finish()
            .await
            .map_err(self.store.failed("finishing an upload"))?;
        let path = Path::from(stored.location.as_str());
        let objects = &self.store.objects;
        objects
            .rename(&incoming, &path)
            .await
            .map_err(self.store.failed("naming an upload"))?;
        Ok(stored)
    }

    /// Gives up, and removes what was sent already.
    pub async fn abort(self) {
        if let Some((path, upload)) = self.upload
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(%path, %error, "an unfinished upload could not be removed");
        }
    }
}
