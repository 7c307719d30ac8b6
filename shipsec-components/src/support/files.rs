//! Files by the names that a workflow gives, inside a folder where one is set.

use std::{
    io::{Error, ErrorKind as Io},
    path::{Component, Path, PathBuf},
};

use shipsec_core::{ComponentError, ErrorKind};

/// The error of a file operation: what was tried, with which file, and why it failed.
pub(crate) fn file_error(what: &str, path: &Path, error: Error) -> ComponentError {
    let kind = match error.kind() {
        Io::IsADirectory
        | Io::NotADirectory
        | Io::AlreadyExists
        | Io::InvalidFilename
        | Io::FileTooLarge => ErrorKind::Validation,
        Io::WriteZero => ErrorKind::ResourceUnavailable,
        _ if too_many_links(&error) => ErrorKind::Validation,
        _ => return named(what, path, error),
    };
    ComponentError::new(kind, message(what, path, &error)).with_source(error)
}

fn named(what: &str, path: &Path, error: Error) -> ComponentError {
    let text = message(what, path, &error);
    let kind = ComponentError::from(error).kind();
    ComponentError::new(kind, text)
}

fn message(what: &str, path: &Path, error: &Error) -> String {
    format!("cannot {what} {path:?}: {error}")
}

/// `ELOOP` has no stable name in the standard library.
fn too_many_links(error: &Error) -> bool {
    cfg!(target_os = "linux") && error.raw_os_error() == Some(40)
}

/// The folder that a component's files lie in, or none: then every path of the process is good.
///
/// It keeps a workflow to its folder; it is no jail against another process that exchanges folders
/// for links at the same time.
#[derive(Debug)]
pub(crate) struct Root(Option<(PathBuf, PathBuf)>);

impl Root {
    /// Opens the folder that the parameter `root` names; empty for none.
    pub(crate) fn open(root: &str) -> Result<Self, ComponentError> {
        if root.is_empty() {
            return Ok(Self(None));
        }
        let given = PathBuf::from(root);
        let real = given
            .canonicalize()
            .map_err(|error| file_error("open the root folder", &given, error))?;
        if !real.is_dir() {
            return Err(
                ComponentError::validation(format!("the root {given:?} is not a folder"))
                    .with_field("root", "expected a folder"),
            );
        }
        Ok(Self(Some((given, real))))
    }

    /// A file or folder that exists, as its real path.
    pub(crate) fn existing(&self, path: &str) -> Result<PathBuf, ComponentError> {
        let joined = self.join(path)?;
        let real = joined
            .canonicalize()
            .map_err(|error| file_error("open", &joined, error))?;
        self.check(path, &real)?;
        Ok(real)
    }

    /// A file that is to be written: its folder is inside, made where it is missing and `create`
    /// says so.
    pub(crate) fn to_write(&self, path: &str, create: bool) -> Result<PathBuf, ComponentError> {
        let joined = self.join(path)?;
        if self.0.is_some() && joined.components().any(|part| part == Component::ParentDir) {
            return Err(self.outside(path));
        }
        let Some(name) = joined.file_name().filter(|_| !path.ends_with(['/', '\\'])) else {
            return Err(
                ComponentError::validation(format!("path {path:?} does not name a file"))
                    .with_field("path", "expected the name of a file"),
            );
        };
        let folder = match joined.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // What exists of the way there is looked at before anything is made.
        let existing = folder
            .ancestors()
            .find_map(|ancestor| ancestor.canonicalize().ok());
        if let Some(existing) = existing {
            self.check(path, &existing)?;
        }
        if create {
            std::fs::create_dir_all(folder)
                .map_err(|error| file_error("make the folder", folder, error))?;
        }
        let folder = folder
            .canonicalize()
            .map_err(|error| file_error("write into the folder", folder, error))?;
        self.check(path, &folder)?;
        Ok(folder.join(name))
    }

    fn join(&self, path: &str) -> Result<PathBuf, ComponentError> {
        if path.is_empty() || path.contains('\0') {
            return Err(
                ComponentError::validation(format!("path {path:?} does not name a file"))
                    .with_field("path", "expected the name of a file"),
            );
        }
        Ok(match &self.0 {
            Some((given, _)) => given.join(path),
            None => PathBuf::from(path),
        })
    }

    fn check(&self, path: &str, real: &Path) -> Result<(), ComponentError> {
        match &self.0 {
            Some((_, root)) if !real.starts_with(root) => Err(self.outside(path)),
            _ => Ok(()),
        }
    }

    fn outside(&self, path: &str) -> ComponentError {
        let root = self.0.as_ref().map(|(given, _)| given.as_path());
        let root = root.unwrap_or(Path::new("/"));
        ComponentError::permission(format!("path {path:?} leads out of the root {root:?}"))
            .with_field("path", "expected a path inside the root")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::write(dir.path().join("outside.txt"), "x").unwrap();
        std::fs::write(root.join("a/in.txt"), "x").unwrap();
        let open = Root::open(root.to_str().unwrap()).unwrap();
        let absolute = dir.path().join("outside.txt");
        for out in [
            "../outside.txt",
            "a/../../outside.txt",
            absolute.to_str().unwrap(),
        ] {
            let error = open.existing(out).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Permission, "{out}: {error}");
            let error = open.to_write(out, true).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Permission, "{out}: {error}");
        }
        assert!(open.existing("a/../a/in.txt").is_ok());
        assert_eq!(
            open.existing("a/none").unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert!(
            open.to_write("b/c/new.txt", true)
                .unwrap()
                .ends_with("root/b/c/new.txt")
        );
        let error = open.to_write("d/new.txt", false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_does_not_lead_out_of_the_root_either() {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
        std::fs::create_dir_all(&root).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
        let open = Root::open(root.to_str().unwrap()).unwrap();
        let error = open.to_write("link/deep/new.txt", true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission);
        assert!(!outside.join("deep").exists(), "nothing is made outside");
    }

    #[test]
    fn a_folder_or_nothing_is_not_a_file() {
        let open = Root::open("").unwrap();
        for bad in ["", "a\0b", "somewhere/", ".."] {
            let error = open.to_write(bad, false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Validation, "{bad:?}: {error}");
        }
    }
}
