//! Where runs and artifacts are kept: the workspace folder `.shipsec/`, or what an URL names.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use shipsec_archive::Archive;
use shipsec_core::{
    run::ArtifactView,
    storage::ArtifactStore,
    trace::{MemoryStore, TraceStore},
};
use shipsec_sqlite::{Options, SqliteStore};
use url::Url;

use crate::{args::Place, failure::Failure};

/// The workspace folder, in the working directory.
pub(crate) const FOLDER: &str = ".shipsec";

/// What a command does with a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Looks at what is there.
    Read,
    /// Makes what is missing.
    Write,
}

/// Where artifacts are kept, and the folder behind it where there is one.
#[derive(Debug, Clone)]
pub(crate) struct Artifacts {
    pub(crate) store: ArtifactStore,
    folder: Option<PathBuf>,
}

/// A place as an URL names it.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Memory,
    File(PathBuf),
}

/// Reads `memory:`, `SCHEME:PATH`, `SCHEME:///PATH`, or a plain path.
fn named(url: &str, scheme: &str, option: &str) -> Result<Named, Failure> {
    let other = |found: &str| {
        Failure::unusable(format!(
            "{option} {url:?}: {found}; expected {scheme}:PATH or memory:"
        ))
    };
    if url == "memory:" || url == "memory" {
        return Ok(Named::Memory);
    }
    let path = match url.split_once(':') {
        Some((found, rest)) if found == scheme => match rest.strip_prefix("//") {
            Some(_) => Url::parse(&format!("file:{rest}"))
                .ok()
                .and_then(|url| url.to_file_path().ok())
                .ok_or_else(|| other("not an URL of a local file"))?,
            None => PathBuf::from(rest),
        },
        // A single letter is a drive.
        Some((found, _)) if found.len() > 1 && !found.contains(['/', '\\', '.']) => {
            return Err(other(&format!("scheme {found:?} is not known")));
        }
        _ => PathBuf::from(url),
    };
    if path.as_os_str().is_empty() {
        return Err(other("the path is missing"));
    }
    Ok(Named::File(path))
}

/// Makes the workspace folder, which keeps itself out of version control.
pub(crate) fn make_folder() -> Result<PathBuf, Failure> {
    let folder = PathBuf::from(FOLDER);
    let failed = |error: io::Error| {
        Failure::unusable(format!(
            "workspace folder {FOLDER}: {error}; run in a folder that you can write to"
        ))
    };
    fs::create_dir_all(&folder).map_err(failed)?;
    let ignore = folder.join(".gitignore");
    match fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&ignore)
    {
        Ok(mut file) => io::Write::write_all(&mut file, b"*\n").map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    Ok(folder)
}

/// Opens the trace store that the arguments name.
pub(crate) fn store(place: &Place, access: Access) -> Result<Arc<dyn TraceStore>, Failure> {
    let named = match &place.store {
        Some(url) => named(url, "sqlite", "--store")?,
        None => Named::File(Path::new(FOLDER).join("shipsec.db")),
    };
    match (named, access) {
        (Named::Memory, Access::Write) => Ok(Arc::new(MemoryStore::new())),
        (Named::Memory, Access::Read) => Err(Failure::unusable(
            "--store memory: is gone once its process has ended; name the file that holds the run",
        )),
        (Named::File(path), Access::Write) => {
            if place.store.is_none() {
                make_folder()?;
            }
            let store = SqliteStore::open(path).map_err(Failure::unusable)?;
            Ok(Arc::new(store))
        }
        (Named::File(path), Access::Read) => {
            if !path.exists() {
                return Err(Failure::unusable(format!(
                    "no runs are kept here: {} does not exist; run a workflow first, or name the \
                     store with --store",
                    path.display()
                )));
            }
            let options = Options::default().read_only();
            let store = SqliteStore::open_with(path, options).map_err(Failure::unusable)?;
            Ok(Arc::new(store))
        }
    }
}

impl Artifacts {
    /// Opens the artifact storage that the arguments name.
    pub(crate) fn open(place: &Place, access: Access) -> Result<Self, Failure> {
        let named = match &place.artifacts {
            Some(url) => named(url, "file", "--artifacts")?,
            None => Named::File(Path::new(FOLDER).join("artifacts")),
        };
        match (named, access) {
            (Named::Memory, Access::Write) => Ok(Self {
                store: ArtifactStore::memory(),
                folder: None,
            }),
            (Named::Memory, Access::Read) => Err(Failure::unusable(
                "--artifacts memory: is gone once its process has ended; name the folder",
            )),
            (Named::File(path), access) => {
                if access == Access::Write && place.artifacts.is_none() {
                    make_folder()?;
                }
                if access == Access::Read && !path.is_dir() {
                    return Err(Failure::unusable(format!(
                        "no artifacts are kept here: folder {} does not exist; name it with \
                         --artifacts",
                        path.display()
                    )));
                }
                let store = ArtifactStore::folder(&path).map_err(Failure::unusable)?;
                let folder = fs::canonicalize(path).ok();
                Ok(Self { store, folder })
            }
        }
    }

    /// Those of an archive: one object of it, in memory.
    pub(crate) async fn of_archive(archive: &Archive, location: &str) -> Result<Self, Failure> {
        let store = ArtifactStore::memory();
        let bytes = archive.artifact(location).map_err(Failure::failed)?;
        let bytes = bytes.ok_or_else(|| {
            Failure::failed(
                "the artifact did not come along into the archive: export it with --artifacts all",
            )
        })?;
        store.put(bytes.into()).await.map_err(Failure::failed)?;
        Ok(Self {
            store,
            folder: None,
        })
    }

    /// Removes the paths by name of a run.
    pub(crate) fn forget(&self, run: &str) -> io::Result<()> {
        if self.folder.is_none() {
            return Ok(());
        }
        match fs::remove_dir_all(Path::new(FOLDER).join("runs").join(run)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Gives an artifact a path with its name, `.shipsec/runs/RUN/NAME`, that leads to its bytes.
    /// `None` where its bytes are in no folder.
    pub(crate) fn path_by_name(
        &self,
        run: &str,
        artifact: &ArtifactView,
    ) -> io::Result<Option<PathBuf>> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let bytes = folder.join(&artifact.artifact.location);
        let shelf = Path::new(FOLDER).join("runs").join(run);
        fs::create_dir_all(&shelf)?;
        let name = Path::new(&artifact.artifact.name);
        let (Some(stem), true) = (name.file_stem(), name.components().count() == 1) else {
            return Ok(None);
        };
        for copy in 1..=1000 {
            let mut called = stem.to_owned();
            if copy > 1 {
                called.push(format!(" ({copy})"));
            }
            if let Some(ending) = name.extension() {
                called.push(".");
                called.push(ending);
            }
            let path = shelf.join(called);
            match lead(&bytes, &path) {
                Ok(()) => return Ok(Some(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if fs::canonicalize(&path).ok() == fs::canonicalize(&bytes).ok() {
                        return Ok(Some(path));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

#[cfg(unix)]
fn lead(bytes: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(bytes, path)
}

/// Links need a privilege there.
#[cfg(not(unix))]
fn lead(bytes: &Path, path: &Path) -> io::Result<()> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::copy(bytes, path).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(url: &str) -> Result<Named, String> {
        named(url, "sqlite", "--store").map_err(|failure| match failure {
            Failure::Unusable(message) => message,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn urls_and_paths_name_places() {
        assert_eq!(sqlite("memory:"), Ok(Named::Memory));
        for (url, path) in [
            ("sqlite:a/b.db", "a/b.db"),
            ("sqlite:///tmp/a%20b.db", "/tmp/a b.db"),
            ("a.db", "a.db"),
            ("./a:b.db", "./a:b.db"),
        ] {
            assert_eq!(sqlite(url), Ok(Named::File(path.into())), "{url}");
        }
        for url in ["postgres://h/d", "sqlite:", "sqlite://host/x"] {
            let message = sqlite(url).unwrap_err();
            assert!(
                message.contains("expected sqlite:PATH or memory:"),
                "{message}"
            );
        }
    }
}
