//! Plans from stored definitions.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use shipsec_core::{
    Registry, RunId,
    event::{
        DefinitionSource, Event, EventKind, HashSource, Record, StatusPayload, WorkflowStatus,
    },
    workflow::{Code, Definition, Diagnostics, EdgeKind, Graph, GraphNode, Plan, Position},
};

use crate::support::{acyclic, compiled, fanned, ordered, registry, versions};

/// What the first event of a log holds, read back.
fn stored(plan: &std::sync::Arc<Plan>) -> (Definition, String) {
    let mut payload = StatusPayload::new(WorkflowStatus::Queued);
    payload.definition = Some(DefinitionSource::of(plan));
    payload.definition_hash = Some(HashSource::of(plan));
    let kind = EventKind::WorkflowStatus(Box::new(payload));
    let timestamp = "2025-10-16T09:12:03.123456Z".parse().unwrap();
    let event = Event {
        run_id: RunId::parse("r").unwrap(),
        sequence: 1,
        record: Record::new(timestamp, None, 0, 1, kind),
    };
    let text = serde_json::to_string(&event).unwrap();
    let event: Event = serde_json::from_str(&text).unwrap();
    let EventKind::WorkflowStatus(payload) = &event.kind else {
        panic!("{:?}", event.kind);
    };
    let definition = payload.definition.as_ref().unwrap().get();
    let hash = payload.definition_hash.as_ref().unwrap().as_str();
    ((**definition).clone(), hash.to_owned())
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        prop::num::f64::NORMAL.prop_map(Json::from),
        any::<String>().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|fields| Json::Object(fields.into_iter().collect())),
        ]
    })
}

/// Writes all kinds of things at a node.
fn decorate(node: &mut GraphNode, seed: u8, value: &Json, number: f64) {
    let config = &mut node.data.config;
    if node.component == "test.pass" {
        if seed & 1 > 0 {
            config.input_overrides = BTreeMap::from([("value".into(), value.clone())]);
        }
        if seed & 2 > 0 {
            node.version = Some(if seed & 4 > 0 { "1.0.0" } else { "2.0.0-rc.1" }.to_owned());
        }
        let joins = ["all", "any", "first", "quorum:1", "settled"];
        config.join_strategy = Some(joins[usize::from(seed) % 5].to_owned());
    } else {
        let input = json!({"id": "x", "type": "json", "default": value});
        config
            .params
            .insert("runtimeInputs".to_owned(), json!([input]));
    }
    node.position = (seed & 8 > 0).then_some(Position {
        x: number,
        y: -number,
    });
    node.data.label = (seed & 16 > 0).then(|| format!("Label\n{seed}\u{1b}"));
    config.timeout_seconds = (seed & 32 > 0).then_some(f64::from(seed) / 7.0);
    config.group_id = (seed & 64 > 0).then(|| format!("g{}", seed % 3));
    config.max_concurrency = (seed & 128 > 0).then_some(u32::from(seed));
    config.stream_id = (seed & 3 == 3).then(|| "s".to_owned());
    config.retry = (seed & 5 == 5).then(|| {
        serde_json::from_value(json!({"backoffCoefficient": 1.0 + 1.0 / f64::from(seed)})).unwrap()
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_read_back_from_a_log_makes_the_same_plan(
        mut graph in acyclic(12),
        seeds in prop::collection::vec((any::<u8>(), json(), prop::num::f64::NORMAL), 13),
        title in any::<String>(),
        shuffle in any::<bool>(),
    ) {
        graph.name = title;
        for (node, (seed, value, number)) in graph.nodes.iter_mut().zip(&seeds) {
            decorate(node, *seed, value, *number);
        }
        for (edge, (seed, ..)) in graph.edges.iter_mut().zip(&seeds) {
            // A node can have any edges into its one input where it starts on one of them.
            match seed % 4 {
                0 => edge.kind = EdgeKind::Finally,
                1 => edge.kind = EdgeKind::Error,
                2 if edge.source == "start" => edge.source_handle = Some("x".into()),
                _ => {}
            }
        }
        if shuffle {
            graph.nodes.reverse();
        }
        let plan = compiled(&graph).plan;
        let (definition, hash) = stored(&plan);
        prop_assert_eq!(&definition, &**plan.definition());
        prop_assert_eq!(&hash, &**plan.hash());
        let restored = Plan::from_definition(&definition, &registry()).unwrap();
        prop_assert_eq!(restored.definition(), plan.definition());
        prop_assert_eq!(restored.hash(), plan.hash());
        let shape = |plan: &Plan| {
            let nodes = plan.nodes().iter().map(|node| {
                format!(
                    "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
                    node.node, node.component, node.mappings, node.join, node.retry, node.timeout,
                    node.group, node.direct
                )
            });
            nodes.collect::<Vec<_>>()
        };
        prop_assert_eq!(shape(&restored), shape(&plan));
        prop_assert_eq!(restored.entrypoint(), plan.entrypoint());
    }
}

fn restore(definition: &Json, registry: &Registry) -> Result<(), Diagnostics> {
    let definition = serde_json::from_value(definition.clone()).unwrap();
    Plan::from_definition(&definition, registry).map(drop)
}

fn definition(graph: &Graph) -> Json {
    serde_json::to_value(compiled(graph).plan.definition()).unwrap()
}

#[test]
fn a_definition_is_what_scheduling_needs() {
    insta::assert_json_snapshot!(compiled(&fanned()).plan.definition());
}

#[test]
fn the_hash_of_a_definition_does_not_change() {
    // Logs hold it: another value means that stored plans are no longer recognised.
    let expected = "2689beb5";
    assert_eq!(compiled(&fanned()).plan.hash()[..8], *expected);
}

#[test]
fn components_that_are_gone_are_named_with_what_is_there() {
    let definition = definition(&ordered([("start", "a"), ("a", "b")]));
    let mut other = definition.clone();
    other["actions"][1]["componentVersion"] = json!("7.0.0");
    other["actions"][2]["componentId"] = json!("test.past");
    let found = restore(&other, &registry()).unwrap_err();
    insta::assert_snapshot!(found);
    assert!(restore(&definition, &versions(&["1.0.0"])).is_err());
    assert!(restore(&definition, &versions(&["2.0.0"])).is_ok());
}

#[test]
fn a_definition_that_contradicts_itself_makes_no_plan() {
    let good = definition(&fanned());
    let changes: [(&str, Json); 9] = [
        ("/version", json!(2)),
        ("/entrypoint/ref", json!("a")),
        ("/dependencyCounts/join", json!(7)),
        ("/actions/1/dependsOn", json!([])),
        ("/actions/1/inputMappings/value/sourceHandle", json!(null)),
        ("/actions/2/ref", json!("nobody")),
        ("/edges/0/targetRef", json!("nobody")),
        ("/edges/1/sourceHandle", json!("nothing")),
        ("/nodes/join/joinStrategy", json!("quorum:9")),
    ];
    let mut told = String::new();
    for (pointer, value) in changes {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        let found = restore(&changed, &registry()).unwrap_err();
        assert!(found.has_errors());
        told += &format!("{pointer}\n{found}\n\n");
    }
    insta::assert_snapshot!(told);
    let mut backwards = good.clone();
    backwards["actions"].as_array_mut().unwrap().swap(1, 2);
    let found = restore(&backwards, &registry());
    assert!(
        found.is_ok(),
        "nodes that do not depend on each other may stand in any order"
    );
    backwards["actions"].as_array_mut().unwrap().swap(0, 3);
    let found = restore(&backwards, &registry()).unwrap_err();
    assert_eq!(found.iter().next().unwrap().code, Code::InvalidDefinition);
}
