//! What the compiler says: each code once, and all of them together.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use shipsec_core::workflow::{
    Code, Diagnostics, EdgeKind, Graph, GraphNode, Layout, LayoutOptions, Plan, Severity, compile,
};

use crate::support::{edge, fanned, node, registry};

/// A graph from nodes (`id`, `type`, `config`) beside an entry point with the inputs `text` and
/// `flag`, and edges (`source.port`, `target.port`).
fn graph(nodes: &[(&str, &str, Json)], edges: &[(&str, &str)]) -> Json {
    let start = json!({"runtimeInputs": [{"id": "text", "type": "text"}, {"id": "flag", "type": "boolean"}]});
    let start = (
        "start",
        "core.workflow.entrypoint",
        json!({ "params": start }),
    );
    let nodes = std::iter::once(&start).chain(nodes).map(
        |(id, component, config)| json!({"id": id, "type": component, "data": {"config": config}}),
    );
    let edges = edges.iter().enumerate().map(|(at, (source, target))| {
        let (source, source_handle) = source.split_once('.').unzip_or(source);
        let (target, target_handle) = target.split_once('.').unzip_or(target);
        json!({"id": format!("e{at}"), "source": source, "target": target,
               "sourceHandle": source_handle, "targetHandle": target_handle})
    });
    json!({"name": "Case", "nodes": nodes.collect::<Vec<_>>(), "edges": edges.collect::<Vec<_>>()})
}

/// The parts of a text with a separator in it, or the whole.
trait UnzipOr<'a> {
    fn unzip_or(self, whole: &'a str) -> (&'a str, Option<&'a str>);
}

impl<'a> UnzipOr<'a> for Option<(&'a str, &'a str)> {
    fn unzip_or(self, whole: &'a str) -> (&'a str, Option<&'a str>) {
        self.map_or((whole, None), |(a, b)| (a, Some(b)))
    }
}

fn login(more: Json) -> Json {
    let mut config = json!({"params": {"depth": 3}, "inputOverrides": {"host": "h"}});
    for (key, value) in more.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    config
}

fn found(graph: &Json) -> Diagnostics {
    let graph = Graph::from_json(&graph.to_string()).unwrap();
    match compile(&graph, &registry()) {
        Ok(compiled) => compiled.warnings,
        Err(found) => found,
    }
}

/// Settings that nothing reads, in each place where some are.
fn misspelt() -> Json {
    let config =
        json!({"joinStratgy": "any", "retries": 3, "foreach": {"input": "value"}, "colour": 1});
    let mut graph = graph(&[("a", "test.pass", config)], &[("start", "a")]);
    graph["nodes"][1]["timeoutSeconds"] = json!(5);
    graph["nodes"][1]["verison"] = json!("1.0.0");
    graph["nodes"][1]["a/b"] = json!(1);
    graph["edges"][0]["targetHandel"] = json!("value");
    graph["edges"][0]["type"] = json!("error");
    graph["config"] = json!({"maxConcurency": 2, "x-mine": 1});
    graph["failurePolicy"] = json!("continue");
    graph
}

/// A graph for each code, made to earn that one first of all.
fn cases() -> Vec<(Code, Json)> {
    let none = json!({});
    let pass = |id: &'static str| (id, "test.pass", json!({}));
    let one = |config: Json| graph(&[("a", "test.login", login(config))], &[("start", "a")]);
    let mut twice = graph(&[pass("a"), pass("a")], &[("start", "a")]);
    twice["nodes"][2]["id"] = json!("a");
    let mut same_edge = graph(&[pass("a")], &[("start", "a"), ("start.text", "a.value")]);
    same_edge["edges"][1]["id"] = json!("e0");
    let mut version = graph(&[pass("a")], &[("start", "a")]);
    version["nodes"][1]["version"] = json!("3.0.0");
    let ports: Vec<Json> = (0..65_535)
        .map(|n| json!({"id": format!("p{n}"), "type": "any"}))
        .collect();
    let mut large = graph(&[], &[]);
    large["nodes"][0]["data"]["config"]["params"]["runtimeInputs"] = json!(ports);
    let grouped = |limit: u32| json!({"groupId": "g", "maxConcurrency": limit});
    let many: Vec<_> = (0..1001).map(|_| pass("a")).collect();
    vec![
        (
            Code::UnknownComponent,
            graph(&[("a", "test.pas", none.clone())], &[("start", "a")]),
        ),
        (Code::UnknownComponent, version),
        (
            Code::InvalidId,
            graph(&[pass("a\n\u{1b}[31m")], &[("start", "a\n\u{1b}[31m")]),
        ),
        (Code::DuplicateNode, twice),
        (Code::DuplicateEdge, same_edge),
        (
            Code::UnknownNode,
            graph(
                &[pass("walker")],
                &[("start", "walkr.value"), ("start", "walker")],
            ),
        ),
        (
            Code::UnknownPort,
            graph(&[pass("a")], &[("start.txt", "a.value")]),
        ),
        (
            Code::IncompatibleTypes,
            graph(
                &[
                    ("a", "test.login", login(none.clone())),
                    ("b", "test.login", login(none.clone())),
                ],
                &[("start", "a"), ("a.key", "b.names"), ("a.hosts", "b.count")],
            ),
        ),
        (
            Code::SeveralConnections,
            graph(
                &[("a", "test.login", login(none.clone()))],
                &[
                    ("start.text", "a.host"),
                    ("start.text", "a.host"),
                    ("start.flag", "a.host"),
                ],
            ),
        ),
        (Code::MissingInput, one(json!({"inputOverrides": {}}))),
        (
            Code::InvalidParameter,
            one(json!({"params": {"depth": 10, "dept": 1}})),
        ),
        (
            Code::InvalidParameter,
            one(json!({"params": {"apiKey": {"secretRef": "KEY"}}})),
        ),
        (
            Code::InvalidParameter,
            graph(
                &[("a", "test.pass", json!({"params": {"speed": {"a/b": 1}}}))],
                &[("start", "a")],
            ),
        ),
        (
            Code::InvalidValue,
            one(json!({"inputOverrides": {"host": "h", "count": "many", "names": 3}})),
        ),
        (Code::InvalidJoin, one(json!({"joinStrategy": "quorum:2"}))),
        (Code::InvalidJoin, one(json!({"joinStrategy": "most"}))),
        (
            Code::InvalidSetting,
            one(json!({
                "timeoutSeconds": -1, "maxConcurrency": 0,
                "retry": {"maxAttempts": 0, "backoffCoefficient": 0.5, "perKind": {"TimeoutError": {"initialIntervalSeconds": -2}}},
            })),
        ),
        (
            Code::InvalidForEach,
            graph(
                &[("a", "test.login", json!({"forEach": {"input": "host"}}))],
                &[("start", "a")],
            ),
        ),
        (Code::UnknownSetting, misspelt()),
        (Code::UnreachableNode, graph(&[pass("a")], &[])),
        (
            Code::NoEntryPoint,
            json!({"nodes": [{"id": "a", "type": "test.pass"}]}),
        ),
        (
            Code::SeveralEntryPoints,
            graph(
                &[("begin", "core.workflow.entrypoint", none.clone())],
                &[("start", "begin")],
            ),
        ),
        (
            Code::Cycle,
            graph(
                &[pass("a"), pass("b"), pass("c")],
                &[
                    ("start", "a"),
                    ("a", "b"),
                    ("b", "c"),
                    ("c", "a"),
                    ("c", "c"),
                ],
            ),
        ),
        (
            Code::LiteralSecret,
            one(json!({
                "params": {"depth": 2, "apiKey": "hunter2"},
                "inputOverrides": {"host": "h", "token": concat!("ghp", "_not-a-token")},
            })),
        ),
        (
            Code::GroupLimits,
            graph(
                &[
                    ("a", "test.pass", grouped(2)),
                    ("b", "test.pass", grouped(3)),
                ],
                &[("start", "a"), ("start", "b")],
            ),
        ),
        (Code::TooLarge, large),
        (Code::More, graph(&many, &[])),
    ]
}

#[test]
fn each_code_says_where_and_what_to_do() {
    let mut seen = BTreeSet::from([Code::InvalidDefinition]);
    let mut names: BTreeMap<Code, u32> = BTreeMap::new();
    for (code, graph) in cases() {
        let found = found(&graph);
        assert!(
            found.iter().any(|said| said.code == code),
            "{code}: {found}"
        );
        for said in &found {
            let graph = serde_json::to_value(&graph).unwrap();
            let there = graph.pointer(&said.path).is_some();
            // What is missing stands where it would have to be.
            let missing = matches!(said.code, Code::InvalidParameter) || said.path == "/nodes";
            assert!(there || missing, "{code}: no {} in the graph", said.path);
            assert!(
                !said.message.is_empty() && said.suggestion.is_some(),
                "{said}"
            );
            assert!(!said.to_string().contains("hunter2"), "{said}");
        }
        let first = if code == Code::More {
            vec![found.iter().last().unwrap()]
        } else {
            found.iter().collect()
        };
        seen.insert(code);
        let count = names.entry(code).and_modify(|n| *n += 1).or_insert(1);
        let name = format!("{code}-{count}");
        insta::assert_json_snapshot!(name, first);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), Code::ALL.to_vec());
}

#[test]
fn codes_are_their_names_on_the_wire() {
    for code in Code::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
}

#[test]
fn all_problems_are_said_at_once() {
    let mut all = graph(
        &[
            ("", "test.pass", json!({})),
            ("twin", "test.pass", json!({"joinStrategy": "quorum:9"})),
            (
                "twin",
                "test.pass",
                json!({"inputOverrides": {"nothing": 1}}),
            ),
            ("unknown", "test.gone", json!({"timeoutSeconds": 0})),
            (
                "login",
                "test.login",
                json!({"params": {"depth": "x"}, "inputOverrides": {"token": 1, "count": "x"}}),
            ),
            ("begin", "core.workflow.entrypoint", json!({})),
            ("x", "test.pass", json!({"retries": 1})),
            ("y", "test.pass", json!({})),
        ],
        &[
            ("start", "nobody"),
            ("login.key", "x.value"),
            ("start.text", "y.value"),
            ("start.text", "y.value"),
            ("x", "y"),
            ("y", "x"),
            ("start", "twin"),
        ],
    );
    all["edges"][6]["id"] = json!("e5");
    all["config"] = json!({"maxConcurrency": 0});
    let found = found(&all);
    let codes: BTreeSet<Code> = found.iter().map(|said| said.code).collect();
    let apart = [
        Code::NoEntryPoint,
        Code::InvalidForEach,
        Code::GroupLimits,
        Code::InvalidDefinition,
        Code::TooLarge,
        Code::More,
    ];
    let expected: BTreeSet<Code> = Code::ALL
        .into_iter()
        .filter(|code| !apart.contains(code))
        .collect();
    assert_eq!(codes, expected, "{found}");
    insta::assert_snapshot!(found);
}

#[test]
fn a_setting_that_is_not_known_does_not_keep_a_graph_from_running() {
    let registry = registry();
    let graph = Graph::from_json(&misspelt().to_string()).unwrap();
    let compiled = compile(&graph, &registry).unwrap();
    assert_eq!(compiled.warnings.len(), 11, "{}", compiled.warnings);
    // What nobody knows stays with the graph, and is in no plan.
    assert_eq!(graph.config.extra.len(), 2);
    assert!(compiled.plan.config().extra.is_empty());
    // A canvas that nobody knows may write its own at each node.
    let mut many: Vec<_> = vec![("a", "test.pass", json!({}))];
    many.resize(2000, many[0].clone());
    let mut many = self::graph(&many, &[]);
    for at in 1..=2000 {
        let id = format!("n{at}");
        many["nodes"][at]["id"] = json!(id);
        many["nodes"][at]["blink"] = json!(true);
        let edge = json!({"id": format!("e{at}"), "source": "start", "target": id});
        many["edges"].as_array_mut().unwrap().push(edge);
    }
    let graph = Graph::from_json(&many.to_string()).unwrap();
    let warnings = compile(&graph, &registry).unwrap().warnings;
    assert_eq!(warnings.len(), 101);
    let last = warnings.iter().last().unwrap();
    assert!(last.message.starts_with("1900 more"), "{last}");
}

#[test]
fn what_a_canvas_and_an_author_keep_for_themselves_is_no_setting() {
    let mut graph = graph(
        &[("a", "test.pass", json!({"mode": "normal"}))],
        &[("start", "a")],
    );
    let node = graph["nodes"][1].as_object_mut().unwrap();
    for key in "measured selected dragging width height style className zIndex positionAbsolute \
                parentId extent sourcePosition targetPosition draggable x-team _note $comment"
        .split_whitespace()
    {
        node.insert(key.to_owned(), json!({"of": "the canvas"}));
    }
    node.insert("blink".to_owned(), Json::Null);
    node["data"]["status"] = json!("idle");
    let edge = graph["edges"][0].as_object_mut().unwrap();
    for key in "animated style className zIndex markerEnd markerStart data label selected hidden \
                interactionWidth x-team _note"
        .split_whitespace()
    {
        edge.insert(key.to_owned(), json!(1));
    }
    edge.insert("type".to_owned(), json!("smoothstep"));
    let found = found(&graph);
    assert!(found.is_empty(), "{found}");
}

#[test]
fn one_mistake_is_not_told_twice() {
    // What an unknown node or component would have fed is not said to be missing as well.
    let graph = graph(
        &[
            ("a", "test.gone", json!({})),
            ("b", "test.login", json!({"params": {"depth": 1}})),
            ("c", "test.login", json!({"params": {"depth": 1}})),
        ],
        &[
            ("start", "a"),
            ("a.out", "b.host"),
            ("nobody.out", "c.host"),
        ],
    );
    let found = found(&graph);
    let codes: Vec<Code> = found.iter().map(|said| said.code).collect();
    assert_eq!(
        codes,
        [Code::UnknownComponent, Code::UnknownNode],
        "{found}"
    );
}

#[test]
fn what_only_the_canvas_knows_is_dropped() {
    let plan = compile(&fanned(), &registry()).unwrap().plan;
    assert!(plan.nodes().iter().all(|node| node.node.id != *"note"));
}

const IDS: [&str; 6] = ["start", "a", "b", "c", "", "\u{0}"];
const TYPES: [&str; 6] = [
    "core.workflow.entrypoint",
    "test.pass",
    "test.login",
    "test.gone",
    "core.ui.text",
    "\n",
];
const PORTS: [Option<&str>; 6] = [
    None,
    Some("value"),
    Some("host"),
    Some("key"),
    Some("names"),
    Some("text"),
];

fn any_node() -> impl Strategy<Value = GraphNode> {
    let configs = prop::sample::select(vec![
        json!({}),
        login(json!({})),
        login(json!({"joinStrategy": "any", "timeoutSeconds": 1e300})),
        json!({"params": {"runtimeInputs": [{"id": "text", "type": "text"}]}}),
        json!({"params": {"runtimeInputs": 7}, "joinStrategy": "quorum:1"}),
        json!({"inputOverrides": {"value": {"secretRef": "x"}, "host": null}, "groupId": "g", "maxConcurrency": 1}),
        json!({"retry": {"maxAttempts": 0}, "timeoutSeconds": -0.0}),
    ]);
    (
        0..IDS.len(),
        0..TYPES.len(),
        configs,
        prop::sample::select(vec![None, Some("1.0.0"), Some("x")]),
    )
        .prop_map(|(id, component, config, version)| {
            let mut node = node(IDS[id], TYPES[component]);
            node.data.config = serde_json::from_value(config).unwrap();
            node.version = version.map(str::to_owned);
            node
        })
}

fn any_graph() -> impl Strategy<Value = Graph> {
    let kinds = prop::sample::select(vec![EdgeKind::Success, EdgeKind::Error, EdgeKind::Finally]);
    let edges = (
        0..IDS.len(),
        0..IDS.len(),
        0..PORTS.len(),
        0..PORTS.len(),
        kinds,
    )
        .prop_map(|(source, target, from, to, kind)| {
            let mut edge = edge(IDS[source], IDS[target]);
            edge.source_handle = PORTS[from].map(Into::into);
            edge.target_handle = PORTS[to].map(Into::into);
            edge.kind = kind;
            edge
        });
    (
        prop::collection::vec(any_node(), 0..7),
        prop::collection::vec(edges, 0..8),
    )
        .prop_map(|(nodes, edges)| Graph {
            name: "Any".to_owned(),
            nodes,
            edges,
            ..Graph::default()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_graph_makes_the_compiler_panic(graph in any_graph()) {
        let registry = registry();
        match compile(&graph, &registry) {
            Ok(compiled) => {
                prop_assert!(!compiled.warnings.has_errors());
                let plan = compiled.plan;
                let restored = Plan::from_definition(plan.definition(), &registry).unwrap();
                prop_assert_eq!(plan.hash(), restored.hash());
                let layout = Layout::of_plan(&plan, &LayoutOptions::default());
                prop_assert_eq!(layout.nodes.len(), plan.nodes().len());
            }
            Err(found) => {
                prop_assert!(found.has_errors());
                let text = serde_json::to_value(&graph).unwrap();
                for said in &found {
                    prop_assert!(said.severity == Severity::Error || said.code == Code::GroupLimits);
                    let parent = said.path.rsplit_once('/').map_or("", |(parent, _)| parent);
                    let there = text.pointer(&said.path).or_else(|| text.pointer(parent));
                    prop_assert!(there.is_some(), "{said}");
                    prop_assert!(!said.to_string().chars().any(char::is_control), "{said:?}");
                }
            }
        }
    }
}
