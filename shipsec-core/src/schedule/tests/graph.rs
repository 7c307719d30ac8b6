//! Small runs that read like what they test.

use std::sync::Arc;

use crate::schedule::{
    ActivePorts, CancelReason, Command, EdgeIx, EdgeKind, FailurePolicy, Join, NodeIx, NodeState,
    Outcome, PortIx, Scheduler, SkipReason, Topology,
};

/// A run of nodes named by letters: node `a` is the first that was added.
pub(super) struct Run {
    pub(super) scheduler: Scheduler,
    names: Vec<&'static str>,
}

/// Builds a [`Run`].
#[derive(Default)]
pub(super) struct Graph {
    names: Vec<&'static str>,
    joins: Vec<Join>,
    edges: Vec<(usize, usize, EdgeKind, Option<PortIx>)>,
}

impl Graph {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn nodes<const N: usize>(self, names: [&'static str; N]) -> Self {
        names
            .into_iter()
            .fold(self, |graph, name| graph.node(name, Join::All))
    }

    pub(super) fn node(mut self, name: &'static str, join: Join) -> Self {
        self.names.push(name);
        self.joins.push(join);
        self
    }

    fn at(&self, name: &str) -> usize {
        position(&self.names, name)
    }

    fn edge(mut self, from: &str, to: &str, kind: EdgeKind, port: Option<u16>) -> Self {
        self.edges
            .push((self.at(from), self.at(to), kind, port.map(PortIx)));
        self
    }

    pub(super) fn success(self, from: &str, to: &str) -> Self {
        self.edge(from, to, EdgeKind::Success, None)
    }

    pub(super) fn port(self, from: &str, port: u16, to: &str) -> Self {
        self.edge(from, to, EdgeKind::Success, Some(port))
    }

    pub(super) fn error(self, from: &str, to: &str) -> Self {
        self.edge(from, to, EdgeKind::Error, None)
    }

    pub(super) fn finally(self, from: &str, to: &str) -> Self {
        self.edge(from, to, EdgeKind::Finally, None)
    }

    pub(super) fn build(self, policy: FailurePolicy) -> Run {
        let mut builder = Topology::builder();
        for join in &self.joins {
            builder.add_node(*join);
        }
        for &(from, to, kind, port) in &self.edges {
            builder.add_edge(NodeIx(from as u32), NodeIx(to as u32), kind, port);
        }
        let topology = builder.build().expect("a test graph is valid");
        Run {
            scheduler: Scheduler::new(Arc::new(topology), policy),
            names: self.names,
        }
    }

    /// Builds and starts, and checks which nodes start with the run.
    pub(super) fn run<const N: usize>(self, starts: [&str; N]) -> Run {
        self.run_with(FailurePolicy::Finish, starts)
    }

    pub(super) fn run_with<const N: usize>(self, policy: FailurePolicy, starts: [&str; N]) -> Run {
        let mut run = self.build(policy);
        let mut out = Vec::new();
        run.scheduler.start(&mut out);
        assert_eq!(run.read(&out), starts.map(|name| format!("start {name}")));
        run
    }
}

fn position(names: &[&str], name: &str) -> usize {
    names
        .iter()
        .position(|known| *known == name)
        .expect("a test names nodes that it added")
}

impl Run {
    pub(super) fn ix(&self, name: &str) -> NodeIx {
        NodeIx(position(&self.names, name) as u32)
    }

    fn read(&self, out: &[Command]) -> Vec<String> {
        let name = |node: NodeIx| self.names[node.0 as usize];
        let read = |command: &Command| match *command {
            Command::Start {
                node,
                triggered_by: None,
            } => format!("start {}", name(node)),
            Command::Start {
                node,
                triggered_by: Some(by),
            } => {
                format!("start {} by {}", name(node), name(by))
            }
            Command::Skip {
                node,
                reason,
                cause,
            } => {
                format!("skip {}: {reason} of {}", name(node), name(cause))
            }
            Command::Cancel { node, reason } => format!("cancel {}: {reason}", name(node)),
            Command::Cancelled { node, reason } => format!("cancelled {}: {reason}", name(node)),
        };
        out.iter().map(read).collect()
    }

    /// Completes a node and gives back the commands as text.
    pub(super) fn complete(&mut self, name: &str, outcome: Outcome<'_>) -> Vec<String> {
        let mut out = Vec::new();
        let node = self.ix(name);
        self.scheduler
            .complete(node, outcome, &mut out)
            .expect("a test completes running nodes");
        assert_eq!(self.scheduler.stalled(), None);
        self.read(&out)
    }

    pub(super) fn succeed(&mut self, name: &str) -> Vec<String> {
        self.complete(name, Outcome::succeeded())
    }

    pub(super) fn choose(&mut self, name: &str, ports: &[u16]) -> Vec<String> {
        let ports: Vec<PortIx> = ports.iter().copied().map(PortIx).collect();
        self.complete(
            name,
            Outcome::Succeeded {
                active: ActivePorts::Only(&ports),
            },
        )
    }

    pub(super) fn fail(&mut self, name: &str) -> Vec<String> {
        self.complete(name, Outcome::Failed)
    }

    pub(super) fn end_cancelled(&mut self, name: &str) -> Vec<String> {
        self.complete(name, Outcome::Cancelled)
    }

    pub(super) fn cancel(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        self.scheduler.cancel(&mut out);
        assert_eq!(self.scheduler.stalled(), None);
        self.read(&out)
    }

    pub(super) fn terminate(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        self.scheduler.terminate(&mut out);
        assert_eq!(self.scheduler.stalled(), None);
        self.read(&out)
    }

    pub(super) fn state(&self, name: &str) -> NodeState {
        self.scheduler.state(self.ix(name))
    }

    pub(super) fn edge(&self, edge: u32) -> crate::schedule::EdgeState {
        self.scheduler.edge_state(EdgeIx(edge))
    }
}

/// Every reason reads in events as semantics.md has it.
#[test]
fn reasons_have_their_wire_names() {
    let skips = [
        (SkipReason::BranchNotTaken, "branch-not-taken"),
        (SkipReason::UpstreamSkipped, "upstream-skipped"),
        (SkipReason::UpstreamFailed, "upstream-failed"),
        (SkipReason::NoFailureToHandle, "no-failure-to-handle"),
        (SkipReason::LostRace, "lost-race"),
    ];
    for (reason, name) in skips {
        assert_eq!(reason.to_string(), name);
    }
    let cancels = [
        (CancelReason::RunCancelled, "run-cancelled"),
        (CancelReason::FailFast, "fail-fast"),
        (CancelReason::LostRace, "lost-race"),
        (CancelReason::Terminated, "terminated"),
    ];
    for (reason, name) in cancels {
        assert_eq!(reason.to_string(), name);
    }
}
