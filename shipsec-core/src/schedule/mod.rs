//! Scheduling as a synchronous state machine: no clock, no I/O, nothing async.
//!
//! A [`Topology`] is the shape of a plan. A [`Scheduler`] is one run of it: the caller tells it
//! how nodes ended, and it appends [`Command`]s to the caller's buffer. Every executor drives this
//! same code, and the same calls always give the same commands. Nothing waits for a wave: a node
//! starts in the very call that satisfies its join.
//!
//! # Edges
//! When a node reaches its outcome, each of its outgoing edges resolves, once, to *fired* or
//! *dead*:
//!
//! | edge | fires when the source … | skips its target with |
//! |---|---|---|
//! | [`Success`](EdgeKind::Success) | succeeded with the edge's port active (or does not branch, or the edge has no port) | `branch-not-taken`, `upstream-failed`, or `upstream-skipped` where the source was skipped or cancelled |
//! | [`Error`](EdgeKind::Error) | failed | `no-failure-to-handle` |
//! | [`Finally`](EdgeKind::Finally) | reached any outcome, even being skipped | never dead |
//!
//! # Joins
//! | join | starts | is skipped |
//! |---|---|---|
//! | [`All`](Join::All) | when every incoming edge fired | as soon as one is dead |
//! | [`Any`](Join::Any) | when the first edge fires; the rest go on | when all are dead |
//! | [`First`](Join::First) | when the first edge fires; losers are ended, see below | when all are dead |
//! | [`Quorum(n)`](Join::Quorum) | when n edges fired; the rest go on | when n can no longer be reached |
//! | [`Settled`](Join::Settled) | when every edge is resolved | never |
//!
//! Joins count edges, not nodes. The edge that decides names the skip's reason and cause; where
//! several could have decided, it is the one that resolved at that moment, so cause and
//! `triggered_by` depend on the order of completions even where outcomes do not.
//!
//! # Failures
//! A failed node with an error edge is *handled*, whatever becomes of the edge's target. Any other
//! failure fails the run, except that of a node which had been asked to stop. Under
//! [`FailurePolicy::Finish`] the rest goes on; under [`FailurePolicy::FailFast`] the run is stopped
//! as described below, before the failed node's own edges resolve.
//!
//! # Races
//! When a node that joins on the first starts, it is the *winner*, and what now serves nothing else
//! loses. This is judged once, after everything that the two tables say has been followed; several
//! winners of one call are judged in the order in which they started.
//!
//! *An edge serves* while it is a success edge, and its target is
//! - pending and no loser, or
//! - started, not asked to stop, and joined on anything but the first (`any` and `quorum` let the
//!   rest go on, also after they have finished).
//!
//! *A node loses* when all of this holds:
//! - it is unfinished, and one of its edges (of any kind) leads to the winner or to another loser;
//! - it has success edges, and none of them serves. A node without any success edge is useful by
//!   itself. Error and finally edges serve nothing: they do not ask for the node's work, and a
//!   race between mirrors shall end even if each has its own handler and clean-up;
//! - it is not a pending `settled` node, for that always starts;
//! - it has not been asked to stop already, and is not clean-up of a run that is being stopped.
//!
//! The losers are the smallest set for which this is true. So a race reaches upstream through
//! whatever exists only for it, and touches nothing that does not lead to it: a node elsewhere
//! whose targets have all been skipped is left alone.
//!
//! A running loser gets [`Command::Cancel`], a pending one [`SkipReason::LostRace`] with the winner
//! as cause. Whatever the running loser then ends with resolves its edges by the table as usual,
//! but its failure does not fail the run.
//!
//! # Cancellation
//! [`Scheduler::cancel`], and an unhandled failure under `FailFast`, stop the run in one call:
//!
//! 1. *Clean-up* is every unfinished node that was not asked to stop before, and that is behind a
//!    `finally` edge of a node that has started (running or ended), or of other clean-up.
//! 2. Clean-up goes on: what is running is left running, what is pending will start. It is not the
//!    same node that is interrupted half-way or run to its end, depending on whether the request
//!    came just before or just after its start. [`Scheduler::is_cleanup`] tells the executor whose
//!    deadline to set.
//! 3. Every other pending node is [`Cancelled`](Command::Cancelled), every other running node gets
//!    [`Cancel`](Command::Cancel), once. Nodes behind a success or error edge of clean-up are among
//!    them: clean-up is a node, or a chain of `finally` edges.
//!
//! From then on only clean-up starts. Its joins hold as far as they still can: when the table would
//! skip it, it starts as soon as all its incoming edges are resolved instead. As at least one of
//! its edges is `finally` and will fire, this happens for each. The first stop decides the
//! [`RunResult`]; a second changes nothing.
//!
//! [`Scheduler::terminate`] ends everything at once, clean-up too. Edges still resolve by the table,
//! but nothing is left that could start. The caller must not complete the nodes that were running.
//!
//! # Why a run never stalls
//! Suppose that nothing runs, and that nodes are pending. The graph has no cycle, so one of them
//! has no pending node upstream: all its sources are final, so all its edges are resolved. A root
//! is started by `start`. For any other node the last edge to resolve either satisfied the join or
//! made it impossible, since with no edge open the number still missing is either none or more
//! than can come; the first starts the node, the second skips it, or, being clean-up, starts it.
//! Either way it is not pending. Running nodes end because the caller completes each, also after
//! [`Command::Cancel`].
//!
//! # Cost
//! Each edge is touched once when it resolves, and a fixed number of times more by all races of a
//! run together, however many share a source. Steps allocate nothing but room in the caller's
//! buffer; stopping a run looks once at every node, and at the edges of those that have started.

mod command;
mod join;
mod progress;
mod race;
mod scheduler;
mod stop;
mod topology;

#[cfg(test)]
mod tests;

pub use command::{
    ActivePorts, CancelReason, Command, EdgeState, FailurePolicy, NodeState, Outcome, RunResult,
    ScheduleError, SkipReason, Stall,
};
pub use join::{InvalidJoin, Join};
pub use scheduler::Scheduler;
pub use topology::{
    Edge, EdgeIx, EdgeKind, NodeIx, PortIx, Topology, TopologyBuilder, TopologyError,
};
