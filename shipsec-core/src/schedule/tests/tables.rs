//! The rows of the two tables, and the calls themselves.

use super::graph::Graph;
use crate::schedule::{
    Command, EdgeState, FailurePolicy, Join, NodeIx, NodeState, Outcome, RunResult, ScheduleError,
};

const NOTHING: [&str; 0] = [];

/// `a` with one edge of each kind to a node of its own.
fn each_kind() -> Graph {
    Graph::new()
        .nodes(["a", "next", "handler", "cleanup"])
        .success("a", "next")
        .error("a", "handler")
        .finally("a", "cleanup")
}

#[test]
fn success_fires_success_and_finally_edges() {
    let mut run = each_kind().run(["a"]);
    let commands = [
        "start next by a",
        "skip handler: no-failure-to-handle of a",
        "start cleanup by a",
    ];
    assert_eq!(run.succeed("a"), commands);
    assert_eq!(
        [0, 1, 2].map(|edge| run.edge(edge)),
        [EdgeState::Fired, EdgeState::Dead, EdgeState::Fired]
    );
}

#[test]
fn failure_fires_error_and_finally_edges() {
    let mut run = each_kind().run(["a"]);
    let commands = [
        "skip next: upstream-failed of a",
        "start handler by a",
        "start cleanup by a",
    ];
    assert_eq!(run.fail("a"), commands);
    assert_eq!(
        [0, 1, 2].map(|edge| run.edge(edge)),
        [EdgeState::Dead, EdgeState::Fired, EdgeState::Fired]
    );
}

#[test]
fn cancellation_fires_only_finally_edges() {
    let mut run = each_kind().run(["a"]);
    assert_eq!(
        run.end_cancelled("a"),
        [
            "skip next: upstream-skipped of a",
            "skip handler: no-failure-to-handle of a",
            "start cleanup by a"
        ]
    );
    run.succeed("cleanup");
    assert_eq!(run.scheduler.result(), RunResult::Completed);
}

#[test]
fn a_skip_fires_only_finally_edges() {
    let mut run = Graph::new()
        .nodes(["root", "a", "next", "handler", "cleanup"])
        .success("root", "a")
        .success("a", "next")
        .error("a", "handler")
        .finally("a", "cleanup")
        .run(["root"]);
    assert_eq!(
        run.fail("root"),
        [
            "skip a: upstream-failed of root",
            "skip next: upstream-skipped of a",
            "skip handler: no-failure-to-handle of a",
            "start cleanup by a"
        ]
    );
}

#[test]
fn a_branching_success_fires_its_active_ports_and_edges_without_port() {
    let graph = || {
        Graph::new()
            .nodes(["a", "left", "right", "after"])
            .port("a", 0, "left")
            .port("a", 1, "right")
            .success("a", "after")
    };
    let mut run = graph().run(["a"]);
    let commands = [
        "skip left: branch-not-taken of a",
        "start right by a",
        "start after by a",
    ];
    assert_eq!(run.choose("a", &[1]), commands);

    let mut none = graph().run(["a"]);
    assert_eq!(
        none.choose("a", &[]),
        [
            "skip left: branch-not-taken of a",
            "skip right: branch-not-taken of a",
            "start after by a"
        ]
    );

    let mut all = graph().run(["a"]);
    assert_eq!(
        all.succeed("a"),
        ["start left by a", "start right by a", "start after by a"]
    );
}

#[test]
fn a_port_does_not_decide_error_and_finally_edges() {
    use crate::schedule::{EdgeKind, PortIx, Scheduler, Topology};
    let mut builder = Topology::builder();
    let nodes = [Join::All; 3].map(|join| builder.add_node(join));
    builder.add_edge(nodes[0], nodes[1], EdgeKind::Finally, Some(PortIx(4)));
    builder.add_edge(nodes[0], nodes[2], EdgeKind::Error, Some(PortIx(0)));
    let topology = std::sync::Arc::new(builder.build().expect("valid"));
    let mut run = Scheduler::new(topology, FailurePolicy::Finish);
    let mut out = Vec::new();
    run.start(&mut out);
    let active = crate::schedule::ActivePorts::Only(&[PortIx(0)]);
    run.complete(nodes[0], Outcome::Succeeded { active }, &mut out)
        .expect("running");
    assert_eq!(run.state(nodes[1]), NodeState::Running);
    assert_eq!(run.state(nodes[2]), NodeState::Skipped);
}

/// Three sources into `t`, which feeds `u`.
fn three_into(join: Join) -> Graph {
    Graph::new()
        .nodes(["a", "b", "c"])
        .node("t", join)
        .nodes(["u"])
        .success("a", "t")
        .success("b", "t")
        .success("c", "t")
        .success("t", "u")
}

#[test]
fn all_starts_when_every_edge_fired() {
    let mut run = three_into(Join::All).run(["a", "b", "c"]);
    assert_eq!(run.succeed("b"), NOTHING);
    assert_eq!(run.succeed("a"), NOTHING);
    assert_eq!(run.succeed("c"), ["start t by c"]);
}

#[test]
fn all_is_skipped_as_soon_as_one_edge_is_dead() {
    let mut run = three_into(Join::All).run(["a", "b", "c"]);
    assert_eq!(run.succeed("a"), NOTHING);
    let commands = [
        "skip t: upstream-failed of b",
        "skip u: upstream-skipped of t",
    ];
    assert_eq!(run.fail("b"), commands);
    assert_eq!(run.state("c"), NodeState::Running);
    assert_eq!(run.succeed("c"), NOTHING);
    assert_eq!(
        run.scheduler.result(),
        RunResult::Failed { node: run.ix("b") }
    );
}

#[test]
fn any_starts_when_the_first_edge_fires_and_the_rest_go_on() {
    let mut run = three_into(Join::Any).run(["a", "b", "c"]);
    assert_eq!(run.fail("a"), NOTHING);
    assert_eq!(run.succeed("b"), ["start t by b"]);
    assert_eq!(run.state("c"), NodeState::Running);
    assert_eq!(run.succeed("t"), ["start u by t"]);
    assert_eq!(run.succeed("c"), NOTHING);
}

#[test]
fn any_is_skipped_when_all_edges_are_dead() {
    let mut run = three_into(Join::Any).run(["a", "b", "c"]);
    assert_eq!(run.fail("a"), NOTHING);
    assert_eq!(run.fail("c"), NOTHING);
    let commands = [
        "skip t: upstream-failed of b",
        "skip u: upstream-skipped of t",
    ];
    assert_eq!(run.fail("b"), commands);
}

#[test]
fn first_starts_when_the_first_edge_fires_and_cancels_the_rest() {
    let mut run = three_into(Join::First).run(["a", "b", "c"]);
    assert_eq!(run.fail("a"), NOTHING);
    assert_eq!(run.succeed("b"), ["start t by b", "cancel c: lost-race"]);
    assert_eq!(run.end_cancelled("c"), NOTHING);
    assert_eq!(run.succeed("t"), ["start u by t"]);
}

#[test]
fn first_is_skipped_when_all_edges_are_dead() {
    let mut run = three_into(Join::First).run(["a", "b", "c"]);
    assert_eq!(run.fail("a"), NOTHING);
    assert_eq!(run.fail("b"), NOTHING);
    let commands = [
        "skip t: upstream-failed of c",
        "skip u: upstream-skipped of t",
    ];
    assert_eq!(run.fail("c"), commands);
}

#[test]
fn quorum_starts_when_enough_edges_fired_and_the_rest_go_on() {
    let mut run = three_into(Join::Quorum(2)).run(["a", "b", "c"]);
    assert_eq!(run.succeed("c"), NOTHING);
    assert_eq!(run.succeed("a"), ["start t by a"]);
    assert_eq!(run.state("b"), NodeState::Running);
    assert_eq!(run.succeed("b"), NOTHING);
}

#[test]
fn quorum_is_skipped_when_it_can_no_longer_be_reached() {
    let mut run = three_into(Join::Quorum(2)).run(["a", "b", "c"]);
    assert_eq!(run.fail("c"), NOTHING);
    let commands = [
        "skip t: upstream-failed of a",
        "skip u: upstream-skipped of t",
    ];
    assert_eq!(run.fail("a"), commands);
    assert_eq!(run.succeed("b"), NOTHING);
}

#[test]
fn settled_starts_when_every_edge_is_resolved_even_if_all_are_dead() {
    let mut run = three_into(Join::Settled).run(["a", "b", "c"]);
    assert_eq!(run.fail("a"), NOTHING);
    assert_eq!(run.fail("b"), NOTHING);
    assert_eq!(run.fail("c"), ["start t by c"]);
    assert_eq!(run.succeed("t"), ["start u by t"]);
}

#[test]
fn joins_count_edges_so_that_two_from_one_node_make_a_quorum() {
    let mut run = Graph::new()
        .nodes(["a", "b"])
        .node("t", Join::Quorum(2))
        .port("a", 0, "t")
        .port("a", 1, "t")
        .success("b", "t")
        .run(["a", "b"]);
    assert_eq!(run.succeed("a"), ["start t by a"]);
}

#[test]
fn roots_start_with_the_run_whatever_their_join() {
    Graph::new()
        .node("all", Join::All)
        .node("any", Join::Any)
        .node("first", Join::First)
        .node("settled", Join::Settled)
        .run(["all", "any", "first", "settled"]);
}

#[test]
fn starting_twice_starts_once() {
    let mut run = Graph::new().nodes(["a"]).run(["a"]);
    let mut out = Vec::new();
    run.scheduler.start(&mut out);
    assert_eq!(out, []);
    assert_eq!((run.scheduler.running(), run.scheduler.pending()), (1, 0));
}

#[test]
fn a_completion_that_makes_no_sense_is_an_error_and_changes_nothing() {
    let mut run = Graph::new()
        .nodes(["a", "b"])
        .success("a", "b")
        .build(FailurePolicy::Finish);
    let mut out = Vec::new();
    let a = run.ix("a");
    let early = run.scheduler.complete(a, Outcome::succeeded(), &mut out);
    assert_eq!(
        early,
        Err(ScheduleError::NotRunning {
            node: a,
            state: NodeState::Pending
        })
    );

    run.scheduler.start(&mut out);
    run.succeed("a");
    out.clear();
    let twice = run.scheduler.complete(a, Outcome::Failed, &mut out);
    assert_eq!(
        twice,
        Err(ScheduleError::NotRunning {
            node: a,
            state: NodeState::Succeeded
        })
    );
    let unknown = run.scheduler.complete(NodeIx(2), Outcome::Failed, &mut out);
    assert_eq!(
        unknown,
        Err(ScheduleError::UnknownNode {
            node: NodeIx(2),
            nodes: 2
        })
    );

    assert_eq!(out, []);
    assert_eq!(
        (run.state("a"), run.state("b")),
        (NodeState::Succeeded, NodeState::Running)
    );
    assert_eq!(run.scheduler.result(), RunResult::Completed);
}

#[test]
fn an_empty_plan_is_finished_before_it_starts() {
    let mut run = Graph::new().run([]);
    assert!(run.scheduler.is_finished());
    assert_eq!(run.cancel(), NOTHING);
    assert_eq!(run.scheduler.result(), RunResult::Completed);
}

#[test]
fn a_run_that_has_not_begun_is_not_stalled() {
    let run = Graph::new().nodes(["a"]).build(FailurePolicy::Finish);
    assert_eq!(run.scheduler.stalled(), None);
    assert!(!run.scheduler.is_finished());
}

#[test]
fn commands_are_appended_to_what_the_buffer_holds() {
    let mut run = Graph::new().nodes(["a", "b"]).success("a", "b").run(["a"]);
    let kept = Command::Start {
        node: NodeIx(7),
        triggered_by: None,
    };
    let mut out = vec![kept];
    run.scheduler
        .complete(NodeIx(0), Outcome::Failed, &mut out)
        .expect("running");
    assert_eq!(out.len(), 2);
    assert_eq!(out[0], kept);
    assert_eq!(run.state("b"), NodeState::Skipped);
}

#[test]
fn what_events_say_is_what_the_scheduler_says() {
    use crate::schedule::{EdgeKind, SkipReason};
    let reasons = [
        SkipReason::BranchNotTaken,
        SkipReason::UpstreamSkipped,
        SkipReason::UpstreamFailed,
        SkipReason::NoFailureToHandle,
        SkipReason::LostRace,
    ];
    for reason in reasons {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
    }
    let text = |value: serde_json::Result<String>| value.unwrap();
    assert_eq!(
        text(serde_json::to_string(&FailurePolicy::FailFast)),
        "\"failFast\""
    );
    assert_eq!(
        text(serde_json::to_string(&FailurePolicy::Finish)),
        "\"finish\""
    );
    assert_eq!(
        text(serde_json::to_string(&EdgeKind::Finally)),
        "\"finally\""
    );
    assert_eq!(text(serde_json::to_string(&EdgeState::Fired)), "\"fired\"");
}
