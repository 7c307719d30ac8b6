//! Where runs and artifacts are kept: the workspace folder `.shipsec/`, or what an URL names.
//!
//! Artifacts belong to a store: unless somebody says otherwise, each store has its own place for them,
//! so that nobody who removes what no run of a store refers to looks at those of another.

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
/// Its store.
const STORE: &str = "shipsec.db";
/// Its artifacts.
const ARTIFACTS: &str = "artifacts";

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
pub(crate) fn make_folder() -> Result<(), Failure> {
    folder_for_itself().map_err(|error| {
        Failure::unusable(format!(
            "workspace folder {FOLDER}: {error}; run in a folder that you can write to"
        ))
    })
}

fn folder_for_itself() -> io::Result<()> {
    let mut make = fs::DirBuilder::new();
    // What runs are given, and give, is nobody else's.
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut make, 0o700);
    make.recursive(true).create(FOLDER)?;
    let ignore = Path::new(FOLDER).join(".gitignore");
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(ignore);
    match file {
        Ok(mut file) => io::Write::write_all(&mut file, b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The trace store that the arguments name.
fn store_named(place: &Place) -> Result<Named, Failure> {
    match &place.store {
        Some(url) => named(url, "sqlite", "--store"),
        None => Ok(Named::File(Path::new(FOLDER).join(STORE))),
    }
}

/// The artifact storage that the arguments name: without a name, that of the store.
fn artifacts_named(place: &Place) -> Result<Named, Failure> {
    if let Some(url) = &place.artifacts {
        return named(url, "file", "--artifacts");
    }
    Ok(Named::File(match store_named(place)? {
        Named::File(store) if place.store.is_some() => artifacts_of(&store),
        // What a run in memory stored stays to be looked at, until somebody prunes here.
        Named::File(_) | Named::Memory => Path::new(FOLDER).join(ARTIFACTS),
    }))
}

/// Where the artifacts of a store are: the folder `<store>.artifacts` beside it, and those of a
/// workspace's store in its workspace, whichever way its path is written.
fn artifacts_of(store: &Path) -> PathBuf {
    // A link to a store names that store.
    let store = match fs::symlink_metadata(store) {
        Ok(found) if found.is_symlink() => fs::canonicalize(store).ok(),
        _ => None,
    }
    .unwrap_or_else(|| store.to_owned());
    let whole = std::path::absolute(&store);
    if whole.is_ok_and(|whole| whole.ends_with(Path::new(FOLDER).join(STORE))) {
        return store.with_file_name(ARTIFACTS);
    }
    let mut folder = store.into_os_string();
    folder.push(".artifacts");
    folder.into()
}

/// Opens the trace store that the arguments name.
pub(crate) fn store(place: &Place, access: Access) -> Result<Arc<dyn TraceStore>, Failure> {
    match (store_named(place)?, access) {
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
        match (artifacts_named(place)?, access) {
            (Named::Memory, Access::Write) => Ok(Self::nothing()),
            (Named::Memory, Access::Read) => Err(Failure::unusable(
                "--artifacts memory: is gone once its process has ended; name the folder",
            )),
            (Named::File(path), access) => {
                if access == Access::Write && path.starts_with(FOLDER) {
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

    /// Opens what is there of the artifact storage that the arguments name, for reading: whoever
    /// stored nothing has no folder for it.
    pub(crate) fn there(place: &Place) -> Result<Self, Failure> {
        match artifacts_named(place)? {
            Named::File(path) if !path.exists() => Ok(Self::nothing()),
            _ => Self::open(place, Access::Read),
        }
    }

    /// Storage with nothing in it.
    pub(crate) fn nothing() -> Self {
        Self {
            store: ArtifactStore::memory(),
            folder: None,
        }
    }

    /// Those of an archive: one object of it, in memory.
    pub(crate) async fn of_archive(archive: &Archive, location: &str) -> Result<Self, Failure> {
        let here = Self::nothing();
        let bytes = archive.artifact(location).map_err(Failure::failed)?;
        let bytes = bytes.ok_or_else(|| {
            Failure::failed(
                "the artifact did not come along into the archive: export it with --artifacts all",
            )
        })?;
        let stored = here.store.put(bytes.into()).await;
        stored.map_err(Failure::failed)?;
        Ok(here)
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
        folder_for_itself()?;
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

    #[test]
    fn each_store_has_artifacts_of_its_own() {
        let of = |store: Option<&str>, artifacts: Option<&str>| {
            let place = Place {
                store: store.map(str::to_owned),
                artifacts: artifacts.map(str::to_owned),
            };
            match artifacts_named(&place) {
                Ok(Named::File(path)) => path.to_string_lossy().into_owned(),
                Ok(Named::Memory) => "memory".to_owned(),
                Err(failure) => panic!("{failure:?}"),
            }
        };
        for (store, place) in [
            (None, ".shipsec/artifacts"),
            (Some("memory:"), ".shipsec/artifacts"),
            (Some("a.db"), "a.db.artifacts"),
            (Some("sqlite:a/b.db"), "a/b.db.artifacts"),
            (Some("sqlite:///tmp/a%20b.db"), "/tmp/a b.db.artifacts"),
            // A workspace's, named by its path.
            (Some(".shipsec/shipsec.db"), ".shipsec/artifacts"),
            (Some("./.shipsec/./shipsec.db"), "./.shipsec/artifacts"),
            (
                Some("sqlite:../a/.shipsec/shipsec.db"),
                "../a/.shipsec/artifacts",
            ),
            (Some("shipsec.db"), "shipsec.db.artifacts"),
        ] {
            assert_eq!(of(store, None), place, "{store:?}");
            assert_eq!(of(store, Some("file:kept")), "kept");
            assert_eq!(of(store, Some("memory:")), "memory");
        }
    }
}
