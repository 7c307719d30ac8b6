//! Defects of the system that this one reimagines; none may exist here.

use super::graph::Graph;
use crate::schedule::{
    EdgeKind, FailurePolicy, Join, NodeIx, NodeState, Outcome, RunResult, Scheduler, Topology,
};

const NOTHING: [&str; 0] = [];

#[test]
fn a_fast_branch_does_not_wait_for_its_slow_sibling() {
    let mut run = Graph::new()
        .nodes(["root", "slow", "fast", "after-fast"])
        .success("root", "slow")
        .success("root", "fast")
        .success("fast", "after-fast")
        .run(["root"]);
    assert_eq!(
        run.succeed("root"),
        ["start slow by root", "start fast by root"]
    );
    assert_eq!(run.succeed("fast"), ["start after-fast by fast"]);
    assert_eq!(run.state("slow"), NodeState::Running);
}

#[test]
fn any_does_not_wait_for_the_slow_sibling() {
    let mut run = Graph::new()
        .nodes(["slow", "fast"])
        .node("join", Join::Any)
        .success("slow", "join")
        .success("fast", "join")
        .run(["slow", "fast"]);
    assert_eq!(run.succeed("fast"), ["start join by fast"]);
    assert_eq!(run.state("slow"), NodeState::Running);
}

#[test]
fn an_error_handler_whose_source_succeeded_ends_skipped() {
    let mut run = Graph::new()
        .nodes(["a", "handler", "after"])
        .error("a", "handler")
        .success("handler", "after")
        .run(["a"]);
    let skips = [
        "skip handler: no-failure-to-handle of a",
        "skip after: upstream-skipped of handler",
    ];
    assert_eq!(run.succeed("a"), skips);
    assert!(run.scheduler.is_finished());
    assert_eq!(run.scheduler.result(), RunResult::Completed);
}

#[test]
fn a_handled_failure_does_not_fail_the_run() {
    for policy in [FailurePolicy::Finish, FailurePolicy::FailFast] {
        let mut run = Graph::new()
            .nodes(["a", "other", "handler"])
            .error("a", "handler")
            .run_with(policy, ["a", "other"]);
        assert_eq!(
            run.scheduler.would_handle(run.ix("a")),
            Some(run.ix("handler"))
        );
        assert_eq!(run.fail("a"), ["start handler by a"]);
        run.succeed("handler");
        assert_eq!(run.succeed("other"), NOTHING);
        assert_eq!(run.scheduler.result(), RunResult::Completed);
    }
}

#[test]
fn an_unhandled_failure_lets_independent_branches_finish() {
    let mut run = Graph::new()
        .nodes(["a", "b", "after-a", "after-b"])
        .success("a", "after-a")
        .success("b", "after-b")
        .run(["a", "b"]);
    assert_eq!(run.scheduler.would_handle(run.ix("a")), None);
    assert_eq!(run.fail("a"), ["skip after-a: upstream-failed of a"]);
    assert_eq!(run.succeed("b"), ["start after-b by b"]);
    run.fail("after-b");
    assert_eq!(
        run.scheduler.result(),
        RunResult::Failed { node: run.ix("a") }
    );
}

#[test]
fn a_failing_handler_fails_the_run() {
    let mut run = Graph::new()
        .nodes(["a", "handler"])
        .error("a", "handler")
        .run(["a"]);
    run.fail("a");
    run.fail("handler");
    assert_eq!(
        run.scheduler.result(),
        RunResult::Failed {
            node: run.ix("handler")
        }
    );
}

#[test]
fn the_handler_is_the_first_that_may_still_run() {
    let mut run = Graph::new()
        .nodes(["gate", "a", "gated", "free"])
        .error("a", "gated")
        .error("a", "free")
        .success("gate", "gated")
        .run(["gate", "a"]);
    assert_eq!(
        run.scheduler.would_handle(run.ix("a")),
        Some(run.ix("gated"))
    );
    run.fail("gate");
    assert_eq!(run.state("gated"), NodeState::Skipped);
    assert_eq!(
        run.scheduler.would_handle(run.ix("a")),
        Some(run.ix("free"))
    );
}

#[test]
fn cancelled_dependents_get_a_command_each() {
    let mut run = Graph::new()
        .nodes(["a", "b", "c"])
        .success("a", "b")
        .success("b", "c")
        .run(["a"]);
    assert_eq!(
        run.cancel(),
        [
            "cancel a: run-cancelled",
            "cancelled b: run-cancelled",
            "cancelled c: run-cancelled"
        ]
    );
    assert_eq!(run.end_cancelled("a"), NOTHING);
    assert!(run.scheduler.is_finished());
}

#[test]
fn cancelling_still_runs_the_clean_up() {
    let mut run = Graph::new()
        .nodes(["a", "cleanup"])
        .finally("a", "cleanup")
        .run(["a"]);
    assert_eq!(run.cancel(), ["cancel a: run-cancelled"]);
    assert_eq!(run.end_cancelled("a"), ["start cleanup by a"]);
}

#[test]
fn a_chain_of_a_million_skipped_nodes_does_not_overflow_the_stack() {
    let nodes = 1_000_000;
    let mut builder = Topology::builder();
    for node in 0..nodes {
        builder.add_node(Join::All);
        if node > 0 {
            builder.add_edge(NodeIx(node - 1), NodeIx(node), EdgeKind::Success, None);
        }
    }
    let topology = std::sync::Arc::new(builder.build().expect("valid"));
    let mut run = Scheduler::new(topology, FailurePolicy::Finish);
    let mut out = Vec::new();
    run.start(&mut out);
    run.complete(NodeIx(0), Outcome::Failed, &mut out)
        .expect("running");
    assert_eq!(out.len(), nodes as usize);
    assert!(run.is_finished());
}
