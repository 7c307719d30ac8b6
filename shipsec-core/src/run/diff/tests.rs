//! Diffs of made-up logs.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{Change, Class, DiffOptions, IgnoreRule, diff, references};
use crate::{RunId, event::Event, run::RunView};

/// A run of a chain of nodes, each with parameters, outputs and what else its log says.
fn run(nodes: &Json) -> RunView {
    let mut definition = json!({
        "version": 1, "workflowId": "w", "title": "W", "entrypoint": {"ref": "start"},
        "nodes": {}, "edges": [], "dependencyCounts": {}, "actions": [], "config": {},
    });
    let nodes = nodes.as_array().unwrap();
    let mut before: Option<&str> = None;
    for node in nodes {
        let id = node["id"].as_str().unwrap();
        definition["nodes"][id] = json!({"ref": id, "label": node["label"]});
        let action = json!({"ref": id, "componentId": "test.node", "dependsOn": [],
            "componentVersion": node.get("version").unwrap_or(&json!("1.0.0")),
            "params": node.get("params").unwrap_or(&json!({}))});
        definition["actions"].as_array_mut().unwrap().push(action);
        let source = node.get("after").and_then(Json::as_str).or(before);
        if let Some(source) = source {
            let edge = json!({"id": format!("{source}-{id}"), "sourceRef": source, "targetRef": id,
                "sourceHandle": "out", "targetHandle": "in", "kind": "success"});
            definition["edges"].as_array_mut().unwrap().push(edge);
        }
        before = Some(id);
    }
    let mut events = vec![(
        None,
        "WORKFLOW_STATUS",
        json!({"status": "RUNNING", "definition": definition}),
    )];
    for node in nodes {
        let id = node["id"].as_str();
        let version = node.get("version").cloned().unwrap_or(json!("1.0.0"));
        events.push((
            id,
            "NODE_STARTED",
            json!({"componentId": "test.node", "componentVersion": version, "joinStrategy": "all"}),
        ));
        for _ in 0..node.get("logs").and_then(Json::as_u64).unwrap_or(0) {
            events.push((id, "NODE_LOG", json!({})));
        }
        for artifact in node
            .get("artifacts")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            let artifact = json!({"artifactId": "a", "name": artifact[0], "mediaType": "t", "size": 1,
                "sha256": artifact[1], "location": "l"});
            events.push((id, "NODE_ARTIFACT", artifact));
        }
        if let Some(error) = node.get("error") {
            let error = json!({"kind": "ValidationError", "message": error, "retryable": false});
            events.push((
                id,
                "NODE_FAILED",
                json!({"error": error, "willRetry": false}),
            ));
        } else {
            let took = node.get("ms").cloned().unwrap_or(json!(1.0));
            let mut payload = json!({"outputs": {"out": node["out"]}, "durationMs": took});
            if let Some(stored) = node.get("stored") {
                payload["outputs"] = json!({});
                payload["outputRefs"] =
                    json!({"out": {"location": "l", "size": 9, "sha256": stored}});
            }
            events.push((id, "NODE_COMPLETED", payload));
        }
    }
    let mut counter = std::collections::BTreeMap::new();
    let events: Vec<Event> = (1_u64..)
        .zip(events)
        .map(|(sequence, (node, event_type, payload))| {
            let counter = counter.entry(node).or_insert(0);
            *counter += 1;
            let mut event = json!({"runId": "r", "sequence": sequence, "type": event_type, "level": "info",
                "timestamp": "2025-10-16T09:12:03Z", "counter": counter, "payload": payload});
            if let Some(node) = node {
                event["nodeId"] = node.into();
                event["attempt"] = 1.into();
            }
            serde_json::from_value(event).unwrap()
        })
        .collect();
    RunView::from_events(RunId::parse("r").unwrap(), &events)
}

fn told(a: &Json, b: &Json, options: &DiffOptions) -> Vec<String> {
    let diff = diff(&run(a), &run(b), options);
    let line = |change: &Change| {
        let node = change.node_id.as_ref().map_or("-", |id| id.as_str());
        let shown =
            |side: &Option<Json>| side.as_ref().map_or("nothing".to_owned(), Json::to_string);
        let (before, after) = (shown(&change.before), shown(&change.after));
        format!(
            "{} {node} {}: {before} to {after}",
            change.class,
            change.path.join("/")
        )
    };
    diff.changes.iter().map(line).collect()
}

#[test]
fn findings_are_compared_one_by_one_in_any_order() {
    let finding = |id: &str, severity: &str| json!({"fingerprint": id, "severity": severity});
    let a = json!([{"id": "scan", "out": [finding("x", "low"), finding("y", "high"), finding("z", "low")]}]);
    let b = json!([{"id": "scan", "out": [finding("w", "low"), finding("z", "high"), finding("x", "low")]}]);
    insta::assert_snapshot!(told(&a, &b, &DiffOptions::default()).join("\n"), @r#"
    output scan out/fingerprint=y: {"fingerprint":"y","severity":"high"} to nothing
    output scan out/fingerprint=z/severity: "low" to "high"
    output scan out/fingerprint=w: nothing to {"fingerprint":"w","severity":"low"}
    "#);
}

#[test]
fn each_class_is_told() {
    let a = json!([
        {"id": "start", "out": 1},
        {"id": "gone", "out": 1},
        {"id": "same", "label": "Old name", "out": [1, 2], "after": "start"},
        {"id": "other", "out": {"n": 1}, "params": {"depth": 1}, "logs": 1, "artifacts": [["a", "1"]], "after": "start", "ms": 100.0},
        {"id": "fails", "out": 1, "after": "other"},
    ]);
    let b = json!([
        {"id": "start", "out": 1},
        {"id": "same", "label": "New name", "out": [2, 1], "after": "start"},
        {"id": "other", "version": "2.0.0", "out": {"n": 2}, "params": {"depth": 2}, "logs": 3, "artifacts": [["a", "2"]], "after": "same", "ms": 150.0},
        {"id": "fails", "error": "no", "after": "other"},
        {"id": "new", "out": 1, "after": "start"},
    ]);
    let options = DiffOptions::default().with_durations(0.2);
    insta::assert_snapshot!(told(&a, &b, &options).join("\n"), @r#"
    status fails : {"state":"COMPLETED"} to {"error":{"kind":"ValidationError","message":"no"},"state":"FAILED"}
    added new : nothing to {"component":"test.node@1.0.0","state":"COMPLETED"}
    removed gone : {"component":"test.node@1.0.0","state":"COMPLETED"} to nothing
    rewired other start.out/-success→/other.in: "start.out -success→ other.in" to nothing
    rewired other same.out/-success→/other.in: nothing to "same.out -success→ other.in"
    component-version other : "test.node@1.0.0" to "test.node@2.0.0"
    parameter other depth: 1 to 2
    input other in: nothing to nothing
    input fails in: nothing to nothing
    output same out/(order): [1,2] to [2,1]
    output other out/n: 1 to 2
    artifact other a: [{"sha256":"1","size":1}] to [{"sha256":"2","size":1}]
    logs other info: 1 to 3
    duration other : 100.0 to 150.0
    "#);
    let all = diff(&run(&a), &run(&b), &options);
    assert_eq!(all.counts.len(), Class::ALL.len());
    assert_eq!(all.unchanged_nodes, 1);
    assert!(all.has(&[Class::Added]) && !diff(&run(&a), &run(&a), &options).has(&Class::ALL));
    // A name is no more than a name.
    let again = serde_json::to_value(&all).unwrap();
    assert_eq!(
        serde_json::from_value::<super::RunDiff>(again).unwrap(),
        all
    );
}

#[test]
fn what_is_ignored_is_left_out_and_nothing_else() {
    let a =
        json!([{"id": "scan", "out": {"at": 1, "list": [{"id": "x", "seen": {"at": 1}, "n": 1}]}}]);
    let b =
        json!([{"id": "scan", "out": {"at": 2, "list": [{"id": "x", "seen": {"at": 2}, "n": 2}]}}]);
    let left = |rules: &[&str]| {
        let options = rules.iter().fold(DiffOptions::default(), |options, rule| {
            options.ignoring(rule.parse::<IgnoreRule>().unwrap())
        });
        let told = told(&a, &b, &options);
        told.iter()
            .map(|line| line.split_once(':').unwrap().0.to_owned())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let (at, seen, n) = (
        "output scan out/at",
        "output scan out/list/id=x/seen/at",
        "output scan out/list/id=x/n",
    );
    assert_eq!(left(&[]), [at, n, seen].join(", "));
    assert_eq!(left(&["**/at"]), n);
    assert_eq!(left(&["scan/out/at"]), [n, seen].join(", "));
    assert_eq!(left(&["scan/out/list/*/seen"]), [at, n].join(", "));
    assert_eq!(left(&["*/out/list"]), at);
    assert_eq!(left(&["other/out"]), [at, n, seen].join(", "));
    assert_eq!(left(&["scan"]), "");
    for bad in ["", "/", "scan//out", "scan/"] {
        assert!(bad.parse::<IgnoreRule>().is_err(), "{bad:?}");
    }
}

#[test]
fn outputs_kept_elsewhere_are_compared_by_digest_and_in_depth_when_given() {
    let a = json!([{"id": "scan", "stored": "aaaa"}]);
    let b = json!([{"id": "scan", "stored": "bbbb"}]);
    assert!(told(&a, &a, &DiffOptions::default()).is_empty());
    assert!(references(&run(&a), &run(&a)).is_empty());
    let wanted = references(&run(&a), &run(&b));
    assert_eq!(
        wanted
            .iter()
            .map(|stored| &*stored.sha256)
            .collect::<Vec<_>>(),
        ["aaaa", "bbbb"]
    );
    assert_eq!(
        told(&a, &b, &DiffOptions::default()),
        [r#"output scan out/sha256: "aaaa" to "bbbb""#]
    );
    let options = DiffOptions::default()
        .with_value("aaaa", json!({"n": 1, "m": 1}))
        .with_value("bbbb", json!({"n": 2, "m": 1}));
    assert_eq!(told(&a, &b, &options), ["output scan out/n: 1 to 2"]);
}

#[test]
fn an_input_that_follows_from_an_output_says_from_which() {
    let chain = |out: u32| run(&json!([{"id": "a", "out": out}, {"id": "b", "out": 1}]));
    let diff = diff(&chain(1), &chain(2), &DiffOptions::default());
    assert_eq!((diff.counts[&Class::Input], diff.following), (1, 1));
    let input = diff
        .changes
        .iter()
        .find(|change| change.class == Class::Input);
    assert_eq!(input.unwrap().from, ["a.out"]);
    let told = |change: &&Change| change.before.is_some() || change.after.is_some();
    assert_eq!(diff.changes.iter().filter(told).count(), 1);
}

#[test]
fn what_is_beyond_the_most_is_counted() {
    let list = |n: u32| json!([{"id": "scan", "out": (0..n).collect::<Vec<_>>()}]);
    let options = DiffOptions {
        most: 3,
        ..DiffOptions::default()
    };
    let diff = diff(&run(&list(0)), &run(&list(10)), &options);
    assert_eq!(
        (
            diff.changes.len(),
            diff.omitted,
            diff.counts[&Class::Output]
        ),
        (3, 7, 10)
    );
}

fn tree() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-3_i64..3).prop_map(Json::from),
        "[a-c]{0,2}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map("[a-c]|id|name", inner, 0..4)
                .prop_map(|fields| Json::Object(fields.into_iter().collect())),
        ]
    })
}

fn runs() -> impl Strategy<Value = Json> {
    let node = (tree(), tree(), 0_u64..3, any::<bool>());
    prop::collection::btree_map("[a-e]", node, 1..5).prop_map(|nodes| {
        let node = |(id, (out, param, logs, fails))| {
            let mut node = json!({"id": id, "out": out, "params": {"p": param}, "logs": logs});
            if fails {
                node["error"] = "no".into();
            }
            node
        };
        Json::Array(nodes.into_iter().map(node).collect())
    })
}

proptest! {
    #[test]
    fn a_run_does_not_differ_from_itself(a in runs()) {
        let view = run(&a);
        let diff = diff(&view, &view, &DiffOptions::default().with_durations(0.0));
        prop_assert!(diff.is_empty(), "{:?}", diff.changes);
        prop_assert_eq!(diff.unchanged_nodes, view.nodes().len());
    }

    #[test]
    fn what_differs_differs_the_other_way_round(a in runs(), b in runs()) {
        let there = diff(&run(&a), &run(&b), &DiffOptions::default());
        let back = diff(&run(&b), &run(&a), &DiffOptions::default());
        let mirrored = |class: &Class| match class {
            Class::Added => Class::Removed,
            Class::Removed => Class::Added,
            class => *class,
        };
        let counts: std::collections::BTreeMap<_, _> =
            back.counts.iter().map(|(class, count)| (mirrored(class), *count)).collect();
        prop_assert_eq!(&there.counts, &counts);
        prop_assert_eq!(there.is_empty(), run_equal(&a, &b));
    }
}

/// Whether two made-up runs say the same.
fn run_equal(a: &Json, b: &Json) -> bool {
    let shown = |runs: &Json| {
        let mut nodes: Vec<Json> = runs.as_array().unwrap().clone();
        for node in &mut nodes {
            if node.get("error").is_some() {
                // What failed gave nothing.
                node["out"] = Json::Null;
            }
        }
        Json::Array(nodes)
    };
    shown(a) == shown(b)
}
