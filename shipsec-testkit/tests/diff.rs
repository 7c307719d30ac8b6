//! What components declare to differ from run to run.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use shipsec_core::{
    ComponentError, Context, Contract, NoParams, NoPorts, Ports, Registry, component,
    run::{
        RunView,
        diff::{DiffOptions, diff},
    },
    workflow::{EntryPoint, Graph},
};
use shipsec_testkit::Harness;

#[derive(Clone, Serialize, Deserialize, JsonSchema, Contract)]
#[contract(id = "test.finding.v1")]
struct Finding {
    fingerprint: String,
    #[schemars(extend("x-volatile" = true))]
    seen: u32,
    weight: u32,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Found {
    /// Findings.
    findings: Vec<Finding>,
}

static RUNS: AtomicU32 = AtomicU32::new(0);

/// Finds one thing, at another time and of another weight each time.
#[component(id = "test.find", version = "1.0.0", category = "test")]
async fn find(_: NoPorts, _: NoParams, _: &Context) -> Result<Found, ComponentError> {
    let run = RUNS.fetch_add(1, Ordering::SeqCst);
    let finding = |fingerprint: &str| Finding {
        fingerprint: fingerprint.to_owned(),
        seen: run,
        weight: run,
    };
    Ok(Found {
        findings: vec![finding("a"), finding("b")],
    })
}

#[tokio::test]
async fn what_is_declared_volatile_is_not_compared() {
    let registry = || {
        let mut registry = Registry::new();
        registry.register_dyn(Arc::new(EntryPoint::new())).unwrap();
        registry.register(Find).unwrap();
        registry
    };
    let graph: Graph = serde_json::from_value(json!({
        "nodes": [{"id": "start", "type": "core.workflow.entrypoint"}, {"id": "scan", "type": "test.find"}],
        "edges": [{"id": "e", "source": "start", "target": "scan"}],
    }))
    .unwrap();
    let harness = Harness::new(registry());
    let mut views = Vec::new();
    for _ in 0..2 {
        let run = harness.run(&graph, Map::new()).await;
        views.push(RunView::from_events(
            run.outcome.run_id.clone(),
            &run.events,
        ));
    }
    let paths = |options: &DiffOptions| {
        let diff = diff(&views[0], &views[1], options);
        let paths = diff.changes.iter().map(|change| change.path.join("/"));
        paths.collect::<Vec<_>>().join(" ")
    };
    let (seen, weight) = (
        "findings/fingerprint=a/seen",
        "findings/fingerprint=a/weight",
    );
    let all = paths(&DiffOptions::default());
    assert!(all.contains(seen) && all.contains(weight), "{all}");
    let left = paths(&DiffOptions::default().without_volatile(&registry()));
    assert_eq!(
        left,
        "findings/fingerprint=a/weight findings/fingerprint=b/weight"
    );
}
