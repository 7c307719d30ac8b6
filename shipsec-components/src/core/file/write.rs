//! `core.file.write`.

use std::{
    fs::{File, Permissions},
    io::{BufWriter, Write},
    path::Path,
};

use futures::StreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use shipsec_core::{ComponentError, Context, FileRef, Params, Ports, Value, component};
use tempfile::NamedTempFile;

use crate::support::{Root, check_cancelled, file_error};

/// What `core.file.write` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct WriteInput {
    /// Path. Relative to the root where there is one, else to the folder of the process.
    pub path: String,
    /// Content. Text is written as it is, anything else as JSON; give this or an artifact.
    pub content: Option<Value>,
    /// Artifact. Its bytes are written; give this or a content.
    pub artifact: Option<FileRef>,
}

/// What happens to a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum IfExists {
    /// It is replaced, at once and as a whole.
    #[default]
    Replace,
    /// It stays, and the node fails.
    Fail,
}

/// How `core.file.write` writes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct WriteParams {
    /// Root. A folder that no path leads out of, by `..` or by links; empty for no limit.
    #[serde(default)]
    pub root: String,
    /// Create folders. Those that are missing on the way to the file are made.
    #[serde(default = "yes")]
    pub create_folders: bool,
    /// If the file exists. Replace it, or fail.
    #[serde(default)]
    #[param(editor = "select")]
    pub if_exists: IfExists,
    /// Indent JSON. For people to read.
    #[serde(default = "yes")]
    pub pretty: bool,
}

fn yes() -> bool {
    true
}

impl Default for WriteParams {
    fn default() -> Self {
        Self {
            root: String::new(),
            create_folders: true,
            if_exists: IfExists::Replace,
            pretty: true,
        }
    }
}

/// What `core.file.write` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct WriteOutput {
    /// Path. The real path of the file.
    pub path: String,
    /// Size. Bytes that were written.
    pub size: u64,
    /// SHA-256. Of the bytes, in lower-case hexadecimal.
    pub sha256: String,
}

/// Write a file. Writes a value or an artifact into a file of this machine. The file is there as a
/// whole or not at all.
#[component(
    id = "core.file.write",
    version = "1.0.0",
    category = "file",
    execution = blocking
)]
pub async fn file_write(
    input: WriteInput,
    params: &WriteParams,
    cx: &Context,
) -> Result<WriteOutput, ComponentError> {
    let path = Root::open(&params.root)?.to_write(&input.path, params.create_folders)?;
    if path.is_dir() {
        return Err(
            ComponentError::validation(format!("cannot write {path:?}: it is a folder"))
                .with_field("path", "expected the name of a file"),
        );
    }
    if params.if_exists == IfExists::Fail && path.symlink_metadata().is_ok() {
        return Err(exists(&path));
    }
    let mut file = Writing::begin(&path)?;
    match (&input.content, &input.artifact) {
        (Some(content), None) => file.value(content, params.pretty)?,
        (None, Some(source)) => {
            let mut bytes = std::pin::pin!(cx.open_file(source).await?);
            while let Some(piece) = bytes.next().await {
                check_cancelled(cx)?;
                file.bytes(&piece?)?;
            }
        }
        _ => {
            let message = "give one of content and artifact";
            return Err(ComponentError::validation(message).with_field("content", message));
        }
    }
    check_cancelled(cx)?;
    let (size, sha256) = file.finish(params.if_exists)?;
    cx.info(format!("wrote {size} bytes to {path:?}"));
    Ok(WriteOutput {
        path: path.display().to_string(),
        size,
        sha256,
    })
}

fn exists(path: &Path) -> ComponentError {
    ComponentError::validation(format!("cannot write {path:?}: it is there already"))
        .with_field("path", "is there already, and ifExists is fail")
}

/// A file on its way, beside the place where it will be. Dropped before its end it is removed.
struct Writing<'a> {
    path: &'a Path,
    file: BufWriter<Hashing>,
}

struct Hashing {
    file: NamedTempFile,
    size: u64,
    hash: Sha256,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl<'a> Writing<'a> {
    fn begin(path: &'a Path) -> Result<Self, ComponentError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".shipsec-");
        #[cfg(unix)]
        let open_to_all = {
            // What the process's umask leaves of it.
            std::os::unix::fs::PermissionsExt::from_mode(0o666)
        };
        #[cfg(unix)]
        builder.permissions(open_to_all);
        let file = builder
            .tempfile_in(folder)
            .map_err(|error| file_error("write", path, error))?;
        let hashing = Hashing {
            file,
            size: 0,
            hash: Sha256::new(),
        };
        Ok(Self {
            path,
            file: BufWriter::with_capacity(64 * 1024, hashing),
        })
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), ComponentError> {
        self.file
            .write_all(bytes)
            .map_err(|error| file_error("write", self.path, error))
    }

    fn value(&mut self, value: &Value, pretty: bool) -> Result<(), ComponentError> {
        if let Some(text) = value.get::<String>() {
            return self.bytes(text.as_bytes());
        }
        let written = match value.json() {
            Ok(Json::String(text)) => return self.bytes(text.as_bytes()),
            Ok(json) if pretty => serde_json::to_writer_pretty(&mut self.file, json),
            _ => value.write_json(&mut self.file),
        };
        match written {
            Ok(()) => self.bytes(b"\n"),
            Err(error) if error.is_io() => Err(file_error("write", self.path, error.into())),
            Err(error) => {
                let message = format!("the value has no JSON: {error}");
                Err(ComponentError::validation(format!("content: {message}"))
                    .with_field("content", message))
            }
        }
    }

    fn finish(self, if_exists: IfExists) -> Result<(u64, String), ComponentError> {
        let path = self.path;
        let failed = |error| file_error("write", path, error);
        let hashing = self
            .file
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        let Hashing { file, size, hash } = hashing;
        file.as_file().sync_all().map_err(failed)?;
        if let Some(permissions) = permissions(path) {
            file.as_file()
                .set_permissions(permissions)
                .map_err(failed)?;
        }
        let kept: Result<File, _> = match if_exists {
            IfExists::Replace => file.persist(path),
            IfExists::Fail => file.persist_noclobber(path),
        };
        kept.map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => exists(path),
            _ => failed(error.error),
        })?;
        Ok((size, hex::encode(hash.finalize())))
    }
}

/// Those of the file that is replaced.
fn permissions(path: &Path) -> Option<Permissions> {
    let found = path.symlink_metadata().ok()?;
    found.is_file().then(|| found.permissions())
}
