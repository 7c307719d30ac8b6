//! `Cargo.lock`, by the crate `cargo-lock`.

use super::LockFile;
use super::entry::{brief, toml_lines};

/// Every package that is not part of the workspace itself.
pub(super) fn cargo_lock(text: &str) -> Result<LockFile, String> {
    let lock: cargo_lock::Lockfile = text.parse().map_err(brief)?;
    let lines = toml_lines(text);
    let mut found = LockFile::default();
    let mut elsewhere = 0_usize;
    for package in lock.packages {
        let Some(source) = package.source else {
            continue;
        };
        if source.is_path() {
            continue;
        }
        if source.is_registry() && !source.is_default_registry() {
            elsewhere += 1;
            continue;
        }
        let key = (
            package.name.as_str().to_owned(),
            package.version.to_string(),
        );
        let line = lines.get(&key).copied();
        found.push(key.0, key.1, line);
    }
    if elsewhere > 0 {
        found.notes.push(format!(
            "{elsewhere} packages come from a registry other than crates.io and were left out"
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_left_out_and_lines_are_told() {
        let text = r#"version = 4

[[package]]
name = "mine"
version = "0.1.0"
dependencies = ["serde"]

[[package]]
name = "serde"
version = "1.0.200"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "ddc6f9cc94d67c0e21aaf7eda3a010fd3af78ebf6e096aa6e2e13c79749cce4f"

[[package]]
name = "forked"
version = "2.0.0"
source = "git+https://example.com/forked?rev=abc#0123456789012345678901234567890123456789"

[[package]]
name = "private"
version = "3.0.0"
source = "registry+https://cargo.acme.io/index"
"#;
        let found = cargo_lock(text).unwrap();
        let got: Vec<_> = found
            .entries
            .iter()
            .map(|e| (e.name.as_str(), e.line))
            .collect();
        assert_eq!(got, [("serde", Some(9)), ("forked", Some(15))]);
        assert_eq!(found.notes.len(), 1);
        assert!(cargo_lock("[[package]]\nname = 1").is_err());
    }
}
