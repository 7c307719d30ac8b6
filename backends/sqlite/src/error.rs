//! SQLite's errors, mapped once.

use std::path::Path;

use rusqlite::ErrorCode;
use shipsec_core::trace::{StoreError, StoreErrorKind};

/// An error that names the file, says what was being done, and what to do next.
pub(crate) fn store_error(path: &Path, doing: &str, error: &rusqlite::Error) -> StoreError {
    let (kind, hint) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            StoreErrorKind::Unavailable,
            "another process holds it; it is tried again",
        ),
        Some(ErrorCode::DiskFull) => (
            StoreErrorKind::Unavailable,
            "the disk is full: make room; it is tried again",
        ),
        Some(ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => (
            StoreErrorKind::Unavailable,
            "the system failed; it is tried again",
        ),
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::AuthorizationForStatementDenied,
        ) => (
            StoreErrorKind::Denied,
            "make the file and its folder writable, or choose another",
        ),
        Some(ErrorCode::CannotOpen) => (
            StoreErrorKind::Denied,
            "check that its folder exists and can be read and written",
        ),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
            StoreErrorKind::Corrupt,
            "the file is damaged or no SQLite database: keep a copy, then restore it or choose another",
        ),
        _ => (StoreErrorKind::Other, "see the cause"),
    };
    StoreError::new(
        kind,
        format!("trace store {}: {doing}: {error}; {hint}", path.display()),
    )
}
