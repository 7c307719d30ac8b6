//! Every workflow under `examples/workflows` survives the failure, and the repetition, of each of
//! its nodes.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Map, Value as Json, json};
use shipsec_components::registry;
use shipsec_core::{
    event::EventKind,
    workflow::{Graph, compile},
};
use shipsec_testkit::{Disturbed, Harness, fail_each_node, repeat_each_node};

use super::tree::{Tree, osv_record};

/// The graphs by the name of their file.
fn graphs() -> BTreeMap<String, Graph> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/workflows");
    let mut graphs = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "json") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let graph = serde_json::from_slice(&fs::read(&path).unwrap());
            graphs.insert(name, graph.unwrap());
        }
    }
    graphs
}

/// What each is run with.
fn inputs(tree: &Tree) -> BTreeMap<String, Map<String, Json>> {
    let audit = json!({ "path": tree.root(), "advisories": tree.advisories(&[osv_record()]) });
    let all = [("source-audit", audit)];
    let object = |json: Json| json.as_object().cloned().unwrap_or_default();
    all.map(|(name, json)| (name.to_owned(), object(json)))
        .into()
}

/// The graphs that the pages show; the README shows a single node besides.
#[test]
fn the_graphs_of_the_manual_compile_without_a_warning() {
    for page in ["README.md", "docs/graph.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
        let text = fs::read_to_string(path).unwrap();
        let shown = text.split("```json\n").skip(1);
        let shown = shown.map(|rest| rest.split_once("```").unwrap().0);
        let graphs: Vec<&str> = shown.filter(|json| json.contains("\"nodes\"")).collect();
        assert_eq!(graphs.len(), 1, "{page}");
        let graph = Graph::from_json(graphs[0]).unwrap();
        let compiled =
            compile(&graph, &registry()).unwrap_or_else(|found| panic!("{page}: {found}"));
        assert!(
            compiled.warnings.is_empty(),
            "{page}: {}",
            compiled.warnings
        );
    }
}

#[test]
fn each_workflow_has_inputs_here() {
    let tree = Tree::new();
    let (graphs, inputs) = (graphs(), inputs(&tree));
    assert_eq!(
        graphs.keys().collect::<Vec<_>>(),
        inputs.keys().collect::<Vec<_>>(),
        "add what a workflow is run with to the table"
    );
}

#[test]
fn each_workflow_compiles_without_a_warning() {
    for (name, graph) in graphs() {
        let compiled =
            compile(&graph, &registry()).unwrap_or_else(|found| panic!("{name}: {found}"));
        assert!(
            compiled.warnings.is_empty(),
            "{name}: {}",
            compiled.warnings
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_workflow_survives_the_failure_of_each_node() {
    let tree = Tree::new();
    for (name, inputs) in inputs(&tree) {
        let harness = Harness::new(registry());
        let runs = fail_each_node(&harness, &graphs()[&name], &inputs).await;
        assert!(runs.len() > 1, "{name}");
        if name == "source-audit" {
            the_audit_reports_whatever_fails(&runs);
        }
    }
}

/// What was done is reported, whichever scanner fails; only missing advisories are no failure.
fn the_audit_reports_whatever_fails(runs: &[Disturbed]) {
    for Disturbed { node, run } in runs {
        let reports = ["sarif", "markdown"];
        for report in reports.iter().filter(|report| node != **report) {
            let kept = run.events.iter().any(|event| {
                matches!(event.kind, EventKind::NodeArtifact(_))
                    && event.node_id().is_some_and(|id| id == *report)
            });
            assert!(kept, "with {node} failing there is no {report} report");
        }
        assert_eq!(run.outcome.is_completed(), node == "advisories", "{node}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_workflow_survives_the_repetition_of_each_node() {
    let tree = Tree::new();
    for (name, inputs) in inputs(&tree) {
        let harness = Harness::new(registry());
        let runs = repeat_each_node(&harness, &graphs()[&name], &inputs).await;
        assert!(runs.len() > 1, "{name}");
    }
}
