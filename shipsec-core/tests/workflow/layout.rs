//! The layered layout.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use shipsec_core::workflow::{
    Definition, Direction, Graph, Layout, LayoutOptions, NodePlace, Position,
};

use crate::support::{acyclic, compiled, numbered, ordered};

fn layout(graph: &Graph) -> Layout {
    Layout::of_plan(&compiled(graph).plan, &LayoutOptions::default())
}

fn places(layout: &Layout) -> BTreeMap<&str, &NodePlace> {
    layout
        .nodes
        .iter()
        .map(|place| (place.node.as_str(), place))
        .collect()
}

fn down() -> LayoutOptions {
    let mut options = LayoutOptions::default();
    options.direction = Direction::Down;
    options.node_width = 51;
    options.node_gap = 0;
    options
}

/// Whether it is a picture of the graph in which nothing overlaps and everything flows one way.
fn check(layout: &Layout, graph: &Graph, options: &LayoutOptions) -> Result<(), TestCaseError> {
    let places = places(layout);
    prop_assert_eq!(places.len(), graph.nodes.len());
    let (width, height) = (
        u64::from(options.node_width),
        u64::from(options.node_height),
    );
    let flows = |place: &NodePlace| match options.direction {
        Direction::Down => place.y,
        _ => place.x,
    };
    for edge in &graph.edges {
        let (source, target) = (places[edge.source.as_str()], places[edge.target.as_str()]);
        prop_assert!(source.layer < target.layer, "{edge:?}");
        prop_assert!(flows(source) < flows(target), "{edge:?}");
    }
    for (index, a) in layout.nodes.iter().enumerate() {
        prop_assert!(a.layer < layout.layers);
        prop_assert!(a.x + width <= layout.width && a.y + height <= layout.height);
        for b in &layout.nodes[index + 1..] {
            let beside = a.x + width <= b.x || b.x + width <= a.x;
            let above = a.y + height <= b.y || b.y + height <= a.y;
            prop_assert!(beside || above, "{a:?} {b:?}");
            prop_assert!((a.layer, a.order) < (b.layer, b.order));
        }
    }
    for bends in &layout.bends {
        let (source, target) = (places[bends.source.as_str()], places[bends.target.as_str()]);
        prop_assert!(target.layer - source.layer > 1 && !bends.points.is_empty());
        let mut last = flows(source);
        for point in &bends.points {
            prop_assert!(point.x <= layout.width && point.y <= layout.height);
            let along = if options.direction == Direction::Down {
                point.y
            } else {
                point.x
            };
            prop_assert!(last < along && along < flows(target));
            last = along;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_overlaps_and_every_edge_leads_on(graph in acyclic(40)) {
        let plan = compiled(&graph).plan;
        for options in [LayoutOptions::default(), down()] {
            let layout = Layout::of_plan(&plan, &options);
            check(&layout, &graph, &options)?;
            prop_assert_eq!(&layout, &Layout::of_plan(&plan, &options));
            prop_assert_eq!(&layout, &Layout::of_definition(plan.definition(), &options));
            let text = serde_json::to_string(&layout).unwrap();
            prop_assert_eq!(&layout, &serde_json::from_str::<Layout>(&text).unwrap());
        }
    }

    #[test]
    fn the_order_of_nodes_and_edges_changes_nothing(
        (graph, shuffled) in acyclic(40).prop_flat_map(|graph| {
            let nodes = Just(graph.nodes.clone()).prop_shuffle();
            let edges = Just(graph.edges.clone()).prop_shuffle();
            (Just(graph), nodes, edges)
        }).prop_map(|(graph, nodes, edges)| (graph.clone(), Graph { nodes, edges, ..graph }))
    ) {
        prop_assert_eq!(layout(&graph), layout(&shuffled));
    }
}

#[test]
fn a_small_graph_is_drawn_as_expected() {
    let graph = ordered([
        ("start", "walk"),
        ("walk", "secrets"),
        ("walk", "sbom"),
        ("sbom", "advisories"),
        ("secrets", "sarif"),
        ("advisories", "sarif"),
        ("sbom", "markdown"),
        ("secrets", "markdown"),
        ("advisories", "markdown"),
    ]);
    insta::assert_json_snapshot!(layout(&graph));
}

#[test]
fn where_people_put_nodes_does_not_matter() {
    let graph = ordered([("start", "a"), ("a", "b")]);
    let mut moved = graph.clone();
    moved.nodes[1].position = Some(Position { x: -1e9, y: 7.5 });
    assert_eq!(layout(&graph), layout(&moved));
}

#[test]
fn a_chain_is_straight_and_a_tree_has_no_crossing() {
    let chain: Vec<_> = (1..50).map(|n| (n - 1, n)).collect();
    let layout_of_chain = layout(&numbered(50, &chain));
    assert!(layout_of_chain.nodes.iter().all(|place| place.y == 0));

    let tree: Vec<_> = (1..63).map(|n| ((n - 1) / 2, n)).collect();
    let graph = numbered(63, &tree);
    let layout = layout(&graph);
    let places = places(&layout);
    for a in &graph.edges {
        for b in &graph.edges {
            let ends = [&a.source, &b.source, &a.target, &b.target].map(|id| places[id.as_str()]);
            if ends[0].layer == ends[1].layer && ends[0].order < ends[1].order {
                assert!(ends[2].order < ends[3].order, "{} {}", a.id, b.id);
            }
        }
    }
}

#[test]
fn a_node_that_only_feeds_one_far_away_stands_before_it() {
    // `late` has one source and two targets at the end: its edges are shorter there.
    let graph = ordered([
        ("start", "a"),
        ("a", "b"),
        ("b", "c"),
        ("c", "y"),
        ("c", "z"),
        ("start", "late"),
        ("late", "y"),
        ("late", "z"),
    ]);
    let layout = layout(&graph);
    let places = places(&layout);
    assert_eq!(places["late"].layer + 1, places["y"].layer);
    assert_eq!(
        layout.bends.len(),
        1,
        "start to late passes two layers: {:?}",
        layout.bends
    );
}

/// Graphs whose edges pass so many layers that a way-point for each would take all memory.
#[test]
fn a_tangle_is_laid_out_in_proportion_to_its_size() {
    const NODES: usize = 20_000;
    let last = NODES - 1;
    let chain = (1..NODES).map(|n| (n - 1, n));
    let to_the_end = (0..last - 1).map(|n| (n, last));
    let from_the_start = (2..last).map(|n| (0, n));
    let edges: Vec<_> = chain.chain(to_the_end).chain(from_the_start).collect();
    let layout = layout(&numbered(NODES, &edges));
    assert_eq!(layout.layers as usize, NODES + 1);
    assert_eq!(layout.nodes.len(), NODES + 1);
    let points: usize = layout.bends.iter().map(|bends| bends.points.len()).sum();
    assert!(points < 5 * (NODES + edges.len()), "{points}");
}

#[test]
fn a_definition_that_no_compiler_made_does_no_harm() {
    let graph = ordered([("start", "a"), ("a", "b"), ("b", "c")]);
    let mut definition = serde_json::to_value(compiled(&graph).plan.definition()).unwrap();
    let edges = definition["edges"].as_array_mut().unwrap();
    for (source, target) in [("c", "a"), ("c", "c"), ("a", "nowhere"), ("nobody", "b")] {
        let id = format!("{source}{target}");
        edges.push(json!({"id": id, "sourceRef": source, "targetRef": target, "kind": "success"}));
    }
    let definition: Definition = serde_json::from_value(definition).unwrap();
    let drawn = Layout::of_definition(&definition, &LayoutOptions::default());
    assert_eq!(drawn, layout(&graph));
}
