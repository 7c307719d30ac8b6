//! JSON Pointers (RFC 6901).

use serde_ignored::Path;

/// A key as one token.
pub(crate) fn token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Where something was ignored.
pub(crate) fn of_ignored(path: &Path<'_>) -> String {
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}/{index}", of_ignored(parent)),
        Path::Map { parent, key } => format!("{}/{}", of_ignored(parent), token(key)),
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => of_ignored(parent),
    }
}
