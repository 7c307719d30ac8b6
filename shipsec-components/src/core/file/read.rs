//! `core.file.read`.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use shipsec_core::{
    ComponentError, Context, FileRef, Params, Ports, Shared, Value, component, context::Progress,
};

use crate::support::{Root, cancelled, file_error};

/// The size of the pieces that a file is read in, in bytes.
const PIECE: usize = 256 * 1024;

/// What `core.file.read` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct ReadInput {
    /// Path. Relative to the root where there is one, else to the folder of the process.
    pub path: String,
}

/// What `core.file.read` makes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ReadAs {
    /// UTF-8 text, at the output `text`.
    #[default]
    Text,
    /// JSON, at the output `json`.
    Json,
    /// An artifact of any content, streamed, at the output `artifact`.
    Artifact,
}

/// How `core.file.read` reads.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct ReadParams {
    /// Read as. Text, JSON, or an artifact for what is large or not text.
    #[serde(default)]
    #[param(editor = "select")]
    pub read_as: ReadAs,
    /// Root. A folder that no path leads out of, by `..` or by links; empty for no limit.
    #[serde(default)]
    pub root: String,
    /// Largest text. Bytes of a file that is read as text or JSON.
    #[serde(default = "ten_mebibytes")]
    #[schemars(range(min = 1, max = 1_073_741_824))]
    #[param(editor = "number")]
    pub max_bytes: u64,
    /// Media type. Of the artifact.
    #[serde(default = "any_bytes")]
    pub media_type: String,
}

fn ten_mebibytes() -> u64 {
    10 * 1024 * 1024
}

fn any_bytes() -> String {
    "application/octet-stream".to_owned()
}

impl Default for ReadParams {
    fn default() -> Self {
        Self {
            read_as: ReadAs::Text,
            root: String::new(),
            max_bytes: ten_mebibytes(),
            media_type: any_bytes(),
        }
    }
}

/// What `core.file.read` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct ReadOutput {
    /// Text. The content, where it is read as text.
    pub text: Option<Shared<String>>,
    /// JSON. The content, where it is read as JSON.
    pub json: Option<Value>,
    /// Artifact. The content, where it is read as one.
    pub artifact: Option<FileRef>,
    /// Path. The real path of the file, links resolved.
    pub path: String,
    /// Size. Bytes.
    pub size: u64,
}

/// Read a file. Gives a file of this machine as text, as JSON, or as an artifact.
#[component(
    id = "core.file.read",
    version = "1.0.0",
    category = "file",
    execution = blocking,
    volatile
)]
pub async fn file_read(
    input: ReadInput,
    params: &ReadParams,
    cx: &Context,
) -> Result<ReadOutput, ComponentError> {
    let path = Root::open(&params.root)?.existing(&input.path)?;
    let (mut file, size) = open(&path)?;
    let mut output = ReadOutput {
        text: None,
        json: None,
        artifact: None,
        path: path.display().to_string(),
        size,
    };
    match params.read_as {
        ReadAs::Text => {
            let text = text(&mut file, &path, params.max_bytes)?;
            output.size = text.len() as u64;
            output.text = Some(text.into());
        }
        ReadAs::Json => {
            let text = text(&mut file, &path, params.max_bytes)?;
            output.size = text.len() as u64;
            output.json = Some(json(&text, &path)?.into());
        }
        ReadAs::Artifact => {
            let stored = artifact(&mut file, &path, size, params, cx).await?;
            output.size = stored.size;
            output.artifact = Some(stored);
        }
    }
    cx.info(format!("read {} bytes of {path:?}", output.size));
    Ok(output)
}

/// Opens a plain file. Opening a pipe would wait for whoever writes into it.
fn open(path: &PathBuf) -> Result<(File, u64), ComponentError> {
    let found = std::fs::metadata(path).map_err(|error| file_error("read", path, error))?;
    if !found.is_file() {
        let what = if found.is_dir() {
            "a folder"
        } else {
            "not a plain file"
        };
        return Err(
            ComponentError::validation(format!("cannot read {path:?}: it is {what}"))
                .with_field("path", "expected a file"),
        );
    }
    let file = File::open(path).map_err(|error| file_error("read", path, error))?;
    Ok((file, found.len()))
}

fn text(file: &mut File, path: &Path, limit: u64) -> Result<String, ComponentError> {
    let mut bytes = Vec::new();
    // The size is counted while reading: a file may grow.
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| file_error("read", path, error))?;
    if bytes.len() as u64 > limit {
        return Err(ComponentError::validation(format!(
            "cannot read {path:?}: it is larger than {limit} bytes: raise maxBytes, or read it as \
             an artifact"
        ))
        .with_field("maxBytes", "too low for this file"));
    }
    String::from_utf8(bytes).map_err(|error| {
        ComponentError::validation(format!(
            "cannot read {path:?} as text: it is not UTF-8 from byte {} on: read it as an artifact",
            error.utf8_error().valid_up_to()
        ))
        .with_field("readAs", "the file is not text")
    })
}

fn json(text: &str, path: &Path) -> Result<Json, ComponentError> {
    // Editors on Windows like to begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|error| {
        ComponentError::validation(format!("cannot read {path:?} as JSON: {error}"))
            .with_field("readAs", "the file is not JSON")
    })
}

async fn artifact(
    file: &mut File,
    path: &Path,
    size: u64,
    params: &ReadParams,
    cx: &Context,
) -> Result<FileRef, ComponentError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut artifact = cx.artifact(&name, &params.media_type)?;
    let mut piece = vec![0; PIECE];
    let mut done = 0;
    loop {
        if cx.is_cancelled() {
            artifact.abort().await;
            return Err(cancelled());
        }
        let read = match file.read(&mut piece) {
            Ok(0) => return artifact.finish().await,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => {
                artifact.abort().await;
                return Err(file_error("read", path, error));
            }
        };
        artifact.write(&piece[..read]).await?;
        done += read as u64;
        cx.progress(Progress::counted(done, size.max(done)).unit("bytes"));
    }
}
