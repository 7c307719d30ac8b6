//! What a topology accepts, and what it tells.

use crate::schedule::{
    Edge, EdgeIx, EdgeKind, Join, NodeIx, PortIx, Topology, TopologyBuilder, TopologyError,
};

fn nodes(count: usize) -> TopologyBuilder {
    let mut builder = Topology::builder();
    for _ in 0..count {
        builder.add_node(Join::All);
    }
    builder
}

fn link(builder: &mut TopologyBuilder, source: u32, target: u32) -> EdgeIx {
    builder.add_edge(NodeIx(source), NodeIx(target), EdgeKind::Success, None)
}

#[test]
fn a_cycle_is_named_in_edge_order_from_its_lowest_node() {
    let mut builder = nodes(6);
    for (source, target) in [(0, 4), (4, 2), (2, 3), (3, 4), (3, 5), (1, 0)] {
        link(&mut builder, source, target);
    }
    let error = builder.build().expect_err("a cycle");
    let cycle = [2, 3, 4].map(NodeIx).to_vec();
    assert_eq!(error, TopologyError::Cycle { nodes: cycle });
    assert_eq!(
        error.to_string(),
        "cycle 2 -> 3 -> 4 -> 2: remove one of its edges"
    );
}

#[test]
fn a_node_that_leads_to_itself_is_a_cycle() {
    let mut builder = nodes(2);
    link(&mut builder, 1, 1);
    assert_eq!(
        builder.build().err(),
        Some(TopologyError::Cycle {
            nodes: vec![NodeIx(1)]
        })
    );
}

#[test]
fn an_edge_to_an_unknown_node_is_refused() {
    let mut builder = nodes(2);
    link(&mut builder, 0, 1);
    link(&mut builder, 1, 2);
    let error = TopologyError::UnknownNode {
        edge: EdgeIx(1),
        node: NodeIx(2),
        nodes: 2,
    };
    assert_eq!(builder.build().err(), Some(error));
}

#[test]
fn a_quorum_is_between_one_and_the_number_of_edges() {
    let build = |quorum| {
        let mut builder = nodes(2);
        let target = builder.add_node(Join::Quorum(quorum));
        link(&mut builder, 0, target.0);
        link(&mut builder, 1, target.0);
        builder.build().err()
    };
    let refused = |quorum| {
        Some(TopologyError::QuorumOutOfRange {
            node: NodeIx(2),
            quorum,
            incoming: 2,
        })
    };
    assert_eq!(
        [0, 1, 2, 3].map(build),
        [refused(0), None, None, refused(3)]
    );

    let mut alone = Topology::builder();
    alone.add_node(Join::Quorum(1));
    assert!(alone.build().is_err());
}

#[test]
fn nodes_and_edges_may_be_added_in_any_order() {
    let mut builder = nodes(3);
    let last = builder.add_edge(NodeIx(2), NodeIx(0), EdgeKind::Error, Some(PortIx(3)));
    let first = builder.add_edge(NodeIx(1), NodeIx(2), EdgeKind::Finally, None);
    let side = builder.add_edge(NodeIx(1), NodeIx(0), EdgeKind::Success, Some(PortIx(0)));
    let topology = builder.build().expect("valid");

    let expected = |id, source, target, kind, port| Edge {
        id,
        source: NodeIx(source),
        target: NodeIx(target),
        kind,
        port,
    };
    let last = expected(last, 2, 0, EdgeKind::Error, Some(PortIx(3)));
    let first = expected(first, 1, 2, EdgeKind::Finally, None);
    let side = expected(side, 1, 0, EdgeKind::Success, Some(PortIx(0)));
    assert_eq!(
        topology.out_edges(NodeIx(1)).collect::<Vec<_>>(),
        [first, side]
    );
    assert_eq!(
        topology.in_edges(NodeIx(0)).collect::<Vec<_>>(),
        [last, side]
    );
    assert_eq!(
        [0, 1, 2].map(|edge| topology.edge(EdgeIx(edge))),
        [last, first, side]
    );
    assert_eq!(topology.roots().collect::<Vec<_>>(), [NodeIx(1)]);
    assert_eq!((topology.node_count(), topology.edge_count()), (3, 3));
}

#[test]
fn nodes_and_edges_stay_as_small_as_documented() {
    assert_eq!(size_of::<super::super::progress::Node>(), 16);
    assert_eq!(size_of::<super::super::topology::OutEdge>(), 8);
    assert_eq!(size_of::<Join>(), 8);
}
