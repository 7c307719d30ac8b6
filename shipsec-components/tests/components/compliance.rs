//! Every component that ships keeps its contract.

use std::collections::BTreeMap;

use serde_json::json;
use shipsec_components::registry;
use shipsec_testkit::{Compliance, assert_component_compliance};

use super::{
    server::{Server, answer},
    tree::{Tree, osv_record},
};

/// Made up.
const SECRET: &str = concat!("made-up", "-secret-4242");

/// How each component is tried; `url` answers at once, `folder` is empty, `tree` has something for
/// each scanner.
fn trials(url: &str, folder: &str, tree: &Tree) -> BTreeMap<&'static str, Compliance> {
    let trial = Compliance::new;
    let secret = json!({ "secretRef": "KEY" });
    let files = json!({ "root": tree.root(), "files": tree.files() });
    let finding = json!({
        "ruleId": "a.b", "title": "A title", "severity": "high", "path": "a.py", "line": 1,
        "message": "What it is.", "fingerprint": "00",
    });
    let report = json!({ "root": tree.root(), "files": tree.files(), "secrets": [finding] });
    BTreeMap::from([
        (
            "core.approval",
            trial().params(json!({ "title": "Go on?", "timeoutSeconds": 0.01 })),
        ),
        (
            "core.form",
            trial().params(json!({
                "title": "What?", "fields": [{ "id": "a" }], "timeoutSeconds": 0.01,
            })),
        ),
        (
            "core.array.pack",
            trial().inputs(json!({ "first": 1, "second": "b" })),
        ),
        (
            "core.array.pick",
            trial().inputs(json!({ "items": [1, 2] })),
        ),
        (
            "core.artifact.write",
            trial()
                .params(json!({ "name": "a.json" }))
                .inputs(json!({ "content": [1] })),
        ),
        (
            "core.file.read",
            trial()
                .params(json!({ "readAs": "artifact" }))
                .inputs(json!({ "path": concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml") })),
        ),
        (
            "core.file.write",
            trial()
                .params(json!({ "root": folder }))
                .inputs(json!({ "path": "a/b.txt", "content": "text" })),
        ),
        (
            "core.http.request",
            trial()
                .inputs(json!({ "url": url, "bearerToken": secret }))
                .secret("KEY", SECRET),
        ),
        (
            "core.json.query",
            trial()
                .params(json!({ "query": "$..*" }))
                .inputs(json!({ "data": { "a": [1] } })),
        ),
        (
            "core.logic.branch",
            trial()
                .params(json!({ "operator": "equals" }))
                .inputs(json!({ "value": "a", "compareTo": "a" })),
        ),
        (
            "core.notify.webhook",
            trial()
                .inputs(json!({ "url": url, "payload": { "a": 1 }, "signingSecret": secret }))
                .secret("KEY", SECRET),
        ),
        (
            "core.workflow.call",
            trial().params(json!({ "graph": {
                "name": "Called",
                "nodes": [{ "id": "start", "type": "core.workflow.entrypoint" }],
            } })),
        ),
        (
            "core.secret.fetch",
            trial()
                .params(json!({ "name": "KEY" }))
                .secret("KEY", SECRET),
        ),
        (
            "core.text.joiner",
            trial().inputs(json!({ "items": ["a", "b"] })),
        ),
        (
            "core.text.splitter",
            trial().inputs(json!({ "text": "a\nb" })),
        ),
        ("dev.branch", trial().params(json!({ "port": "right" }))),
        ("dev.echo", trial().inputs(json!({ "value": { "a": 1 } }))),
        (
            "dev.emit",
            trial().params(json!({
                "logs": 1000, "progress": 1000, "artifactBytes": 1_000_000, "outputBytes": 100_000,
            })),
        ),
        (
            "dev.fail",
            trial()
                .params(json!({ "kind": "ValidationError" }))
                .may_fail(),
        ),
        ("dev.sleep", trial().params(json!({ "ms": 20 }))),
        ("report.markdown", trial().inputs(report.clone())),
        ("report.sarif", trial().inputs(report)),
        (
            "source.advisories.match",
            trial().inputs(json!({
                "packages": [{
                    "ecosystem": "crates.io", "name": "leaky", "version": "1.2.3",
                    "purl": "pkg:cargo/leaky@1.2.3", "locations": [{ "path": "Cargo.lock" }],
                }],
                "database": tree.advisories(&[osv_record()]),
            })),
        ),
        (
            "source.files.walk",
            trial().inputs(json!({ "path": tree.root() })),
        ),
        ("source.sbom", trial().inputs(files.clone())),
        // What it finds must stay masked in what it says.
        (
            "source.secrets.scan",
            trial().inputs(files).secret("FOUND", super::tree::TOKEN),
        ),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_component_keeps_its_contract() {
    // It gives back what it was told: that must not be recorded either.
    let server = Server::start(|request| {
        let body = json!(request.headers).to_string();
        answer(200, &[("Content-Type", "application/json")], &body)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let tree = Tree::new();
    let mut trials = trials(&server.url, folder.path().to_str().unwrap(), &tree);
    let registry = registry();
    for id in registry
        .ids()
        .filter(|id| *id != "core.workflow.entrypoint")
    {
        let trial = trials.remove(id.as_str());
        let trial = trial.unwrap_or_else(|| panic!("{id} has no trial: add it to the table"));
        assert_component_compliance(registry.get(id.as_str(), None).unwrap().clone(), trial).await;
    }
    assert!(
        trials.is_empty(),
        "not in the catalogue: {:?}",
        trials.keys()
    );
}
