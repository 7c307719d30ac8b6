//! The description of the API.

use std::path::Path;

use serde_json::Value as Json;

use crate::support::Server;

/// The committed document is what the code says. `UPDATE_OPENAPI=1` writes it.
#[test]
fn the_committed_document_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let mut text = serde_json::to_string_pretty(&shipsec_studio::openapi()).unwrap();
    text.push('\n');
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        committed == text,
        "openapi.json is not what the code says: run this test with UPDATE_OPENAPI=1"
    );
}

/// Every reference leads somewhere, and every operation has an id of its own.
#[test]
fn the_document_is_closed() {
    let document = shipsec_studio::openapi();
    fn references<'a>(json: &'a Json, found: &mut Vec<&'a str>) {
        match json {
            Json::Object(fields) => {
                if let Some(Json::String(to)) = fields.get("$ref") {
                    found.push(to);
                }
                fields.values().for_each(|value| references(value, found));
            }
            Json::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let itself = format!("#/components/schemas/{name}");
        assert_ne!(schema["$ref"], itself, "{name}");
    }
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 30);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let paths = document["paths"].as_object().unwrap();
    let operations = paths
        .values()
        .flat_map(|path| path.as_object().unwrap().values());
    let mut ids: Vec<_> = operations
        .map(|one| one["operationId"].as_str().unwrap())
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), count), (count, 28));
}

#[tokio::test]
async fn the_server_gives_its_document() {
    let server = Server::start().await;
    assert_eq!(
        server.json("/openapi.json").await,
        shipsec_studio::openapi()
    );
}
