//! `examples/workflows/source-audit.json`, from a folder to its reports.

use serde_json::{Map, Value as Json, json};
use shipsec_components::registry;
use shipsec_core::{
    ErrorKind,
    event::{EventKind, WorkflowStatus},
    workflow::Graph,
};
use shipsec_testkit::{Finished, Harness};

use super::{
    server::{Server, answer},
    tree::{TOKEN, Tree, osv_record, osv_record_of_another_version},
};

const GRAPH: &str = include_str!("../../../examples/workflows/source-audit.json");

struct Audited {
    run: Finished,
    harness: Harness,
}

impl Audited {
    async fn of(inputs: Json) -> Self {
        let mut graph: Graph = serde_json::from_str(GRAPH).unwrap();
        for node in &mut graph.nodes {
            let retry = json!({ "initialIntervalSeconds": 0.001 });
            node.data.config.retry = Some(serde_json::from_value(retry).unwrap());
        }
        let Json::Object(inputs) = inputs else {
            panic!("{inputs} is no object");
        };
        let harness = Harness::new(registry());
        let run = harness.run(&graph, inputs).await;
        Self { run, harness }
    }

    fn completed(&self) -> &Self {
        let outcome = &self.run.outcome;
        assert_eq!(
            outcome.status,
            WorkflowStatus::Completed,
            "{:?}",
            outcome.failure
        );
        self
    }

    /// The artifact of this name.
    async fn artifact(&self, name: &str) -> String {
        let mut locations = self
            .run
            .events
            .iter()
            .filter_map(|event| match &event.kind {
                EventKind::NodeArtifact(artifact) if artifact.name == name => {
                    Some(&artifact.location)
                }
                _ => None,
            });
        let location = locations.next().unwrap_or_else(|| panic!("no {name}"));
        let bytes = self.harness.artifacts().get_bytes(location).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    async fn sarif(&self) -> Json {
        serde_json::from_str(&self.artifact("source-audit.sarif").await).unwrap()
    }

    /// The rules of the results, in their order.
    async fn rules(&self) -> Vec<String> {
        let sarif = self.sarif().await;
        let results = sarif["runs"][0]["results"].as_array().unwrap();
        let rule = |result: &Json| result["ruleId"].as_str().unwrap().to_owned();
        results.iter().map(rule).collect()
    }

    /// Both reports say that advisories were not checked, and why.
    async fn says_that_advisories_were_not_checked(&self, why: &str) {
        let markdown = self.artifact("source-audit.md").await;
        let row = "| Known vulnerabilities | – | – | – | – | – | not checked |";
        assert!(
            markdown.contains(row) && markdown.contains(why),
            "{markdown}"
        );
        let sarif = self.sarif().await;
        let invocation = &sarif["runs"][0]["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], false);
        let said = invocation["toolExecutionNotifications"].to_string();
        assert!(
            said.contains("Known vulnerabilities") && said.contains(why),
            "{said}"
        );
        let summary = self.run.output("markdown", "summary").unwrap();
        let summary = summary.as_str().unwrap();
        assert!(
            summary.ends_with("not checked: Known vulnerabilities"),
            "{summary}"
        );
    }
}

#[tokio::test]
async fn a_tree_with_a_folder_of_advisories() {
    let tree = Tree::new();
    let records = [osv_record(), osv_record_of_another_version()];
    let inputs = json!({ "path": tree.root(), "advisories": tree.advisories(&records) });
    let audited = Audited::of(inputs).await;
    audited.completed();
    insta::assert_snapshot!(
        "source_audit_markdown",
        audited.artifact("source-audit.md").await
    );
    let sarif = audited.sarif().await;
    assert_eq!(
        sarif["runs"][0]["invocations"][0]["executionSuccessful"],
        true
    );
    assert_eq!(
        audited.rules().await,
        ["secret.github-token", "RUSTSEC-2099-0001"]
    );
    let sbom: Json = serde_json::from_str(&audited.artifact("sbom.cdx.json").await).unwrap();
    let components = sbom["components"].as_array().unwrap().iter();
    let purls: Vec<_> = components.map(|component| &component["purl"]).collect();
    assert_eq!(purls, ["pkg:cargo/leaky@1.2.3", "pkg:npm/lodash@4.17.20"]);
    assert_eq!(
        audited.run.output("sarif", "counts").unwrap(),
        json!({ "critical": 1, "high": 1, "medium": 0, "low": 0, "info": 0, "total": 2 })
    );
    // What was found is shown nowhere, and an ordinary run has nothing to warn of.
    let log = audited.run.jsonl();
    assert!(!log.contains(TOKEN));
    for name in ["source-audit.md", "source-audit.sarif"] {
        assert!(!audited.artifact(name).await.contains(TOKEN), "{name}");
    }
    assert!(!log.contains(r#""level":"warn""#), "{log}");
}

#[tokio::test]
async fn a_tree_with_an_archive_of_advisories() {
    let tree = Tree::new();
    let records = [osv_record(), osv_record_of_another_version()];
    let inputs = json!({ "path": tree.root(), "advisories": tree.advisories_zip(&records) });
    let audited = Audited::of(inputs).await;
    audited.completed();
    assert_eq!(
        audited.rules().await,
        ["secret.github-token", "RUSTSEC-2099-0001"]
    );
}

#[tokio::test]
async fn a_tree_with_an_advisory_service() {
    let server = Server::start(|request| match request.target.as_str() {
        "/v1/querybatch" => {
            let asked: Json = serde_json::from_str(&request.body).unwrap();
            let of = |query: &Json| match query["package"]["name"].as_str() {
                Some("leaky") => json!({ "vulns": [{ "id": "RUSTSEC-2099-0001" }] }),
                _ => json!({}),
            };
            let results: Vec<_> = asked["queries"]
                .as_array()
                .unwrap()
                .iter()
                .map(of)
                .collect();
            answer(200, &[], &json!({ "results": results }).to_string())
        }
        "/v1/vulns/RUSTSEC-2099-0001" => answer(200, &[], &osv_record().to_string()),
        _ => answer(404, &[], ""),
    })
    .await;
    let tree = Tree::new();
    let inputs = json!({ "path": tree.root(), "advisoryService": server.url });
    let audited = Audited::of(inputs).await;
    audited.completed();
    assert_eq!(
        audited.rules().await,
        ["secret.github-token", "RUSTSEC-2099-0001"]
    );
    let asked = server.requests();
    let asked: Vec<_> = asked.iter().map(|asked| asked.method.as_str()).collect();
    assert_eq!(asked, ["POST", "GET"]);
}

#[tokio::test]
async fn without_advisories_the_rest_is_reported_and_they_are_told_as_missing() {
    let tree = Tree::new();
    let closed = "http://127.0.0.1:1";
    let none = tree.root().to_owned() + "/none";
    for (inputs, why) in [
        (
            json!({}),
            "ConfigurationError: no source of advisories was given",
        ),
        (json!({ "advisoryService": closed }), "NetworkError"),
        (json!({ "advisories": none }), "cannot be opened"),
    ] {
        let mut inputs = inputs;
        inputs["path"] = tree.root().into();
        let audited = Audited::of(inputs).await;
        audited.completed();
        assert_eq!(audited.rules().await, ["secret.github-token"]);
        audited.says_that_advisories_were_not_checked(why).await;
    }
}

#[tokio::test]
async fn a_service_that_is_broken_is_asked_again_and_then_told_as_missing() {
    let server = Server::start(|_| answer(503, &[], "down for repair")).await;
    let tree = Tree::new();
    let inputs = json!({ "path": tree.root(), "advisoryService": server.url });
    let audited = Audited::of(inputs).await;
    audited.completed();
    assert_eq!(server.requests().len(), 3);
    audited
        .says_that_advisories_were_not_checked("ServiceError")
        .await;
}

#[tokio::test]
async fn a_folder_that_is_not_there_fails_the_run_and_is_named() {
    let audited = Audited::of(json!({ "path": "/nowhere/at all" })).await;
    let outcome = &audited.run.outcome;
    assert_eq!(outcome.status, WorkflowStatus::Failed);
    let failure = outcome.failure.as_ref().unwrap();
    assert_eq!(failure.node_id.as_ref().unwrap().as_str(), "walk");
    let error = failure.error.as_ref().unwrap();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(
        error.message.contains("/nowhere/at all"),
        "{}",
        error.message
    );
    let summary = audited.run.output("markdown", "summary").unwrap();
    assert_eq!(
        summary,
        "0 findings (0 critical, 0 high, 0 medium, 0 low, 0 info); \
         not checked: Files, Secrets, Packages, Known vulnerabilities"
    );
}

#[tokio::test]
async fn an_empty_folder_has_nothing_to_report() {
    let folder = tempfile::tempdir().unwrap();
    let audited = Audited::of(json!({ "path": folder.path() })).await;
    let markdown = audited.completed().artifact("source-audit.md").await;
    assert!(markdown.contains("None in what was checked."), "{markdown}");
    assert!(audited.rules().await.is_empty());
}

#[test]
fn the_graph_survives_being_read_and_written() {
    let graph: Graph = serde_json::from_str(GRAPH).unwrap();
    let again: Json = serde_json::to_value(&graph).unwrap();
    let written: Json = serde_json::from_str(GRAPH).unwrap();
    let edges = |json: &Json| json["edges"].as_array().map(Vec::len);
    assert_eq!(edges(&again), edges(&written));
    assert!(graph.extra.is_empty() && graph.nodes.iter().all(|node| node.extra == Map::new()));
}
