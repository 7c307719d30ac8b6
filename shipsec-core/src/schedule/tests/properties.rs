//! Random plans, outcomes, orders, cancellations: the scheduler against the naive model.

use std::sync::Arc;

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};

use super::model::{End, Model};
use crate::schedule::{
    ActivePorts, Command, EdgeIx, EdgeKind, EdgeState, FailurePolicy, Join, NodeIx, NodeState,
    Outcome, PortIx, RunResult, Scheduler, SkipReason, Topology,
};

/// A plan, how each node would end, and in which order things happen.
#[derive(Clone, Debug)]
struct Script {
    topology: Arc<Topology>,
    policy: FailurePolicy,
    ends: Vec<End>,
    /// Decides at each step which running node completes.
    order: Vec<u16>,
    /// After how many completions the run is cancelled or terminated.
    cancel_after: Option<usize>,
    terminate_after: Option<usize>,
}

fn join() -> impl Strategy<Value = Join> {
    prop_oneof![
        4 => Just(Join::All),
        2 => Just(Join::Any),
        3 => Just(Join::First),
        2 => (1u32..4).prop_map(Join::Quorum),
        2 => Just(Join::Settled),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        5 => Just(End::Succeeded(None)),
        2 => prop::collection::vec((0u16..3).prop_map(PortIx), 0..3)
            .prop_map(|ports| End::Succeeded(Some(ports))),
        2 => Just(End::Failed),
        1 => Just(End::Cancelled),
    ]
}

fn kind() -> impl Strategy<Value = EdgeKind> {
    prop_oneof![
        6 => Just(EdgeKind::Success),
        1 => Just(EdgeKind::Error),
        1 => Just(EdgeKind::Finally),
    ]
}

/// Edges between any two nodes, turned so that they lead from the lower rank to the higher; ranks
/// are shuffled, so that index order is not topological order.
fn topology(joins: Vec<Join>, ranks: &[usize], edges: Vec<NewEdge>) -> Arc<Topology> {
    let nodes = joins.len();
    let mut incoming = vec![0; nodes];
    let turned: Vec<_> = edges
        .into_iter()
        .map(|edge| {
            (
                edge.from as usize % nodes,
                edge.to as usize % nodes,
                edge.kind,
                edge.port,
            )
        })
        .filter(|(from, to, ..)| from != to)
        .map(|(from, to, kind, port)| {
            let (from, to) = if ranks[from] < ranks[to] {
                (from, to)
            } else {
                (to, from)
            };
            incoming[to] += 1;
            (NodeIx(from as u32), NodeIx(to as u32), kind, port)
        })
        .collect();
    let mut builder = Topology::builder();
    for (join, incoming) in joins.into_iter().zip(incoming) {
        builder.add_node(match join {
            Join::Quorum(_) if incoming == 0 => Join::All,
            Join::Quorum(quorum) => Join::Quorum(quorum.min(incoming)),
            other => other,
        });
    }
    for (from, to, kind, port) in turned {
        builder.add_edge(from, to, kind, port);
    }
    Arc::new(
        builder
            .build()
            .expect("edges lead from lower to higher rank"),
    )
}

#[derive(Clone, Debug)]
struct NewEdge {
    from: u16,
    to: u16,
    kind: EdgeKind,
    port: Option<PortIx>,
}

fn new_edge() -> impl Strategy<Value = NewEdge> {
    let port = prop::option::weighted(0.4, (0u16..3).prop_map(PortIx));
    (any::<u16>(), any::<u16>(), kind(), port).prop_map(|(from, to, kind, port)| NewEdge {
        from,
        to,
        kind,
        port,
    })
}

fn script() -> impl Strategy<Value = Script> {
    let sizes = prop_oneof![3 => 1usize..8, 2 => 8usize..20];
    sizes
        .prop_flat_map(|nodes| {
            (
                prop::collection::vec(join(), nodes),
                Just((0..nodes).collect::<Vec<_>>()).prop_shuffle(),
                prop::collection::vec(new_edge(), 0..=nodes * 5 / 2),
                prop::collection::vec(end(), nodes),
                prop::collection::vec(any::<u16>(), nodes),
                prop_oneof![2 => Just(FailurePolicy::Finish), 1 => Just(FailurePolicy::FailFast)],
                prop::option::weighted(0.4, 0..nodes),
                prop::option::weighted(0.1, 0..nodes),
            )
        })
        .prop_map(
            |(joins, ranks, edges, ends, order, policy, cancel_after, terminate_after)| {
                let topology = topology(joins, &ranks, edges);
                Script {
                    topology,
                    policy,
                    ends,
                    order,
                    cancel_after,
                    terminate_after,
                }
            },
        )
}

impl Script {
    fn nodes(&self) -> impl Iterator<Item = NodeIx> + use<> {
        (0..self.topology.node_count() as u32).map(NodeIx)
    }

    /// Drives a run to its end beside the model, and checks everything after each call.
    fn play(&self) -> Played {
        let mut played = Played {
            scheduler: Scheduler::new(self.topology.clone(), self.policy),
            model: Model::new(self.topology.clone(), self.policy),
            commands: Vec::new(),
            edges: vec![EdgeState::Open; self.topology.edge_count()],
            first_failure: None,
            cancelled: false,
        };
        // A run may be cancelled or terminated before it starts.
        for completions in 0..=self.topology.node_count() {
            if self.terminate_after == Some(completions) {
                played.call(|scheduler, out| scheduler.terminate(out), Model::terminate);
            }
            if self.cancel_after == Some(completions) {
                let stops = played.scheduler.stopping().is_none();
                played.cancelled |= stops && !played.scheduler.is_finished();
                played.call(|scheduler, out| scheduler.cancel(out), Model::cancel);
            }
            if completions == 0 && played.scheduler.stopping().is_none() {
                played.call(|scheduler, out| scheduler.start(out), Model::start);
            }
            if played.scheduler.is_finished() {
                break;
            }
            played.refuses_what_is_not_running(self);
            played.complete_one(self, self.order[completions]);
        }
        assert!(
            played.scheduler.is_finished(),
            "a node that runs ends, and each ends once"
        );
        played
    }
}

struct Played {
    scheduler: Scheduler,
    model: Model,
    commands: Vec<Command>,
    edges: Vec<EdgeState>,
    first_failure: Option<NodeIx>,
    cancelled: bool,
}

impl Played {
    fn complete_one(&mut self, script: &Script, choice: u16) {
        let running: Vec<_> = script
            .nodes()
            .filter(|&node| self.scheduler.state(node) == NodeState::Running)
            .collect();
        assert!(
            !running.is_empty(),
            "a run that is not finished has something running"
        );
        let node = running[choice as usize % running.len()];
        let asked = self.model.asked[node.0 as usize];
        let end = match &script.ends[node.0 as usize] {
            _ if asked && choice & 3 != 0 => End::Cancelled,
            end => end.clone(),
        };
        let handles = script
            .topology
            .out_edges(node)
            .any(|edge| edge.kind == EdgeKind::Error);
        let by = self.scheduler.would_handle(node);
        assert!(handles || by.is_none());
        assert!(!handles || by.is_some() || self.scheduler.stopping().is_some());
        if matches!(end, End::Failed) && !asked && !handles {
            self.first_failure.get_or_insert(node);
        }
        let outcome = match &end {
            End::Succeeded(None) => Outcome::succeeded(),
            End::Succeeded(Some(ports)) => Outcome::Succeeded {
                active: ActivePorts::Only(ports),
            },
            End::Failed => Outcome::Failed,
            End::Cancelled => Outcome::Cancelled,
        };
        self.call(
            |scheduler, out| {
                scheduler
                    .complete(node, outcome, out)
                    .expect("it is running")
            },
            |model| model.complete(node, &end),
        );
    }

    fn refuses_what_is_not_running(&mut self, script: &Script) {
        let mut out = Vec::new();
        for node in script.nodes() {
            if self.scheduler.state(node) != NodeState::Running {
                assert!(
                    self.scheduler
                        .complete(node, Outcome::succeeded(), &mut out)
                        .is_err()
                );
            }
        }
        assert_eq!(out, []);
        self.agrees();
    }

    fn call(
        &mut self,
        call: impl FnOnce(&mut Scheduler, &mut Vec<Command>),
        model: impl FnOnce(&mut Model),
    ) {
        let mut out = Vec::new();
        let before = self.model.states.clone();
        let asked_before = self.model.asked.clone();
        call(&mut self.scheduler, &mut out);
        model(&mut self.model);
        for command in &out {
            if let Command::Start { node, .. } = *command
                && self.scheduler.topology().join(node) == Join::First
            {
                self.model.race(node);
            }
        }
        self.agrees();
        self.commands_tell_what_changed(&out, &before, &asked_before);
        self.commands.extend(out);
    }

    /// Every state that can be asked for is what the model has.
    fn agrees(&mut self) {
        let topology = self.scheduler.topology().clone();
        for node in 0..topology.node_count() {
            let ix = NodeIx(node as u32);
            assert_eq!(
                self.scheduler.state(ix),
                self.model.states[node],
                "node {ix}"
            );
            assert_eq!(
                self.scheduler.is_cleanup(ix),
                self.model.cleanup[node],
                "node {ix}"
            );
        }
        for edge in (0..topology.edge_count() as u32).map(EdgeIx) {
            let state = self.scheduler.edge_state(edge);
            assert_eq!(
                state,
                self.model.edge_state(&topology.edge(edge)),
                "edge {edge}"
            );
            let before = std::mem::replace(&mut self.edges[edge.0 as usize], state);
            assert!(
                before == EdgeState::Open || before == state,
                "edge {edge} resolved twice"
            );
        }
        let count = |state| {
            self.model
                .states
                .iter()
                .filter(|&&other| other == state)
                .count()
        };
        assert_eq!(self.scheduler.running(), count(NodeState::Running));
        assert_eq!(self.scheduler.pending(), count(NodeState::Pending));
        assert_eq!(self.scheduler.stalled(), None);
    }

    /// Each change has exactly one command, and each command is a change that it could tell of.
    fn commands_tell_what_changed(
        &self,
        out: &[Command],
        before: &[NodeState],
        asked_before: &[bool],
    ) {
        let mut states = before.to_vec();
        let mut asked = asked_before.to_vec();
        for command in out {
            let at = command.node().0 as usize;
            match *command {
                Command::Start { node, triggered_by } => {
                    assert_eq!(states[at], NodeState::Pending);
                    states[at] = NodeState::Running;
                    self.trigger_is_valid(node, triggered_by);
                }
                Command::Skip {
                    node,
                    reason,
                    cause,
                } => {
                    assert_eq!(states[at], NodeState::Pending);
                    states[at] = NodeState::Skipped;
                    self.skip_is_valid(node, reason, cause);
                }
                Command::Cancel { .. } => {
                    assert_eq!(states[at], NodeState::Running);
                    assert!(!asked[at], "asked twice");
                    asked[at] = true;
                }
                Command::Cancelled { .. } => {
                    assert!(!states[at].is_final());
                    states[at] = NodeState::Cancelled;
                }
            }
        }
        for (at, state) in states.iter().enumerate() {
            let completed = before[at] == NodeState::Running && *state == NodeState::Running;
            assert!(
                completed || *state == self.model.states[at],
                "node {at} changed untold"
            );
        }
        assert_eq!(asked, self.model.asked);
    }

    fn trigger_is_valid(&self, node: NodeIx, trigger: Option<NodeIx>) {
        let topology = self.scheduler.topology();
        let mut incoming = topology.in_edges(node).peekable();
        let Some(source) = trigger else {
            assert!(incoming.peek().is_none(), "only roots start untriggered");
            return;
        };
        let settles = topology.join(node) == Join::Settled || self.model.cleanup[node.0 as usize];
        assert!(incoming.any(|edge| {
            let fired = self.scheduler.edge_state(edge.id) == EdgeState::Fired;
            edge.source == source && (fired || settles)
        }));
    }

    fn skip_is_valid(&self, node: NodeIx, reason: SkipReason, cause: NodeIx) {
        let topology = self.scheduler.topology();
        assert_ne!(topology.join(node), Join::Settled);
        if reason == SkipReason::LostRace {
            assert_eq!(topology.join(cause), Join::First);
            assert!(self.model.started[cause.0 as usize]);
            return;
        }
        let state = self.scheduler.state(cause);
        assert!(topology.in_edges(node).any(|edge| {
            let fits = match reason {
                SkipReason::NoFailureToHandle => edge.kind == EdgeKind::Error,
                SkipReason::BranchNotTaken => edge.port.is_some() && state == NodeState::Succeeded,
                SkipReason::UpstreamFailed => state == NodeState::Failed,
                _ => matches!(state, NodeState::Skipped | NodeState::Cancelled),
            };
            let dead = self.scheduler.edge_state(edge.id) == EdgeState::Dead;
            edge.source == cause && dead && fits
        }));
    }
}

proptest! {
    #[test]
    fn the_scheduler_does_what_the_model_says(script in script()) {
        let played = script.play();
        let result = match (script.terminate_after, played.cancelled, played.first_failure) {
            _ if played.commands.iter().any(terminated) => RunResult::Terminated,
            (_, true, _) => RunResult::Cancelled,
            (_, _, Some(node)) => RunResult::Failed { node },
            _ => RunResult::Completed,
        };
        assert_eq!(played.scheduler.result(), result);
    }

    #[test]
    fn every_node_ends_once_and_every_edge_resolves(script in script()) {
        let played = script.play();
        assert!(played.edges.iter().all(|edge| *edge != EdgeState::Open));
        for node in script.nodes() {
            let told: Vec<_> =
                played.commands.iter().filter(|command| command.node() == node).collect();
            let starts =
                told.iter().filter(|command| matches!(command, Command::Start { .. })).count();
            let ends = told
                .iter()
                .filter(|c| matches!(c, Command::Skip { .. } | Command::Cancelled { .. }))
                .count();
            assert!(starts <= 1 && ends <= 1);
            assert!(starts + ends == 1 || told.last().is_some_and(|last| terminated(last)));
        }
    }

    #[test]
    fn the_same_calls_give_the_same_commands(script in script()) {
        assert_eq!(script.play().commands, script.play().commands);
    }

    /// Only `first` makes a race: without it, and with nothing that stops the run, the order in
    /// which nodes complete changes neither how nodes end nor how edges resolve.
    #[test]
    fn without_races_the_order_of_completions_does_not_change_the_outcome(
        script in script(),
        other_order in prop::collection::vec(any::<u16>(), 20),
    ) {
        let topology = without_races(&script.topology);
        let policy = FailurePolicy::Finish;
        let calm = Script { topology, policy, cancel_after: None, terminate_after: None, ..script };
        let one = calm.play();
        let two = Script { order: other_order, ..calm }.play();
        assert_eq!(one.model.states, two.model.states);
        assert_eq!(one.edges, two.edges);
        let failed = |played: &Played| matches!(played.scheduler.result(), RunResult::Failed { .. });
        assert_eq!(failed(&one), failed(&two));
    }
}

fn terminated(command: &Command) -> bool {
    use crate::schedule::CancelReason;
    matches!(
        command,
        Command::Cancelled {
            reason: CancelReason::Terminated,
            ..
        }
    )
}

fn without_races(topology: &Topology) -> Arc<Topology> {
    let mut builder = Topology::builder();
    for node in (0..topology.node_count() as u32).map(NodeIx) {
        builder.add_node(match topology.join(node) {
            Join::First => Join::Any,
            join => join,
        });
    }
    for edge in (0..topology.edge_count() as u32).map(|edge| topology.edge(EdgeIx(edge))) {
        builder.add_edge(edge.source, edge.target, edge.kind, edge.port);
    }
    Arc::new(builder.build().expect("the same shape"))
}
