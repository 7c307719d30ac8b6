//! The text files of a source tree, as a list.
//!
//! [`walk`] honours `.gitignore`, never leaves the root, and turns
//! whatever it cannot read into warnings.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use ignore::{DirEntry, WalkBuilder, WalkState};

use crate::contract::SourceFile;

/// How many leading bytes decide whether a file is text.
const SNIFF_BYTES: usize = 1024;
/// At most this many warnings are kept; the rest are counted.
const MAX_WARNINGS: usize = 100;

/// What a walk takes in and leaves out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WalkOptions {
    /// Files beyond this size, in bytes, are counted and left out.
    pub max_file_bytes: u64,
    /// The walk stops after this many files and says so.
    pub max_files: u64,
    /// Only files that match one of these globs; empty takes all.
    pub include: Vec<String>,
    /// No file and no folder that matches one of these globs.
    pub exclude: Vec<String>,
    /// Leave out what `.gitignore`, `.ignore` and git's own exclude files name.
    pub honour_ignore_files: bool,
}

impl Default for WalkOptions {
    fn default() -> Self {
        Self {
            max_file_bytes: 10 * 1024 * 1024,
            max_files: 500_000,
            include: Vec::new(),
            exclude: Vec::new(),
            honour_ignore_files: true,
        }
    }
}

/// What a walk found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WalkReport {
    /// The root, absolute and without symbolic links.
    pub root: PathBuf,
    /// The text files, ordered by path.
    pub files: Vec<SourceFile>,
    /// Bytes in `files`.
    pub total_bytes: u64,
    /// Files left out because they are binary.
    pub binary: u64,
    /// Files left out because they are too large.
    pub too_large: u64,
    /// Whether `max_files` ended the walk early.
    pub truncated: bool,
    /// What could not be read, at most 100 lines and then a count.
    pub warnings: Vec<String>,
}

/// Why a walk could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// There is no such folder.
    #[error("source folder {path:?} does not exist; give the path of an existing folder")]
    NotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// The root is a file.
    #[error("{path:?} is not a folder; give the folder that holds the source tree")]
    NotAFolder {
        /// The path as given.
        path: PathBuf,
    },
    /// The root cannot be read.
    #[error("source folder {path:?} cannot be read: {source}")]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A glob does not parse.
    #[error("glob {glob:?} is not valid: {reason}")]
    Glob {
        /// The glob as given.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Lists the text files under `root`.
///
/// Hidden files belong to the list, `.git` does not. Symbolic links are not followed, so
/// nothing outside the root is ever listed. What cannot be read, and names that are not
/// UTF-8, become [`WalkReport::warnings`]. `stop` is asked often; once it says `true` the
/// walk ends early.
///
/// # Errors
/// When the root is missing, is no folder or cannot be read, and when a glob is not valid.
///
/// # Examples
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use shipsec_components::source::{WalkOptions, walk};
/// let here = walk(std::path::Path::new("."), &WalkOptions::default(), &|| false)?;
/// assert!(here.files.iter().any(|file| file.path == "Cargo.toml"));
/// # Ok(())
/// # }
/// ```
pub fn walk(
    root: &Path,
    options: &WalkOptions,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<WalkReport, WalkError> {
    let include = globs(&options.include)?;
    let exclude = globs(&options.exclude)?;
    let root = check_root(root)?;

    let mut builder = WalkBuilder::new(&root);
    builder
        .standard_filters(false)
        .hidden(false)
        .follow_links(false)
        .require_git(false)
        .threads(std::thread::available_parallelism().map_or(2, |n| n.get().min(8)));
    if options.honour_ignore_files {
        builder.git_ignore(true).git_exclude(true).ignore(true);
        // A folder above that belongs to no repository has no say.
        builder.parents(root.ancestors().any(|above| above.join(".git").exists()));
    }
    let base = root.clone();
    builder.filter_entry(move |entry| {
        if entry.depth() == 0 {
            return true;
        }
        if entry.file_name() == ".git" {
            return false;
        }
        let relative = entry.path().strip_prefix(&base).unwrap_or(entry.path());
        !exclude.as_ref().is_some_and(|set| set.is_match(relative))
    });

    let shared = Collected::default();
    builder.build_parallel().run(|| {
        let (root, include, shared) = (&root, &include, &shared);
        Box::new(move |entry| {
            if stop() {
                return WalkState::Quit;
            }
            match entry {
                Ok(entry) => visit(&entry, root, include.as_ref(), options, shared),
                Err(error) => {
                    shared.warn(one_line(&error.to_string()));
                    WalkState::Continue
                }
            }
        })
    });
    Ok(shared.into_report(root))
}

/// What the walking threads gather together.
#[derive(Default)]
struct Collected {
    files: Mutex<Vec<SourceFile>>,
    count: AtomicU64,
    binary: AtomicU64,
    too_large: AtomicU64,
    truncated: AtomicBool,
    warnings: Mutex<Vec<String>>,
    warnings_left_out: AtomicU64,
}

impl Collected {
    fn warn(&self, text: String) {
        let mut warnings = self.warnings.lock().unwrap_or_else(|e| e.into_inner());
        if warnings.len() < MAX_WARNINGS {
            warnings.push(text);
        } else {
            self.warnings_left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn into_report(self, root: PathBuf) -> WalkReport {
        let mut files = self.files.into_inner().unwrap_or_else(|e| e.into_inner());
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let mut warnings = self
            .warnings
            .into_inner()
            .unwrap_or_else(|e| e.into_inner());
        warnings.sort_unstable();
        let left_out = self.warnings_left_out.into_inner();
        if left_out > 0 {
            warnings.push(format!(
                "{left_out} more warnings of this kind were left out"
            ));
        }
        WalkReport {
            root,
            total_bytes: files.iter().map(|file| file.size).sum(),
            files,
            binary: self.binary.into_inner(),
            too_large: self.too_large.into_inner(),
            truncated: self.truncated.into_inner(),
            warnings,
        }
    }
}

fn check_root(root: &Path) -> Result<PathBuf, WalkError> {
    let unreadable = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => WalkError::NotFound {
            path: root.to_owned(),
        },
        _ => WalkError::Unreadable {
            path: root.to_owned(),
            source,
        },
    };
    let real = root.canonicalize().map_err(unreadable)?;
    if !real.is_dir() {
        return Err(WalkError::NotAFolder {
            path: root.to_owned(),
        });
    }
    std::fs::read_dir(&real).map_err(unreadable)?;
    Ok(real)
}

/// A set of globs in the manner of `.gitignore`: one without `/` matches at any depth.
fn globs(patterns: &[String]) -> Result<Option<GlobSet>, WalkError> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let invalid = |glob: &str, error: &globset::Error| WalkError::Glob {
        glob: glob.to_owned(),
        reason: error.kind().to_string(),
    };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let trimmed = pattern.trim_end_matches('/');
        let anywhere = match trimmed.strip_prefix('/') {
            Some(anchored) => anchored.to_owned(),
            None if trimmed.contains('/') => trimmed.to_owned(),
            None => format!("**/{trimmed}"),
        };
        for glob in [anywhere.clone(), format!("{anywhere}/**")] {
            let glob = GlobBuilder::new(&glob)
                .literal_separator(true)
                .build()
                .map_err(|error| invalid(pattern, &error))?;
            set.add(glob);
        }
    }
    set.build()
        .map(Some)
        .map_err(|error| invalid(&patterns.join(", "), &error))
}

fn visit(
    entry: &DirEntry,
    root: &Path,
    include: Option<&GlobSet>,
    options: &WalkOptions,
    shared: &Collected,
) -> WalkState {
    if !entry.file_type().is_some_and(|kind| kind.is_file()) {
        return WalkState::Continue;
    }
    let Ok(relative) = entry.path().strip_prefix(root) else {
        return WalkState::Continue;
    };
    if include.is_some_and(|set| !set.is_match(relative)) {
        return WalkState::Continue;
    }
    let Some(path) = portable(relative) else {
        shared.warn(format!(
            "{}: the name is not UTF-8, so the file was left out",
            one_line(&relative.to_string_lossy())
        ));
        return WalkState::Continue;
    };
    let size = match entry.metadata() {
        Ok(metadata) => metadata.len(),
        Err(error) => {
            shared.warn(format!(
                "{}: {}",
                one_line(&path),
                one_line(&error.to_string())
            ));
            return WalkState::Continue;
        }
    };
    if size > options.max_file_bytes {
        shared.too_large.fetch_add(1, Ordering::Relaxed);
        return WalkState::Continue;
    }
    match is_binary(entry.path()) {
        Ok(true) => {
            shared.binary.fetch_add(1, Ordering::Relaxed);
            return WalkState::Continue;
        }
        Ok(false) => {}
        Err(error) => {
            shared.warn(format!("{}: {error}", one_line(&path)));
            return WalkState::Continue;
        }
    }
    if shared.count.fetch_add(1, Ordering::Relaxed) >= options.max_files {
        shared.truncated.store(true, Ordering::Relaxed);
        return WalkState::Quit;
    }
    shared
        .files
        .lock()
        .unwrap_or_else(|e| e.into_inner())
        .push(SourceFile { path, size });
    WalkState::Continue
}

/// The path with `/` between its parts; `None` where a part is not UTF-8.
fn portable(relative: &Path) -> Option<String> {
    let mut out = String::new();
    for part in relative.components() {
        if !out.is_empty() {
            out.push('/');
        }
        out.push_str(part.as_os_str().to_str()?);
    }
    Some(out)
}

/// Whether the file looks binary: a NUL byte near its start, unless a UTF-16 mark opens it.
fn is_binary(path: &Path) -> std::io::Result<bool> {
    let mut head = [0; SNIFF_BYTES];
    let mut file = File::open(path)?;
    let mut filled = 0;
    while filled < head.len() {
        match file.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let head = &head[..filled];
    let utf16 = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]);
    Ok(!utf16 && head.contains(&0))
}

/// Opens a plain file that lies inside `root`, which must be canonical, links resolved.
///
/// Lists of files come from other nodes, so a path in one is not believed.
pub(crate) fn open_inside(root: &Path, path: &str) -> std::io::Result<File> {
    let refused = |what| std::io::Error::new(std::io::ErrorKind::PermissionDenied, what);
    let real = root.join(path).canonicalize()?;
    if !real.starts_with(root) {
        return Err(refused("leads out of the source folder"));
    }
    // Opening a pipe would wait for whoever writes into it.
    if !std::fs::metadata(&real)?.is_file() {
        return Err(refused("not a plain file"));
    }
    File::open(real)
}

/// Text from the file system without line breaks and other control characters.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        dir
    }

    fn paths(report: &WalkReport) -> Vec<&str> {
        report.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn honours_gitignore_and_skips_git_binaries_and_large_files() {
        let dir = tree(&[
            (".gitignore", b"target/\n*.log\n"),
            (".git/config", b"[core]"),
            (".env", b"A=1"),
            ("src/main.rs", b"fn main() {}"),
            ("src/trace.log", b"x"),
            ("target/out.txt", b"x"),
            ("logo.png", b"\x89PNG\0\0"),
            ("wide.txt", b"\xff\xfea\0b\0"),
            ("big.txt", &[b'a'; 2000]),
        ]);
        let options = WalkOptions {
            max_file_bytes: 1000,
            ..WalkOptions::default()
        };
        let report = walk(dir.path(), &options, &|| false).unwrap();
        assert_eq!(
            paths(&report),
            [".env", ".gitignore", "src/main.rs", "wide.txt"]
        );
        assert_eq!(
            (report.binary, report.too_large, report.truncated),
            (1, 1, false)
        );
        assert_eq!(report.warnings, Vec::<String>::new());
        assert_eq!(
            report.total_bytes,
            report.files.iter().map(|f| f.size).sum::<u64>()
        );
    }

    #[test]
    fn include_and_exclude_globs_work_at_any_depth() {
        let dir = tree(&[
            ("a.rs", b"x"),
            ("deep/b.rs", b"x"),
            ("deep/c.txt", b"x"),
            ("vendor/lib/d.rs", b"x"),
        ]);
        let options = WalkOptions {
            include: vec!["*.rs".into()],
            exclude: vec!["vendor/".into()],
            ..WalkOptions::default()
        };
        assert_eq!(
            paths(&walk(dir.path(), &options, &|| false).unwrap()),
            ["a.rs", "deep/b.rs"]
        );
        let broken = WalkOptions {
            exclude: vec!["a[".into()],
            ..WalkOptions::default()
        };
        let error = walk(dir.path(), &broken, &|| false)
            .unwrap_err()
            .to_string();
        assert!(error.contains("\"a[\""), "{error}");
    }

    #[test]
    fn stops_at_the_file_limit_and_says_so() {
        let dir = tree(&[("a", b"x"), ("b", b"x"), ("c", b"x")]);
        let options = WalkOptions {
            max_files: 2,
            ..WalkOptions::default()
        };
        let report = walk(dir.path(), &options, &|| false).unwrap();
        assert_eq!((report.files.len(), report.truncated), (2, true));
        assert!(
            walk(dir.path(), &options, &|| true)
                .unwrap()
                .files
                .is_empty()
        );
    }

    #[test]
    fn names_the_root_that_is_missing_or_a_file() {
        let dir = tree(&[("a", b"x")]);
        let missing = walk(
            &dir.path().join("nowhere"),
            &WalkOptions::default(),
            &|| false,
        );
        assert!(missing.unwrap_err().to_string().contains("nowhere"));
        let file = walk(&dir.path().join("a"), &WalkOptions::default(), &|| false);
        assert!(matches!(file, Err(WalkError::NotAFolder { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_opened_outside() {
        let outside = tree(&[("secret.txt", b"x")]);
        let dir = tree(&[("a/b.txt", b"x")]);
        let root = dir.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.txt"), root.join("link")).unwrap();
        assert!(open_inside(&root, "a/b.txt").is_ok());
        for path in ["link", "/etc/passwd", "../x", "a", "a/../../etc/passwd"] {
            assert!(open_inside(&root, path).is_err(), "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn never_follows_links_and_survives_hostile_names() {
        use std::os::unix::ffi::OsStrExt as _;
        let outside = tree(&[("secret.txt", b"x")]);
        let dir = tree(&[("two\nlines.txt", b"x")]);
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        std::fs::write(
            dir.path().join(std::ffi::OsStr::from_bytes(b"bad\xff.txt")),
            "x",
        )
        .unwrap();
        let report = walk(dir.path(), &WalkOptions::default(), &|| false).unwrap();
        assert_eq!(paths(&report), ["two\nlines.txt"]);
        assert_eq!(report.warnings.len(), 1);
        assert!(report.warnings[0].contains("not UTF-8"));
    }
}
