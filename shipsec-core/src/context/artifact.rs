//! Artifacts of a node: hashed while they are written, masked, content-addressed.

use bytes::Bytes;

use super::Context;
use crate::{
    ComponentError,
    event::{ArtifactPayload, EventKind, Level},
    storage::{ArtifactWriter, StorageError, Stored},
    trace::StreamMask,
    value::FileRef,
};

/// An artifact that is being written piece by piece. Dropping it before
/// [`finish`](Self::finish) emits nothing.
#[derive(Debug)]
pub struct ArtifactEmitter {
    cx: Context,
    name: String,
    media_type: String,
    writer: ArtifactWriter,
    mask: StreamMask,
}

impl ArtifactEmitter {
    pub(super) fn open(cx: &Context, name: &str, media_type: &str) -> Result<Self, ComponentError> {
        check_name(name)?;
        Ok(Self {
            cx: cx.clone(),
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            writer: cx.scope().artifacts.writer(),
            mask: cx.scope().masker.stream(),
        })
    }

    /// Adds bytes.
    ///
    /// # Errors
    ///
    /// A `ResourceUnavailableError` when the storage fails.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), ComponentError> {
        let masked = self.mask.push(bytes.as_ref());
        self.writer.write(&*masked).await.map_err(storage)
    }

    /// Ends the artifact, and records it.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub async fn finish(mut self) -> Result<FileRef, ComponentError> {
        let rest = self.mask.finish();
        self.writer.write(&*rest).await.map_err(storage)?;
        let stored = self.writer.finish().await.map_err(storage)?;
        Ok(record(&self.cx, self.name, self.media_type, stored))
    }

    /// Gives up, and removes what was written already.
    pub async fn abort(self) {
        self.writer.abort().await;
    }
}

pub(super) async fn emit(
    cx: &Context,
    name: &str,
    media_type: &str,
    bytes: Bytes,
) -> Result<FileRef, ComponentError> {
    check_name(name)?;
    let mut mask = cx.scope().masker.stream();
    let bytes = if mask.is_idle() {
        bytes
    } else {
        let mut masked = mask.push(&bytes).into_owned();
        masked.extend_from_slice(&mask.finish());
        masked.into()
    };
    let stored = cx.scope().artifacts.put(bytes).await.map_err(storage)?;
    Ok(record(cx, name.to_owned(), media_type.to_owned(), stored))
}

fn record(cx: &Context, name: String, media_type: String, stored: Stored) -> FileRef {
    let payload = ArtifactPayload {
        artifact_id: cx.next_artifact_id(),
        name: name.clone(),
        media_type: media_type.clone(),
        size: stored.size,
        sha256: stored.sha256.clone(),
        location: stored.location.clone(),
    };
    let message = format!("{name} ({} bytes)", stored.size);
    cx.fact(
        Level::Info,
        Some(message.into()),
        EventKind::NodeArtifact(Box::new(payload)),
    );
    FileRef::new(
        name,
        media_type,
        stored.size,
        stored.sha256,
        stored.location,
    )
}

/// A name is a file name: no folders, nothing that a terminal or a file system would interpret.
fn check_name(name: &str) -> Result<(), ComponentError> {
    let bad = name.is_empty()
        || name.len() > 255
        || name == "."
        || name == ".."
        || name
            .chars()
            .any(|c| c.is_control() || matches!(c, '/' | '\\'));
    if bad {
        let shown: String = name.chars().take(80).collect();
        return Err(ComponentError::validation(format!(
            "artifact name {shown:?}: expected a file name of 1 to 255 bytes without '/', '\\' or control characters"
        ))
        .with_field("name", "not a file name"));
    }
    Ok(())
}

fn storage(error: StorageError) -> ComponentError {
    ComponentError::resource_unavailable(error.to_string()).with_source(error)
}
