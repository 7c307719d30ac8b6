//! A small source tree with something for each scanner, and advisories to match.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// Made up, with the checksum that GitHub's have.
pub(crate) const TOKEN: &str = concat!("ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17");

/// Removed when it is dropped.
pub(crate) struct Tree {
    folder: TempDir,
    root: PathBuf,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("app");
        let tree = Self { folder, root };
        tree.write(".gitignore", "ignored/\n");
        tree.write("ignored/settings.py", &format!("TOKEN = '{TOKEN}'\n"));
        tree.write("logo.png", "\u{89}PNG\0\0");
        tree.write("README.md", "# App\n\nSet `password=hunter2` to try it.\n");
        tree.write(
            "src/settings.py",
            &format!("import os\n\nTOKEN = \"{TOKEN}\"\n"),
        );
        tree.write(
            "Cargo.lock",
            "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n\n[[package]]\n\
             name = \"leaky\"\nversion = \"1.2.3\"\n\
             source = \"registry+https://github.com/rust-lang/crates.io-index\"\n",
        );
        let lodash = json!({ "version": "4.17.20", "resolved":
            "https://registry.npmjs.org/lodash/-/lodash-4.17.20.tgz" });
        let lock = json!({ "name": "web", "lockfileVersion": 3, "packages": {
            "": { "name": "web" }, "node_modules/lodash": lodash } });
        tree.write("web/package-lock.json", &format!("{lock:#}\n"));
        tree
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn root(&self) -> &str {
        self.root.to_str().unwrap()
    }

    /// What a walk gives.
    pub(crate) fn files(&self) -> Json {
        let options = shipsec_components::source::WalkOptions::default();
        let walked = shipsec_components::source::walk(&self.root, &options, &|| false);
        serde_json::to_value(walked.unwrap().files).unwrap()
    }

    /// A folder of these records, beside the tree.
    pub(crate) fn advisories(&self, records: &[Json]) -> String {
        let folder = self.folder.path().join("osv");
        fs::create_dir_all(folder.join("crates.io")).unwrap();
        for record in records {
            let name = format!("crates.io/{}.json", record["id"].as_str().unwrap());
            fs::write(folder.join(name), record.to_string()).unwrap();
        }
        text(&folder)
    }

    /// A zip archive of these records, beside the tree.
    pub(crate) fn advisories_zip(&self, records: &[Json]) -> String {
        let path = self.folder.path().join("osv.zip");
        let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
        for record in records {
            let name = format!("{}.json", record["id"].as_str().unwrap());
            zip.start_file(name, zip::write::SimpleFileOptions::default())
                .unwrap();
            zip.write_all(record.to_string().as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        text(&path)
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// An advisory against a package of the tree.
pub(crate) fn osv_record() -> Json {
    json!({
        "id": "RUSTSEC-2099-0001", "modified": "2099-01-01T00:00:00Z", "aliases": ["CVE-2099-1234"],
        "summary": "Memory that was freed is read",
        "severity": [{ "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N" }],
        "affected": [{
            "package": { "ecosystem": "crates.io", "name": "leaky" },
            "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "1.0.0" }, { "fixed": "1.2.4" }] }],
        }],
        "references": [{ "type": "ADVISORY", "url": "https://example.com/RUSTSEC-2099-0001" }],
    })
}

/// One that names the same package in versions that the tree does not have.
pub(crate) fn osv_record_of_another_version() -> Json {
    json!({
        "id": "RUSTSEC-2099-0002", "modified": "2099-01-01T00:00:00Z", "summary": "Long mended",
        "affected": [{
            "package": { "ecosystem": "crates.io", "name": "leaky" },
            "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }, { "fixed": "1.0.0" }] }],
        }],
    })
}
