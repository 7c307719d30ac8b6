//! `core.artifact.write`.

use std::io::Write;

use bytes::Bytes;
use futures::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use shipsec_core::{ComponentError, Context, FileRef, Params, Ports, Shared, Value, component};
use tokio::sync::mpsc;

/// The size of the pieces that JSON is handed on in, in bytes.
const PIECE: usize = 64 * 1024;

/// What `core.artifact.write` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactInput {
    /// Content. Text is kept as it is, anything else as JSON.
    pub content: Value,
}

/// How `core.artifact.write` names what it keeps.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct ArtifactParams {
    /// Name. A file name such as `report.md`, without folders.
    #[param(editor = "text")]
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// Media type. Empty for `text/plain` or `application/json`, as the content is.
    #[serde(default)]
    pub media_type: String,
}

impl ArtifactParams {
    /// An artifact of this name, its media type as the content is.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            media_type: String::new(),
        }
    }
}

/// What `core.artifact.write` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactOutput {
    /// Artifact. A reference to what was kept.
    pub artifact: FileRef,
}

/// Keep an artifact. Keeps a value with the run, as a file that people can take away.
#[component(id = "core.artifact.write", version = "1.0.0", category = "artifact")]
pub async fn artifact_write(
    input: ArtifactInput,
    params: &ArtifactParams,
    cx: &Context,
) -> Result<ArtifactOutput, ComponentError> {
    let media_type = |default: &'static str| match params.media_type.as_str() {
        "" => default,
        given => given,
    };
    let content = input.content;
    let text = match content.shared::<String>() {
        Some(text) => Some(Bytes::from_owner(Text(text))),
        None => match content.get::<Json>() {
            Some(Json::String(text)) => Some(Bytes::copy_from_slice(text.as_bytes())),
            _ => None,
        },
    };
    let artifact = match text {
        Some(text) => {
            let kind = media_type("text/plain; charset=utf-8");
            cx.emit_artifact(&params.name, kind, text).await?
        }
        None => {
            let kind = media_type("application/json");
            keep_json(content, &params.name, kind, cx).await?
        }
    };
    Ok(ArtifactOutput { artifact })
}

/// Text that bytes share with a value.
struct Text(Shared<String>);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Writes JSON on a thread of its own, in pieces: it is never whole in memory.
async fn keep_json(
    content: Value,
    name: &str,
    media_type: &str,
    cx: &Context,
) -> Result<FileRef, ComponentError> {
    let (send, receive) = mpsc::channel(4);
    let writing = tokio::task::spawn_blocking(move || {
        let pieces = Pieces(send.clone());
        let mut out = std::io::BufWriter::with_capacity(PIECE, pieces);
        let written = content.write_json(&mut out).map_err(std::io::Error::from);
        if let Err(error) = written.and_then(|()| out.flush()) {
            // Nobody listens any more where the artifact has failed.
            let _ = send.blocking_send(Err(error));
        }
    });
    let pieces = stream::unfold(receive, |mut receive| async move {
        Some((receive.recv().await?, receive))
    });
    let stored = cx.emit_artifact_stream(name, media_type, pieces).await;
    writing
        .await
        .map_err(|error| ComponentError::internal(format!("artifact {name}: {error}")))?;
    stored
}

struct Pieces(mpsc::Sender<std::io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .blocking_send(Ok(Bytes::copy_from_slice(bytes)))
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
