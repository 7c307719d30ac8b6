//! The list of components agrees with the files, and the committed catalogue with the list.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;
use shipsec_components::registry;

/// In another crate.
const ENTRYPOINT: &str = "core.workflow.entrypoint";

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
    found
}

/// The ids that the sources declare, with the files that do.
fn declared() -> Vec<(String, PathBuf)> {
    let declaration =
        Regex::new(r#"(?:#\[component\(\s*id = |ComponentInfo::new\(\s*)"([a-z0-9.-]+)""#).unwrap();
    let mut all = Vec::new();
    for path in sources(&package().join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        for found in declaration.captures_iter(&text) {
            all.push((found[1].to_owned(), path.clone()));
        }
    }
    all
}

#[test]
fn every_component_in_the_folders_is_in_the_list() {
    let declared: BTreeSet<String> = declared().into_iter().map(|(id, _)| id).collect();
    let registry = registry();
    let listed = registry.ids().map(|id| id.as_str().to_owned());
    let listed: BTreeSet<String> = listed.filter(|id| id != ENTRYPOINT).collect();
    assert_eq!(declared, listed);
}

#[test]
fn a_component_is_in_the_file_that_its_id_names() {
    for (id, path) in &declared() {
        let expected = package().join("src").join(id.replace('.', "/"));
        assert_eq!(path, &expected.with_extension("rs"), "{id}");
    }
}

#[test]
fn everything_is_described() {
    for definition in registry().definitions() {
        let id = &definition.id;
        assert!(
            !definition.label.is_empty() && !definition.description.is_empty(),
            "{id}"
        );
        for port in definition.inputs.iter().chain(definition.outputs.iter()) {
            assert!(!port.description.is_empty(), "{id}: port {}", port.id);
            assert!(
                port.label.len() <= 40,
                "{id}: port {}: {:?}",
                port.id,
                port.label
            );
        }
        for param in &definition.params {
            assert!(
                !param.description.is_empty(),
                "{id}: parameter {}",
                param.id
            );
            assert!(
                param.label.len() <= 40,
                "{id}: parameter {}: {:?}",
                param.id,
                param.label
            );
        }
    }
}

/// `SHIPSEC_UPDATE=1 cargo test -p shipsec-components catalogue` writes it anew.
#[test]
fn the_committed_catalogue_is_up_to_date() {
    let registry = registry();
    let all: Vec<_> = registry.definitions().collect();
    let text = serde_json::to_string_pretty(&all).unwrap() + "\n";
    let path = package().join("catalogue.json");
    if std::env::var_os("SHIPSEC_UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{} is not what the components say: SHIPSEC_UPDATE=1 cargo test -p shipsec-components \
         catalogue writes it anew",
        path.display()
    );
}
