//! OSV records from a folder or a zip archive.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::record::Record;
use crate::source::files::one_line;

/// A record larger than this is no advisory.
const MAX_RECORD_BYTES: u64 = 16 * 1024 * 1024;
/// What one archive may unpack to: the export of every ecosystem fits several times.
const MAX_ARCHIVE_BYTES: u64 = 32 * 1024 * 1024 * 1024;
/// Entries in one archive, likewise.
const MAX_ENTRIES: usize = 4_000_000;
/// How many unreadable records are named before they are only counted.
const MAX_WARNINGS: usize = 20;

/// What reading a database came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatabaseStats {
    /// Records that were read.
    pub records: u64,
    /// Records that could not be read.
    pub unreadable: u64,
    /// The first twenty of them, with the reason.
    pub warnings: Vec<String>,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// There is nothing at the path, or it cannot be opened.
    #[error(
        "advisory database {path:?} cannot be opened: {source}; give a folder or zip archive of OSV records"
    )]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no zip archive, or hostile.
    #[error("advisory database {path:?} is not a usable zip archive: {reason}")]
    Archive {
        /// The path as given.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No record was found at all.
    #[error(
        "advisory database {path:?} holds no OSV record; expected *.json files, as in an export of osv.dev"
    )]
    Empty {
        /// The path as given.
        path: PathBuf,
    },
}

/// Reads every `*.json` in the folder or zip archive at `path` and gives each record to
/// `each`, which returns `false` to stop.
///
/// Zip archives within a folder are read as well. Nothing is unpacked to disk: names inside
/// an archive are shown in warnings and used for nothing else, and what an entry claims of
/// its size is not believed.
///
/// # Errors
/// When the path cannot be opened, is neither folder nor archive, or holds no record.
pub fn read_database(
    path: &Path,
    each: &mut dyn FnMut(Record) -> bool,
) -> Result<DatabaseStats, DatabaseError> {
    let unreadable = |source| DatabaseError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut stats = DatabaseStats::default();
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    let stopped = if metadata.is_dir() {
        std::fs::read_dir(path).map_err(unreadable)?;
        !folder(path, &mut stats, each)
    } else {
        !archive(path, &mut stats, each)?
    };
    if stats.records == 0 && !stopped {
        return Err(DatabaseError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(stats)
}

impl DatabaseStats {
    fn failed(&mut self, name: &str, reason: impl std::fmt::Display) {
        self.unreadable += 1;
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(format!(
                "{}: {}",
                one_line(name),
                one_line(&reason.to_string())
            ));
        }
    }

    /// Reads one record; gives what `each` gives.
    fn take(
        &mut self,
        name: &str,
        from: impl Read,
        each: &mut dyn FnMut(Record) -> bool,
    ) -> (bool, u64) {
        let mut bytes = Vec::new();
        if let Err(error) = from.take(MAX_RECORD_BYTES + 1).read_to_end(&mut bytes) {
            self.failed(name, error);
            return (true, bytes.len() as u64);
        }
        let size = bytes.len() as u64;
        if size > MAX_RECORD_BYTES {
            self.failed(name, format!("larger than {MAX_RECORD_BYTES} bytes"));
            return (true, size);
        }
        match Record::from_json(&bytes) {
            Ok(record) => {
                self.records += 1;
                (each(record), size)
            }
            Err(error) => {
                self.failed(name, error);
                (true, size)
            }
        }
    }
}

fn folder(root: &Path, stats: &mut DatabaseStats, each: &mut dyn FnMut(Record) -> bool) -> bool {
    let mut walk = WalkBuilder::new(root);
    walk.standard_filters(false)
        .follow_links(false)
        .sort_by_file_name(std::cmp::Ord::cmp);
    for entry in walk.build() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                stats.failed("folder", error);
                continue;
            }
        };
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy();
        let go_on = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => match File::open(path) {
                Ok(file) => stats.take(&name, file, each).0,
                Err(error) => {
                    stats.failed(&name, error);
                    true
                }
            },
            Some("zip") => archive(path, stats, each).unwrap_or_else(|error| {
                stats.failed(&name, error);
                true
            }),
            _ => true,
        };
        if !go_on {
            return false;
        }
    }
    true
}

fn archive(
    path: &Path,
    stats: &mut DatabaseStats,
    each: &mut dyn FnMut(Record) -> bool,
) -> Result<bool, DatabaseError> {
    let bad = |reason: String| DatabaseError::Archive {
        path: path.to_owned(),
        reason: one_line(&reason),
    };
    let file = File::open(path).map_err(|source| DatabaseError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let mut zip = zip::ZipArchive::new(BufReader::new(file)).map_err(|e| bad(e.to_string()))?;
    if zip.len() > MAX_ENTRIES {
        return Err(bad(format!("it has more than {MAX_ENTRIES} entries")));
    }
    let mut unpacked = 0_u64;
    for index in 0..zip.len() {
        let entry = match zip.by_index(index) {
            Ok(entry) => entry,
            Err(error) => {
                stats.failed(&format!("entry {index}"), error);
                continue;
            }
        };
        let name = match entry.name() {
            Ok(name) => name.to_string(),
            Err(error) => {
                stats.failed(&format!("entry {index}"), error);
                continue;
            }
        };
        if !entry.is_file() || !name.ends_with(".json") {
            continue;
        }
        let (go_on, size) = stats.take(&name, entry, each);
        unpacked += size;
        if !go_on {
            return Ok(false);
        }
        if unpacked > MAX_ARCHIVE_BYTES {
            return Err(bad(format!(
                "it unpacks to more than {MAX_ARCHIVE_BYTES} bytes"
            )));
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    fn ids(path: &Path) -> (Vec<String>, Result<DatabaseStats, DatabaseError>) {
        let mut ids = Vec::new();
        let stats = read_database(path, &mut |record| {
            ids.push(record.id);
            true
        });
        (ids, stats)
    }

    fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in entries {
            zip.start_file(*name, zip::write::SimpleFileOptions::default())
                .unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn folders_and_archives_give_the_same() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("npm")).unwrap();
        std::fs::write(dir.path().join("npm/A-1.json"), br#"{"id":"A-1"}"#).unwrap();
        std::fs::write(dir.path().join("broken.json"), b"{").unwrap();
        std::fs::write(dir.path().join("readme.txt"), b"x").unwrap();
        let inner = zipped(&[("../../B-2.json", br#"{"id":"B-2"}"#), ("c\nd.json", b"[]")]);
        std::fs::write(dir.path().join("all.zip"), &inner).unwrap();
        let (ids_found, stats) = ids(dir.path());
        assert_eq!(ids_found, ["B-2", "A-1"]);
        let stats = stats.unwrap();
        assert_eq!(
            (stats.records, stats.unreadable, stats.warnings.len()),
            (2, 2, 2)
        );
        assert!(stats.warnings.iter().all(|warning| !warning.contains('\n')));
        assert_eq!(ids(&dir.path().join("all.zip")).0, ["B-2"]);
        assert!(!dir.path().join("../B-2.json").exists());
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bomb.zip");
        let zeros = vec![b' '; MAX_RECORD_BYTES as usize * 2];
        std::fs::write(
            &path,
            zipped(&[("a.json", &zeros), ("b.json", br#"{"id":"B-2"}"#)]),
        )
        .unwrap();
        let (found, stats) = ids(&path);
        assert_eq!((found.len(), stats.unwrap().unreadable), (1, 1));
    }

    #[test]
    fn what_is_missing_or_empty_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("nowhere");
        assert!(ids(&missing).1.unwrap_err().to_string().contains("nowhere"));
        assert!(matches!(
            ids(dir.path()).1,
            Err(DatabaseError::Empty { .. })
        ));
        let text = dir.path().join("x.zip");
        std::fs::write(&text, b"no archive").unwrap();
        assert!(matches!(ids(&text).1, Err(DatabaseError::Archive { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn mangled_archives_are_survived(at in 0..400_usize, with in any::<[u8; 4]>()) {
            let mut bytes = zipped(&[("a.json", br#"{"id":"A-1"}"#), ("b.json", br#"{"id":"B-2"}"#)]);
            let at = at % (bytes.len() - 4);
            bytes[at..at + 4].copy_from_slice(&with);
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x.zip");
            std::fs::write(&path, &bytes).unwrap();
            let (found, stats) = ids(&path);
            prop_assert_eq!(found.len() as u64, stats.map_or(0, |stats| stats.records));
        }
    }
}
