//! Text, lists, JSON, decisions and secrets.

use serde_json::{Value as Json, json};
use shipsec_core::{
    ErrorKind,
    context::StaticSecrets,
    event::{EventKind, SkipReason},
};

use super::bench::Bench;

fn node(id: &str, component: &str, params: Json, inputs: Json) -> Json {
    let config = json!({ "params": params, "inputOverrides": inputs });
    json!({ "id": id, "type": component, "data": { "config": config } })
}

fn edge(from: &str, to: &str) -> Json {
    let part = |text: &str| {
        let (node, port) = text.split_once('.').unwrap_or((text, ""));
        let port = if port.is_empty() {
            Json::Null
        } else {
            port.into()
        };
        (node.to_owned(), port)
    };
    let ((source, out), (target, input)) = (part(from), part(to));
    json!({
        "id": format!("{from}>{to}"), "source": source, "target": target,
        "sourceHandle": out, "targetHandle": input,
    })
}

#[tokio::test]
async fn text_is_split_and_joined() {
    let nodes = json!([
        node(
            "split",
            "core.text.splitter",
            json!({ "separator": "," }),
            json!({ "text": "b, a,,b" })
        ),
        node(
            "node",
            "core.text.joiner",
            json!({ "separator": "\\n", "prefix": "- " }),
            json!({})
        ),
    ]);
    let edges = json!([edge("start", "split"), edge("split.items", "node.items")]);
    let ended = Bench::new().run_graph(nodes, edges).await;
    assert_eq!(ended.output("node", "text"), "- b\n- a\n- b");
    assert_eq!(ended.output("node", "count"), 3);
}

#[tokio::test]
async fn values_are_packed_into_a_list_of_their_type_and_picked_from_it() {
    let echo = |id: &str, value: Json| node(id, "dev.echo", json!({}), json!({ "value": value }));
    let pack = json!({ "inputs": ["x", "gone", "y"], "itemType": "text" });
    let nodes = json!([
        echo("one", json!("first")),
        echo("two", json!(2)),
        node("pack", "core.array.pack", pack, json!({})),
        node(
            "join",
            "core.text.joiner",
            json!({ "separator": "+" }),
            json!({})
        ),
        node("pick", "core.array.pick", json!({ "index": -1 }), json!({})),
    ]);
    let edges = json!([
        edge("start", "one"),
        edge("start", "two"),
        edge("one.value", "pack.x"),
        edge("two.value", "pack.y"),
        edge("pack.items", "join.items"),
        edge("pack.items", "pick.items"),
    ]);
    let ended = Bench::new().run_graph(nodes, edges).await;
    assert_eq!(ended.output("join", "text"), "first+2");
    assert_eq!(ended.output("pick", "item"), "2");
    assert_eq!(ended.output("pick", "index"), 1);
}

#[tokio::test]
async fn a_query_finds_parts_of_a_value() {
    let data = json!({ "findings": [
        { "severity": "high", "path": "a" }, { "severity": "low", "path": "b" },
    ]});
    let params = json!({ "query": "$.findings[?@.severity == 'high'].path" });
    let ended = Bench::new()
        .run("core.json.query", params, json!({ "data": data }))
        .await;
    assert_eq!(ended.output("node", "result"), json!(["a"]));
    assert_eq!(ended.output("node", "count"), 1);
    let params = json!({ "query": "$.findings[" });
    let ended = Bench::new()
        .run("core.json.query", params, json!({ "data": data }))
        .await;
    ended.failed(ErrorKind::Validation, "not a JSONPath query");
}

#[tokio::test]
async fn a_branch_takes_one_side_and_the_other_is_skipped() {
    let params = json!({ "operator": "greaterThan", "pointer": "/critical" });
    let inputs = json!({ "value": { "critical": 2 }, "compareTo": 0 });
    let nodes = json!([
        node("branch", "core.logic.branch", params, inputs),
        node("alarm", "dev.echo", json!({}), json!({})),
        node("calm", "dev.echo", json!({}), json!({})),
    ]);
    let edges = json!([
        edge("start", "branch"),
        edge("branch.true", "alarm.value"),
        edge("branch.false", "calm.value"),
    ]);
    let ended = Bench::new().run_graph(nodes, edges).await;
    assert_eq!(ended.output("alarm", "value"), json!({ "critical": 2 }));
    let skipped = ended.events().iter().find_map(|event| match &event.kind {
        EventKind::NodeSkipped(skipped) => {
            Some((event.node_id().unwrap().as_str(), skipped.reason))
        }
        _ => None,
    });
    assert_eq!(skipped, Some(("calm", SkipReason::BranchNotTaken)));
}

#[tokio::test]
async fn a_secret_is_fetched_and_never_recorded() {
    let value = concat!("made", "-up-value-0815");
    let bench = Bench::with_secrets(StaticSecrets::new().with("KEY", value));
    let ended = bench
        .run("core.secret.fetch", json!({ "name": "KEY" }), json!({}))
        .await;
    assert_eq!(
        ended.output("node", "secret"),
        json!({ "secretRef": "KEY" })
    );
    assert!(!ended.jsonl().contains(value));
    let ended = bench
        .run("core.secret.fetch", json!({ "name": "OTHER" }), json!({}))
        .await;
    ended.failed(ErrorKind::Configuration, "OTHER");
}
