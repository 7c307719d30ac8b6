//! Graphs that nobody should have written. Each gets a clear error of bounded length, soon.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use shipsec_core::workflow::{
    Code, Diagnostics, Graph, GraphError, Layout, LayoutOptions, Plan, compile,
};

use crate::support::{compiled, edge, fanned, node, numbered, registry};

/// Runs on a stack much smaller than a main thread's.
fn on_a_small_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(1 << 20);
        thread.spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}

fn refused(text: &str) -> GraphError {
    let error = on_a_small_stack(|| Graph::from_json(text).unwrap_err());
    let shown = error.to_string();
    assert!(shown.len() < 4000, "{} bytes", shown.len());
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    error
}

/// What the compiler says, after a look at each of it.
fn bounded(graph: &Graph) -> Diagnostics {
    let found = on_a_small_stack(|| compile(graph, &registry())).unwrap_err();
    assert!(found.len() <= 1001);
    for said in &found {
        assert!(said.message.chars().count() <= 1001, "{said}");
        assert!(said.path.len() <= 2000, "{} bytes", said.path.len());
        assert!(!said.to_string().chars().any(char::is_control), "{said:?}");
    }
    found
}

#[test]
fn a_graph_that_is_cut_off_says_where() {
    let text = serde_json::to_string_pretty(&fanned()).unwrap();
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        let error = refused(&text[..end]);
        assert!(error.line <= text[..end].split('\n').count(), "{error}");
    }
    assert!(Graph::from_json(&text).is_ok());
}

#[test]
fn nesting_has_a_limit() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [200, 10_000, 1_000_000] {
            let (open, close) = (open.repeat(depth), close.repeat(depth));
            let whole = refused(&format!("{open}1{close}"));
            assert!(!whole.message.is_empty());
            for deep in [format!("{open}1{close}"), open.clone()] {
                let error = refused(&format!(
                    r#"{{"nodes": [{{"id": "a", "type": "t", "data": {{"config": {{"params": {{"p": {deep}"#
                ));
                assert_eq!(error.message, "nested deeper than 128 levels");
                assert!(
                    error.path.starts_with("/nodes/0/data/config/params"),
                    "{error}"
                );
            }
            let unknown = refused(&format!(r#"{{"unknown": {open}"#));
            assert_eq!(unknown.message, "nested deeper than 128 levels");
        }
    }
}

#[test]
fn numbers_that_do_not_fit_are_refused_where_they_stand() {
    let digits = "9".repeat(100_000);
    for (number, field) in [
        ("1e400", "timeoutSeconds"),
        (digits.as_str(), "timeoutSeconds"),
        ("4294967296", "maxConcurrency"),
        ("-1", "maxConcurrency"),
        ("1.5", "maxConcurrency"),
        ("NaN", "timeoutSeconds"),
        ("0x10", "maxConcurrency"),
        ("01", "maxConcurrency"),
    ] {
        let error = refused(&format!(r#"{{"config": {{"{field}": {number}}}}}"#));
        assert!(error.path.starts_with("/config"), "{error}");
    }
    // As JavaScript does, a whole number that is too large for 64 bits is read as the nearest.
    let large = Graph::from_json(r#"{"x": 18446744073709551616}"#).unwrap();
    assert_eq!(large.extra["x"], json!(18446744073709551616.0));
}

#[test]
fn what_is_said_twice_is_refused() {
    for (text, path) in [
        (r#"{"name": "a", "name": "b"}"#, ""),
        (r#"{"nodes": [], "nodes": []}"#, ""),
        (
            r#"{"nodes": [{"id": "a", "type": "t", "id": "b"}]}"#,
            "/nodes/0",
        ),
        (
            r#"{"edges": [{"id": "a", "source": "t", "source": "b"}]}"#,
            "/edges/0",
        ),
        (
            r#"{"nodes": [{"id": "a", "type": "t", "data": {"config": {"inputOverrides": {"x": 1, "x": 1}}}}]}"#,
            "/nodes/0/data/config/inputOverrides",
        ),
    ] {
        let error = refused(text);
        assert_eq!(error.path, path, "{error}");
        let twice = ["duplicate field", "is there twice"];
        assert!(
            twice.iter().any(|twice| error.message.contains(twice)),
            "{error}"
        );
    }
}

#[test]
fn a_value_of_the_wrong_kind_says_which_was_expected() {
    let long = "x".repeat(1 << 20);
    for text in [
        r#"{"nodes": {}}"#.to_owned(),
        r#"{"nodes": [null]}"#.to_owned(),
        r#"{"nodes": [[]]}"#.to_owned(),
        r#"{"nodes": [{"id": {}, "type": "t"}]}"#.to_owned(),
        r#"{"edges": [{"id": "e", "source": "a", "target": "b", "kind": 3}]}"#.to_owned(),
        format!(r#"{{"edges": [{{"id": "e", "source": "a", "target": "b", "kind": "{long}"}}]}}"#),
        format!(r#"{{"viewport": "{long}"}}"#),
        format!(
            r#"{{"nodes": [{{"id": "a", "type": "t", "data": {{"config": {{"params": {{"{long}": 1, "{long}": 2}}}}}}}}]}}"#
        ),
    ] {
        let error = refused(&text);
        let what = ["expected", "is there twice"];
        assert!(
            what.iter().any(|what| error.message.contains(what)),
            "{error}"
        );
    }
}

#[test]
fn odd_names_stay_out_of_terminals() {
    let odd = ["\u{0}", "a\nb", "\u{1b}[2J", "\u{7f}", "\u{9b}31m", "\r"];
    for name in odd {
        let mut graph = fanned();
        graph.name = name.to_owned();
        graph.nodes[0].data.label = Some(name.to_owned());
        let text = serde_json::to_string(&graph).unwrap();
        assert_eq!(
            Graph::from_json(&text).unwrap(),
            graph,
            "titles are free text"
        );
        assert!(compile(&graph, &registry()).is_ok());
        // Everywhere else.
        graph.nodes.push(node(name, name));
        graph.nodes[3].version = Some(name.to_owned());
        let config = &mut graph.nodes[4].data.config;
        config.join_strategy = Some(name.to_owned());
        config.input_overrides.insert(name.into(), json!(name));
        config.params.insert(name.to_owned(), json!(name));
        let mut odd_edge = edge(name, name);
        odd_edge.source_handle = Some(name.into());
        odd_edge.target_handle = Some(name.into());
        graph.edges.push(odd_edge);
        graph.edges.push(edge("start", name));
        let codes: Vec<Code> = bounded(&graph).iter().map(|said| said.code).collect();
        for code in [
            Code::InvalidId,
            Code::UnknownComponent,
            Code::InvalidJoin,
            Code::UnknownPort,
        ] {
            assert!(codes.contains(&code), "{name:?}: {code} of {codes:?}");
        }
        // A raw control character is no JSON at all.
        if name.chars().all(|c| u32::from(c) < 0x20) {
            refused(&format!("{{\"name\": \"{name}\"}}"));
        }
    }
}

#[test]
fn names_of_any_length_make_no_long_message() {
    let long = "long/~".repeat(200_000);
    let mut graph = fanned();
    graph.nodes.push(node(&long, &long));
    graph.nodes[4]
        .data
        .config
        .input_overrides
        .insert(long.as_str().into(), json!(long));
    graph.nodes[4]
        .data
        .config
        .params
        .insert(long.clone(), json!(long));
    graph.nodes[3].data.config.join_strategy = Some(long.clone());
    graph.edges.push(edge(&long, "nobody"));
    graph.edges[0].source_handle = Some(long.as_str().into());
    bounded(&graph);
}

#[test]
fn a_hundred_thousand_nodes_are_no_problem() {
    const NODES: usize = 100_000;
    let edges: Vec<_> = (1..NODES).map(|n| (n / 2, n)).collect();
    let graph = numbered(NODES, &edges);
    let text = serde_json::to_string(&graph).unwrap();
    let read = Graph::from_json(&text).unwrap();
    assert_eq!(read, graph);
    let plan = on_a_small_stack(|| compiled(&read).plan);
    assert_eq!(plan.nodes().len(), NODES + 1);
    let layout = on_a_small_stack(|| Layout::of_plan(&plan, &LayoutOptions::default()));
    assert_eq!(layout.nodes.len(), NODES + 1);
}

#[test]
fn a_chain_of_a_hundred_thousand_nodes_needs_no_stack() {
    const NODES: usize = 100_000;
    let edges: Vec<_> = (1..NODES).map(|n| (n - 1, n)).collect();
    let graph = numbered(NODES, &edges);
    on_a_small_stack(|| {
        let plan = compiled(&graph).plan;
        let layout = Layout::of_plan(&plan, &LayoutOptions::default());
        assert_eq!(layout.layers as usize, NODES + 1);
        let restored = Plan::from_definition(plan.definition(), &registry()).unwrap();
        assert_eq!(restored.hash(), plan.hash());
    });
}

#[test]
fn a_circle_of_a_hundred_thousand_nodes_is_named() {
    const NODES: usize = 100_000;
    let edges: Vec<_> = (0..NODES).map(|n| (n, (n + 1) % NODES)).collect();
    let mut graph = numbered(NODES, &edges);
    graph.edges.push(edge("start", "n0"));
    let found = bounded(&graph);
    let said = found.iter().next().unwrap();
    assert_eq!((found.len(), said.code), (1, Code::Cycle));
    let expected = r#"edges lead in a circle: "n0" → "n1" → "n2" → "n3" → "n4" → "n5" → … (99989 more) … → "n99995" →"#;
    assert!(said.message.starts_with(expected), "{said}");
}

#[test]
fn a_million_edges_into_one_node_are_looked_at_once() {
    let mut graph = numbered(2, &[(0, 1)]);
    let more = (0..1_000_000).map(|n| {
        let mut edge = edge("n0", "n1");
        edge.id = format!("more{n}").into();
        edge.source_handle = Some("value".into());
        edge.target_handle = Some("value".into());
        edge
    });
    graph.edges.extend(more);
    let found = bounded(&graph);
    let codes: Vec<Code> = found.iter().map(|said| said.code).collect();
    assert_eq!(codes, [Code::SeveralConnections]);
    graph.nodes[2].data.config.join_strategy = Some("any".to_owned());
    let plan = compiled(&graph).plan;
    assert_eq!(plan.definition().edges.len(), 1_000_002);
    let last = plan.definition().actions.last().unwrap();
    assert_eq!(last.depends_on.len(), 1);
}

#[test]
fn sixty_thousand_ports_are_found_without_a_search_for_each() {
    const PORTS: usize = 60_000;
    let port = |n: usize| format!("p{n}");
    let inputs: Vec<Json> = (0..PORTS)
        .map(|n| json!({"id": port(n), "type": "text"}))
        .collect();
    let mut graph = numbered(1, &[]);
    let params = &mut graph.nodes[0].data.config.params;
    params.insert("runtimeInputs".to_owned(), json!(inputs));
    graph.nodes[1].data.config.join_strategy = Some("any".to_owned());
    let handles = (0..PORTS).map(|n| {
        let mut edge = edge("start", "n0");
        edge.id = port(n).into();
        edge.source_handle = Some(port(n).as_str().into());
        edge.target_handle = Some("value".into());
        edge
    });
    graph.edges.extend(handles);
    assert_eq!(compiled(&graph).plan.nodes()[1].mappings.len(), PORTS);
    // As many mistakes, each of which could list all of them.
    for edge in &mut graph.edges {
        edge.source_handle = edge
            .source_handle
            .take()
            .map(|id| format!("{id}x").as_str().into());
    }
    assert_eq!(bounded(&graph).len(), 1001);
}

#[test]
fn a_hundred_thousand_mistakes_of_each_kind_are_told_in_part() {
    let mut graph = fanned();
    for n in 0..100_000 {
        graph.nodes.push(node("twin", &format!("test.pass{n}")));
        graph.edges.push(edge(&format!("nobody{n}"), "a"));
    }
    let found = bounded(&graph);
    assert_eq!(found.len(), 1001);
    assert_eq!(found.iter().last().unwrap().code, Code::More);
}

#[test]
fn what_studio_writes_and_this_does_not_know_is_kept() {
    let text = r##"{
        "name": "From the canvas", "organizationId": null, "tags": ["a"],
        "nodes": [
            {"id": "start", "type": "core.workflow.entrypoint", "position": {"x": 12.5, "y": -3},
             "width": 180, "selected": false, "dragging": false, "measured": {"width": 180},
             "data": {"label": "Entry", "status": "idle", "config": {"params": {"runtimeInputs": [
                {"id": "word", "label": "Word", "type": "text", "required": false, "hint": "any"}]},
                "inputOverrides": {}, "mode": "thin"}}},
            {"id": "box", "type": "core.ui.text", "position": {"x": 0, "y": 0}, "zIndex": -1,
             "data": {"label": "Note", "config": {"params": {"content": "# Hello"}}}},
            {"id": "a", "type": "test.pass", "position": {"x": 1, "y": 1},
             "data": {"label": "A", "config": {"params": {}, "inputOverrides": {}}}}],
        "edges": [
            {"id": "e", "source": "start", "target": "a", "sourceHandle": "word",
             "targetHandle": "value", "type": "smoothstep", "animated": true, "style": {"stroke": "#999"}},
            {"id": "f", "source": "box", "target": "a", "sourceHandle": null, "targetHandle": null}],
        "viewport": {"x": 0, "y": 0, "zoom": 1}}"##;
    let graph = Graph::from_json(text).unwrap();
    let mut written = serde_json::to_value(&graph).unwrap();
    let mut expected: Json = serde_json::from_str(text).unwrap();
    // Nothing is lost but nulls and empty objects that say nothing.
    for tree in [&mut written, &mut expected] {
        strip(tree);
    }
    assert_eq!(
        written.to_string(),
        expected.to_string().replace("-3,", "-3.0,")
    );
    let compiled = compiled(&graph);
    assert!(compiled.warnings.is_empty(), "{}", compiled.warnings);
    let plan = compiled.plan;
    let ids: Vec<&str> = plan
        .nodes()
        .iter()
        .map(|node| node.node.id.as_str())
        .collect();
    assert_eq!(ids, ["start", "a"]);
    assert_eq!(plan.definition().edges.len(), 1);
}

/// Takes out nulls and empty objects, and makes all numbers floats.
fn strip(tree: &mut Json) {
    match tree {
        Json::Object(fields) => {
            fields.values_mut().for_each(strip);
            fields.retain(|_, value| !value.is_null() && *value != json!({}));
        }
        Json::Array(items) => items.iter_mut().for_each(strip),
        Json::Number(number) => *tree = json!(number.as_f64()),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_text_is_refused_or_read_and_never_worse(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..6),
    ) {
        let mut text: Vec<char> = serde_json::to_string(&fanned()).unwrap().chars().collect();
        for (at, c) in damage {
            let at = at.index(text.len());
            text[at] = c;
        }
        let text: String = text.into_iter().collect();
        match Graph::from_json(&text) {
            Ok(graph) => {
                let _ = compile(&graph, &registry()).map_err(|found| found.to_string());
            }
            Err(error) => {
                prop_assert!(error.line <= text.split('\n').count() && error.column >= 1);
                prop_assert!(error.column <= text.chars().count() + 1);
            }
        }
    }

    #[test]
    fn any_text_is_refused_with_its_place(text in any::<String>()) {
        if let Err(error) = Graph::from_json(&text) {
            prop_assert!(error.line <= text.split('\n').count(), "{}", error);
        }
    }
}
