//! What a stopped run still does.

use super::graph::Graph;
use crate::schedule::{CancelReason, FailurePolicy, Join, NodeState, RunResult};

const NOTHING: [&str; 0] = [];

#[test]
fn clean_up_of_a_node_that_had_not_started_is_cancelled() {
    let mut run = Graph::new()
        .nodes(["a", "b", "cleanup"])
        .success("a", "b")
        .finally("b", "cleanup")
        .run(["a"]);
    assert_eq!(
        run.cancel(),
        [
            "cancel a: run-cancelled",
            "cancelled b: run-cancelled",
            "cancelled cleanup: run-cancelled"
        ]
    );
}

#[test]
fn clean_up_of_a_node_that_ended_before_runs_without_what_it_still_waited_for() {
    let mut run = Graph::new()
        .nodes(["a", "slow", "never", "cleanup"])
        .finally("a", "cleanup")
        .success("slow", "never")
        .success("never", "cleanup")
        .run(["a", "slow"]);
    assert_eq!(run.succeed("a"), NOTHING);
    assert_eq!(
        run.cancel(),
        [
            "cancel slow: run-cancelled",
            "cancelled never: run-cancelled",
            "start cleanup by never"
        ]
    );
    assert!(run.scheduler.is_cleanup(run.ix("cleanup")));
    run.end_cancelled("slow");
    assert_eq!(run.succeed("cleanup"), NOTHING);
    assert_eq!(run.scheduler.result(), RunResult::Cancelled);
}

#[test]
fn clean_up_waits_for_all_running_nodes_that_its_join_still_needs() {
    let mut run = Graph::new()
        .nodes(["a", "b", "later", "cleanup"])
        .finally("a", "cleanup")
        .finally("b", "cleanup")
        .success("a", "later")
        .success("later", "cleanup")
        .run(["a", "b"]);
    run.cancel();
    assert_eq!(run.end_cancelled("a"), NOTHING);
    assert_eq!(run.end_cancelled("b"), ["start cleanup by b"]);
}

#[test]
fn clean_up_that_joins_on_any_starts_with_the_first() {
    let mut run = Graph::new()
        .nodes(["a", "b"])
        .node("cleanup", Join::Any)
        .finally("a", "cleanup")
        .finally("b", "cleanup")
        .run(["a", "b"]);
    run.cancel();
    assert_eq!(run.end_cancelled("a"), ["start cleanup by a"]);
    assert_eq!(run.end_cancelled("b"), NOTHING);
}

#[test]
fn clean_up_is_a_chain_of_finally_edges_and_nothing_behind_it() {
    let mut run = Graph::new()
        .nodes(["a", "stop", "wipe", "tell"])
        .finally("a", "stop")
        .finally("stop", "wipe")
        .success("stop", "tell")
        .run(["a"]);
    assert_eq!(
        run.cancel(),
        ["cancel a: run-cancelled", "cancelled tell: run-cancelled"]
    );
    assert_eq!(run.end_cancelled("a"), ["start stop by a"]);
    assert_eq!(run.fail("stop"), ["start wipe by stop"]);
    assert_eq!(run.succeed("wipe"), NOTHING);
    assert_eq!(run.scheduler.result(), RunResult::Cancelled);
}

#[test]
fn clean_up_that_is_running_already_is_not_interrupted() {
    let mut run = Graph::new()
        .nodes(["a", "b", "cleanup"])
        .finally("a", "cleanup")
        .run(["a", "b"]);
    assert_eq!(run.succeed("a"), ["start cleanup by a"]);
    assert_eq!(run.cancel(), ["cancel b: run-cancelled"]);
    assert!(run.scheduler.is_cleanup(run.ix("cleanup")));
    run.end_cancelled("b");
    run.succeed("cleanup");
    assert_eq!(run.scheduler.result(), RunResult::Cancelled);
}

#[test]
fn nothing_but_clean_up_starts_after_a_cancellation() {
    let mut run = Graph::new()
        .nodes(["a", "next"])
        .node("settled", Join::Settled)
        .success("a", "next")
        .success("a", "settled")
        .run(["a"]);
    run.cancel();
    assert_eq!(run.scheduler.stopping(), Some(CancelReason::RunCancelled));
    assert_eq!(run.succeed("a"), NOTHING);
    assert_eq!(run.state("a"), NodeState::Succeeded);
    assert_eq!(run.scheduler.result(), RunResult::Cancelled);
}

#[test]
fn cancelling_before_the_start_cancels_everything() {
    let mut run = Graph::new()
        .nodes(["a", "b"])
        .success("a", "b")
        .build(FailurePolicy::Finish);
    assert_eq!(
        run.cancel(),
        ["cancelled a: run-cancelled", "cancelled b: run-cancelled"]
    );
    let mut out = Vec::new();
    run.scheduler.start(&mut out);
    assert_eq!(out, []);
    assert!(run.scheduler.is_finished());
}

#[test]
fn cancelling_twice_or_after_the_end_changes_nothing() {
    let mut run = Graph::new().nodes(["a"]).run(["a"]);
    assert_eq!(run.cancel(), ["cancel a: run-cancelled"]);
    assert_eq!(run.cancel(), NOTHING);

    let mut done = Graph::new().nodes(["a"]).run(["a"]);
    done.succeed("a");
    assert_eq!(done.cancel(), NOTHING);
    assert_eq!(done.terminate(), NOTHING);
    assert_eq!(done.scheduler.result(), RunResult::Completed);
}

#[test]
fn fail_fast_cancels_what_runs_and_waits_and_cleans_up() {
    let mut run = Graph::new()
        .nodes(["a", "b", "next", "cleanup"])
        .success("a", "next")
        .finally("b", "cleanup")
        .run_with(FailurePolicy::FailFast, ["a", "b"]);
    assert_eq!(
        run.fail("a"),
        ["cancel b: fail-fast", "cancelled next: fail-fast"]
    );
    assert_eq!(run.end_cancelled("b"), ["start cleanup by b"]);
    assert_eq!(run.cancel(), NOTHING);
    run.succeed("cleanup");
    assert_eq!(
        run.scheduler.result(),
        RunResult::Failed { node: run.ix("a") }
    );
}

#[test]
fn fail_fast_cleans_up_after_the_failed_node_itself() {
    let mut run = Graph::new()
        .nodes(["a", "cleanup"])
        .finally("a", "cleanup")
        .run_with(FailurePolicy::FailFast, ["a"]);
    assert_eq!(run.fail("a"), ["start cleanup by a"]);
    assert!(run.scheduler.is_cleanup(run.ix("cleanup")));
}

#[test]
fn a_handler_that_was_cancelled_handles_nothing() {
    let mut run = Graph::new()
        .nodes(["a", "handler"])
        .error("a", "handler")
        .run(["a"]);
    run.cancel();
    assert_eq!(run.scheduler.would_handle(run.ix("a")), None);
}

#[test]
fn clean_up_cannot_lose_a_race_of_a_stopped_run() {
    let mut run = Graph::new()
        .nodes(["a", "b", "cleanup"])
        .node("win", Join::First)
        .finally("a", "cleanup")
        .finally("b", "win")
        .success("cleanup", "win")
        .run(["a", "b"]);
    run.cancel();
    assert_eq!(run.end_cancelled("b"), ["start win by b"]);
    assert_eq!(run.end_cancelled("a"), ["start cleanup by a"]);
}

#[test]
fn termination_ends_everything_at_once() {
    let mut run = Graph::new()
        .nodes(["a", "next", "cleanup"])
        .success("a", "next")
        .finally("a", "cleanup")
        .run(["a"]);
    run.cancel();
    assert_eq!(
        run.terminate(),
        ["cancelled a: terminated", "cancelled cleanup: terminated"]
    );
    assert!(run.scheduler.is_finished());
    assert_eq!(run.scheduler.result(), RunResult::Terminated);
    let mut out = Vec::new();
    let late = run
        .scheduler
        .complete(run.ix("a"), crate::schedule::Outcome::Failed, &mut out);
    assert!(late.is_err());
    assert_eq!(out, []);
}
