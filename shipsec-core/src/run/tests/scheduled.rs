//! Logs of the scheduler's own runs: the view shows the states that the scheduler has.

use std::sync::Arc;

use proptest::prelude::{any, prop, prop_assert_eq, proptest};
use serde_json::json;

use super::log::{Log, failed};
use crate::{
    run::{self, RunView},
    schedule::{
        ActivePorts, Command, EdgeIx, EdgeKind, FailurePolicy, Join, NodeIx, NodeState, Outcome,
        PortIx, Scheduler, Topology,
    },
};

const JOINS: [Join; 5] = [
    Join::All,
    Join::Any,
    Join::First,
    Join::Quorum(1),
    Join::Settled,
];
const KINDS: [(EdgeKind, &str); 4] = [
    (EdgeKind::Success, "success"),
    (EdgeKind::Success, "success"),
    (EdgeKind::Error, "error"),
    (EdgeKind::Finally, "finally"),
];
const PORTS: [&str; 3] = ["p0", "p1", ""];

/// Says in the log what the scheduler commands; gives back what runs.
fn record(log: &mut Log, commands: &mut Vec<Command>, running: &mut Vec<NodeIx>) {
    for command in commands.drain(..) {
        let node = command.node();
        let id = format!("n{node}");
        match command {
            Command::Start { .. } => {
                log.start(&id, 1);
                running.push(node);
            }
            Command::Skip { reason, cause, .. } => {
                let payload = json!({"reason": reason.as_str(), "cause": format!("n{cause}")});
                log.add("NODE_SKIPPED", &id, 0, payload);
            }
            Command::Cancelled { reason, .. } => {
                running.retain(|other| *other != node);
                log.add("NODE_CANCELLED", &id, 0, json!({"reason": reason.as_str()}));
            }
            Command::Cancel { .. } => {}
        }
    }
}

fn same(scheduled: NodeState, shown: run::NodeState) -> bool {
    matches!(
        (scheduled, shown),
        (NodeState::Pending, run::NodeState::Pending)
            | (NodeState::Running, run::NodeState::Running)
            | (NodeState::Succeeded, run::NodeState::Completed)
            | (NodeState::Failed, run::NodeState::Failed)
            | (NodeState::Skipped, run::NodeState::Skipped)
            | (NodeState::Cancelled, run::NodeState::Cancelled)
    )
}

proptest! {
    #[test]
    fn the_view_shows_what_the_scheduler_has(
        joins in prop::collection::vec(0_usize..5, 1..12),
        edges in prop::collection::vec((any::<u8>(), any::<u8>(), 0_usize..4, 0_u16..3), 0..24),
        ends in prop::collection::vec((any::<u8>(), 0_usize..6), 12),
        stop in prop::option::of((0_usize..12, any::<bool>())),
        fail_fast in any::<bool>(),
    ) {
        let nodes: Vec<String> = (0..joins.len()).map(|node| format!("n{node}")).collect();
        let mut topology = Topology::builder();
        let mut named = Vec::new();
        let incoming = |at: usize| edges.iter().any(|(a, b, ..)| {
            let (a, b) = (*a as usize % joins.len(), *b as usize % joins.len());
            a != b && a.max(b) == at
        });
        for (at, join) in joins.iter().enumerate() {
            topology.add_node(if incoming(at) { JOINS[*join] } else { Join::All });
        }
        for (at, (a, b, kind, port)) in edges.iter().enumerate() {
            let (a, b) = (*a as usize % joins.len(), *b as usize % joins.len());
            if a == b {
                continue;
            }
            let (source, target) = (a.min(b), a.max(b));
            let (kind, kind_name) = KINDS[*kind];
            let port_ix = (*port < 2).then_some(PortIx(*port));
            topology.add_edge(NodeIx(source as u32), NodeIx(target as u32), kind, port_ix);
            let port = PORTS[usize::from(*port)];
            named.push([at.to_string(), nodes[source].clone(), nodes[target].clone(), kind_name.into(), port.into()]);
        }
        let named: Vec<[&str; 5]> = named.iter().map(|edge| edge.each_ref().map(String::as_str)).collect();
        let names: Vec<&str> = nodes.iter().map(String::as_str).collect();
        let mut log = Log::of(&names, &named);
        let topology = Arc::new(topology.build().unwrap());
        let policy = if fail_fast { FailurePolicy::FailFast } else { FailurePolicy::Finish };
        let mut scheduler = Scheduler::new(topology.clone(), policy);
        let (mut commands, mut running) = (Vec::new(), Vec::new());
        scheduler.start(&mut commands);
        record(&mut log, &mut commands, &mut running);

        let agree = |view: &RunView, scheduler: &Scheduler| {
            for (at, (id, node)) in view.nodes().enumerate() {
                let scheduled = scheduler.state(NodeIx(at as u32));
                assert!(same(scheduled, node.state), "{id}: {scheduled} is shown as {:?}", node.state);
            }
            for (at, edge) in view.edges().enumerate() {
                let scheduled = scheduler.edge_state(EdgeIx(at as u32));
                assert_eq!(edge.state, scheduled, "edge {}", edge.edge.id);
            }
        };
        agree(&log.view(), &scheduler);
        for (step, (pick, end)) in ends.iter().enumerate() {
            if let Some((at, kill)) = stop && at == step {
                match kill {
                    true => scheduler.terminate(&mut commands),
                    false => scheduler.cancel(&mut commands),
                }
                record(&mut log, &mut commands, &mut running);
                agree(&log.view(), &scheduler);
            }
            if running.is_empty() {
                break;
            }
            let node = running.swap_remove(*pick as usize % running.len());
            let id = format!("n{node}");
            let chosen: Vec<PortIx> = [PortIx(0), PortIx(1)].into_iter().take(end % 3).collect();
            let outcome = match end {
                0 => {
                    log.add("NODE_FAILED", &id, 1, failed(false));
                    Outcome::Failed
                }
                1 => {
                    log.add("NODE_CANCELLED", &id, 1, json!({"reason": "x"}));
                    Outcome::Cancelled
                }
                2 => {
                    log.complete(&id, 1);
                    Outcome::succeeded()
                }
                _ => {
                    let ports: Vec<_> = chosen.iter().map(|port| PORTS[usize::from(port.0)]).collect();
                    let payload = json!({"outputs": {}, "activePorts": ports, "durationMs": 1.0});
                    log.add("NODE_COMPLETED", &id, 1, payload);
                    Outcome::Succeeded { active: ActivePorts::Only(&chosen) }
                }
            };
            scheduler.complete(node, outcome, &mut commands).unwrap();
            record(&mut log, &mut commands, &mut running);
            agree(&log.view(), &scheduler);
        }
        prop_assert_eq!(log.view().late_events, 0);
    }
}
