//! Who loses a race, and who does not.

use super::graph::Graph;
use crate::schedule::{Join, NodeState, RunResult};

const NOTHING: [&str; 0] = [];

#[test]
fn a_loser_upstream_of_a_loser_is_ended_too() {
    let mut run = Graph::new()
        .nodes(["fast", "slow", "middle", "last"])
        .node("win", Join::First)
        .success("fast", "win")
        .success("slow", "middle")
        .success("middle", "last")
        .success("last", "win")
        .run(["fast", "slow"]);
    assert_eq!(
        run.succeed("fast"),
        [
            "start win by fast",
            "skip last: lost-race of win",
            "skip middle: lost-race of win",
            "cancel slow: lost-race"
        ]
    );
    assert_eq!(run.end_cancelled("slow"), NOTHING);
    assert_eq!(run.succeed("win"), NOTHING);
    assert_eq!(run.scheduler.result(), RunResult::Completed);
}

#[test]
fn a_node_that_serves_something_else_goes_on() {
    let mut run = Graph::new()
        .nodes(["fast", "slow", "other"])
        .node("win", Join::First)
        .success("fast", "win")
        .success("slow", "win")
        .success("slow", "other")
        .run(["fast", "slow"]);
    assert_eq!(run.succeed("fast"), ["start win by fast"]);
    assert_eq!(run.succeed("slow"), ["start other by slow"]);
}

#[test]
fn a_node_that_serves_only_losers_loses_after_the_last_of_them() {
    let mut run = Graph::new()
        .nodes(["fast", "slow", "left", "right"])
        .node("win", Join::First)
        .success("fast", "win")
        .success("slow", "left")
        .success("slow", "right")
        .success("left", "win")
        .success("right", "win")
        .run(["fast", "slow"]);
    assert_eq!(
        run.succeed("fast"),
        [
            "start win by fast",
            "skip left: lost-race of win",
            "skip right: lost-race of win",
            "cancel slow: lost-race"
        ]
    );
}

#[test]
fn the_second_race_ends_what_the_first_left() {
    let mut run = Graph::new()
        .nodes(["one", "two", "slow"])
        .node("win-one", Join::First)
        .node("win-two", Join::First)
        .success("one", "win-one")
        .success("slow", "win-one")
        .success("two", "win-two")
        .success("slow", "win-two")
        .run(["one", "two", "slow"]);
    assert_eq!(run.succeed("one"), ["start win-one by one"]);
    assert_eq!(
        run.succeed("two"),
        ["start win-two by two", "cancel slow: lost-race"]
    );
}

#[test]
fn any_lets_the_rest_go_on_even_through_a_race() {
    let graph = || {
        Graph::new()
            .nodes(["fast", "slow"])
            .node("win", Join::First)
            .node("any", Join::Any)
            .success("fast", "any")
            .success("slow", "any")
            .success("fast", "win")
            .success("slow", "win")
    };
    let mut run = graph().run(["fast", "slow"]);
    assert_eq!(
        run.succeed("fast"),
        ["start any by fast", "start win by fast"]
    );
    assert_eq!(run.state("slow"), NodeState::Running);
}

#[test]
fn error_and_finally_edges_do_not_keep_a_loser_going() {
    let mut run = Graph::new()
        .nodes(["fast", "slow", "alarm", "cleanup"])
        .node("win", Join::First)
        .success("fast", "win")
        .success("slow", "win")
        .error("slow", "alarm")
        .finally("slow", "cleanup")
        .run(["fast", "slow"]);
    assert_eq!(
        run.succeed("fast"),
        ["start win by fast", "cancel slow: lost-race"]
    );
    let commands = [
        "skip alarm: no-failure-to-handle of slow",
        "start cleanup by slow",
    ];
    assert_eq!(run.end_cancelled("slow"), commands);
}

#[test]
fn a_node_without_success_edges_is_useful_by_itself() {
    let mut run = Graph::new()
        .nodes(["fast", "slow"])
        .node("win", Join::First)
        .success("fast", "win")
        .finally("slow", "win")
        .run(["fast", "slow"]);
    assert_eq!(run.succeed("fast"), ["start win by fast"]);
    assert_eq!(run.succeed("slow"), NOTHING);
}

#[test]
fn a_pending_settled_node_starts_even_if_it_only_serves_a_decided_race() {
    let mut run = Graph::new()
        .nodes(["fast", "slow"])
        .node("gather", Join::Settled)
        .node("win", Join::First)
        .success("fast", "win")
        .success("slow", "gather")
        .success("gather", "win")
        .run(["fast", "slow"]);
    assert_eq!(run.succeed("fast"), ["start win by fast"]);
    assert_eq!(run.fail("slow"), ["start gather by slow"]);
}

#[test]
fn a_loser_that_fails_or_succeeds_all_the_same_does_not_change_the_run() {
    let graph = || {
        Graph::new()
            .nodes(["fast", "slow"])
            .node("win", Join::First)
            .success("fast", "win")
            .success("slow", "win")
    };
    let mut run = graph().run(["fast", "slow"]);
    run.succeed("fast");
    assert_eq!(run.fail("slow"), NOTHING);
    run.succeed("win");
    assert_eq!(run.scheduler.result(), RunResult::Completed);

    let mut run = graph().run(["fast", "slow"]);
    run.succeed("fast");
    assert_eq!(run.succeed("slow"), NOTHING);
    assert_eq!(run.state("slow"), NodeState::Succeeded);
}

#[test]
fn what_does_not_lead_to_the_race_is_left_alone() {
    let mut run = Graph::new()
        .nodes(["fast", "slow", "gate", "other", "nowhere"])
        .node("win", Join::First)
        .success("fast", "win")
        .success("slow", "win")
        .success("other", "nowhere")
        .success("gate", "nowhere")
        .run(["fast", "slow", "gate", "other"]);
    assert_eq!(run.fail("gate"), ["skip nowhere: upstream-failed of gate"]);
    assert_eq!(
        run.succeed("fast"),
        ["start win by fast", "cancel slow: lost-race"]
    );
    assert_eq!(run.state("other"), NodeState::Running);
}

#[test]
fn a_loser_is_asked_to_stop_once() {
    let mut run = Graph::new()
        .nodes(["fast", "slow"])
        .node("win", Join::First)
        .success("fast", "win")
        .success("slow", "win")
        .run(["fast", "slow"]);
    run.succeed("fast");
    assert_eq!(run.cancel(), ["cancel win: run-cancelled"]);
}

#[test]
fn a_running_loser_lets_go_of_what_its_any_join_left_running() {
    let mut run = Graph::new()
        .nodes(["fast", "quick", "straggler"])
        .node("any", Join::Any)
        .node("win", Join::First)
        .success("quick", "any")
        .success("straggler", "any")
        .success("any", "win")
        .success("fast", "win")
        .run(["fast", "quick", "straggler"]);
    assert_eq!(run.succeed("quick"), ["start any by quick"]);
    assert_eq!(
        run.succeed("fast"),
        [
            "start win by fast",
            "cancel any: lost-race",
            "cancel straggler: lost-race"
        ]
    );
}

#[test]
fn the_second_winner_of_a_call_is_judged_after_what_follows_from_the_first() {
    let mut run = Graph::new()
        .nodes(["fast", "slow", "lost", "other", "handler"])
        .node("win-one", Join::First)
        .node("win-two", Join::First)
        .success("fast", "win-one")
        .success("fast", "win-two")
        .success("slow", "lost")
        .success("lost", "win-one")
        .error("lost", "handler")
        .success("other", "handler")
        .success("other", "win-two")
        .run(["fast", "slow", "other"]);
    assert_eq!(
        run.succeed("fast"),
        [
            "start win-one by fast",
            "start win-two by fast",
            "skip lost: lost-race of win-one",
            "cancel slow: lost-race",
            "skip handler: no-failure-to-handle of lost",
            "cancel other: lost-race"
        ]
    );
}
