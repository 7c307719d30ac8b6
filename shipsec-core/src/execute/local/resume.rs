//! Going on with a run whose process died.

use std::sync::Arc;

use hashbrown::HashMap;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::{
    driver::{Driver, How, Phase, Settled},
    limits::Ready,
    shared::Shared,
    timers::Timer,
};
use crate::{
    RunId,
    event::{
        CancelledPayload, ErrorPayload, EventKind, FailedPayload, Given, Level, NodeRef, Record,
        SkippedPayload, StatusPayload, StopCause, Timestamp, WorkflowStatus,
    },
    execute::{
        node::Upstream,
        recovery::{Ended, Recovery, Step},
        reuse::Left,
    },
    run::NodeState,
    schedule::{self, CancelReason, Command, NodeIx, Outcome, PortIx},
    workflow::PlanNode,
};

/// What the scheduler said while it was told the log.
#[derive(Default)]
struct Said {
    triggered_by: HashMap<u32, u32>,
    asked: HashMap<u32, CancelReason>,
}

impl Driver {
    /// Brings a new driver to where the log ended: the scheduler is told what happened, nodes
    /// without an outcome start again, and what the scheduler decided but nobody recorded is
    /// recorded now.
    ///
    /// # Errors
    ///
    /// A sentence about an outcome that the plan does not allow.
    pub(super) fn restore(&mut self, shared: &Shared, log: &Recovery) -> Result<(), String> {
        self.said = log.said;
        self.scheduler.start(&mut self.commands);
        for step in &log.steps {
            self.retell(shared, step)?;
        }
        let mut resumed = StatusPayload::new(WorkflowStatus::Running);
        resumed.executor = Some("local".to_owned());
        self.retrying.clear();
        let message = format!("resumed after event {}", log.view.sequence);
        self.say(shared, resumed, Level::Info, Some(message.into()));

        let said = self.obey_again(shared, log);
        for index in 0..shared.plan.nodes.len() {
            if self.scheduler.state(NodeIx(index as u32)) == schedule::NodeState::Running {
                self.go_on(shared, log, index, &said);
            }
        }
        let begun = log.view.started_at.unwrap_or_else(Timestamp::now);
        self.limit_run(shared, shared.scope.clock.now().since(begun));
        if self.scheduler.stopping().is_some() {
            self.stop.limited = true;
            if let Some(at) = Instant::now().checked_add(shared.settings.clean_up) {
                self.timers.push(at, Timer::CleanUp);
            }
        }
        Ok(())
    }

    /// The runs that were called by nodes, or items of nodes, which do not run again: they are to be
    /// stopped as well.
    pub(super) fn abandoned(&self, log: &Recovery) -> Vec<RunId> {
        let mut abandoned = Vec::new();
        for place in 0..self.phases.len() {
            let goes_on = matches!(self.phases[place], Phase::Ready | Phase::Retrying);
            if log.state(place).is_final() || goes_on {
                continue;
            }
            let items = log.view.items_at(place);
            let items = items.into_iter().flat_map(|items| items.iter());
            for node in log.view.node_at(place).into_iter().chain(items) {
                if !node.state.is_final() {
                    abandoned.extend(node.child_runs.iter().flat_map(|runs| runs.iter().cloned()));
                }
            }
        }
        abandoned
    }

    /// Tells the scheduler one thing that the log says.
    fn retell(&mut self, shared: &Shared, step: &Step) -> Result<(), String> {
        let (node, how) = match step {
            Step::Stop { cause, reason } => {
                let reason = reason.as_deref().map(str::to_owned);
                match cause {
                    StopCause::Cancelled | StopCause::TimedOut => {
                        self.stop.asked = true;
                        self.stop.timed_out = *cause == StopCause::TimedOut;
                        self.stop.reason = reason;
                        self.scheduler.cancel(&mut self.commands);
                    }
                    StopCause::CleanUpTooLong => {
                        self.stop.cut = Some(self.scheduler.result());
                        self.scheduler.terminate(&mut self.commands);
                    }
                    StopCause::Terminated | StopCause::Defect => {
                        if self.stop.reason.is_none() {
                            self.stop.reason = reason;
                        }
                        self.scheduler.terminate(&mut self.commands);
                    }
                }
                return Ok(());
            }
            Step::Ended { node, how } => (*node, how),
        };
        let ports: SmallVec<[PortIx; 8]>;
        let outcome = match how {
            Ended::Completed { outputs, active } => {
                let plan_node = &shared.plan.nodes[node as usize];
                self.keep_sink(node, || outputs.clone());
                self.note(shared, node, || Left::Outputs(outputs.clone()));
                self.upstream[node as usize] =
                    Some(Upstream::Outputs(Given::Several(outputs.clone())));
                let active = match active {
                    None => schedule::ActivePorts::All,
                    Some(active) => {
                        ports = indices(plan_node, active).map(PortIx).collect();
                        schedule::ActivePorts::Only(&ports)
                    }
                };
                Outcome::Succeeded { active }
            }
            Ended::Failed(error) => {
                self.note(shared, node, || Left::Failed(error.clone()));
                self.upstream[node as usize] = Some(Upstream::Failed(error.clone()));
                Outcome::Failed
            }
            Ended::Cancelled => Outcome::Cancelled,
        };
        let ended = self.scheduler.state(NodeIx(node)).is_final();
        if ended && matches!(how, Ended::Cancelled) {
            // The scheduler said so itself.
            return Ok(());
        }
        let told = self
            .scheduler
            .complete(NodeIx(node), outcome, &mut self.commands);
        told.map_err(|error| {
            let id = &shared.plan.nodes[node as usize].node.id;
            format!("node {id} ended where the plan does not let it: {error}")
        })
    }

    /// Records what the scheduler decided and the log does not hold yet.
    fn obey_again(&mut self, shared: &Shared, log: &Recovery) -> Said {
        let mut said = Said::default();
        for command in std::mem::take(&mut self.commands) {
            let node = command.node().0;
            let recorded = log.state(node as usize).is_final();
            match command {
                Command::Start { triggered_by, .. } => {
                    if let Some(by) = triggered_by {
                        said.triggered_by.insert(node, by.0);
                    }
                }
                Command::Cancel { reason, .. } => {
                    said.asked.insert(node, reason);
                }
                Command::Skip { reason, cause, .. } if !recorded => {
                    let cause = shared.plan.nodes[cause.0 as usize].node.id.clone();
                    let kind = EventKind::NodeSkipped(SkippedPayload { reason, cause });
                    self.record_at_end(shared, log, node, Level::Info, kind);
                }
                Command::Cancelled { reason, .. } if !recorded => {
                    self.end_items(shared, log, node, false);
                    self.record_at_end(shared, log, node, Level::Warn, cancelled(reason));
                    self.phases[node as usize] = Phase::Killed;
                }
                Command::Skip { .. } | Command::Cancelled { .. } => {}
            }
        }
        said
    }

    /// Lets a node go on that has no outcome.
    fn go_on(&mut self, shared: &Shared, log: &Recovery, index: usize, said: &Said) {
        let node = index as u32;
        let view = log.view.node_at(index);
        let state = log.state(index);
        let attempt = view.map_or(0, |view| view.attempt);
        let triggered_by = said.triggered_by.get(&node).copied();
        self.excused.extend(
            Some((node, log.seen[index].interrupted)).filter(|(_, attempts)| *attempts > 0),
        );
        if let Some(reason) = said.asked.get(&node) {
            self.end_items(shared, log, node, false);
            self.record_at_end(shared, log, node, Level::Warn, cancelled(*reason));
            self.phases[index] = Phase::Settling;
            let how = How::Cancelled;
            self.settling.push(Settled::Node { node, how });
            return;
        }
        match state {
            NodeState::Retrying => {
                let now = shared.scope.clock.now();
                let wait = view
                    .and_then(|view| view.retry_at)
                    .unwrap_or(now)
                    .since(now);
                let attempt = attempt + 1;
                self.phases[index] = Phase::Retrying;
                self.retrying.insert(node, attempt);
                let at = Instant::now()
                    .checked_add(wait)
                    .unwrap_or_else(Instant::now);
                self.timers.push(at, Timer::Retry { node, attempt });
            }
            NodeState::Running | NodeState::AwaitingInput if log.seen[index].suspended => {
                // It only waited: it goes on waiting, or with the answer.
                let now = shared.scope.clock.now();
                let began = view.and_then(|view| view.started_at).unwrap_or(now);
                let seen = &log.seen[index];
                let told = (began, seen.counter, seen.artifacts);
                self.continued.insert(node, told);
                self.becomes_ready(node, attempt, triggered_by);
            }
            NodeState::Running | NodeState::AwaitingInput => {
                let kind = interrupted(shared.scope.clock.now());
                self.end_items(shared, log, node, true);
                self.record_at_end(shared, log, node, Level::Warn, kind);
                *self.excused.entry(node).or_default() += 1;
                self.becomes_ready(node, attempt + 1, triggered_by);
            }
            _ => self.becomes_ready(node, 1, triggered_by),
        }
    }

    fn becomes_ready(&mut self, node: u32, attempt: u32, triggered_by: Option<u32>) {
        self.phases[node as usize] = Phase::Ready;
        self.ready.push_back(Ready {
            node,
            attempt,
            triggered_by,
        });
    }

    /// Ends what was going on of a node's items when the log ended: they run again with the node, or
    /// are stopped with it.
    fn end_items(&mut self, shared: &Shared, log: &Recovery, node: u32, again: bool) {
        let Some(items) = log.view.items_at(node as usize) else {
            return;
        };
        let now = shared.scope.clock.now();
        for (index, item) in items.iter().enumerate() {
            let seen = log
                .items
                .get(&node)
                .and_then(|items| items.get(&(index as u32)));
            let (counter, suspended) =
                seen.map_or((0, false), |seen| (seen.counter, seen.suspended));
            let (attempt, counter, kind) = match item.state {
                NodeState::Running | NodeState::AwaitingInput if again && suspended => continue,
                NodeState::Running | NodeState::AwaitingInput if again => {
                    (item.attempt, counter + 1, interrupted(now))
                }
                NodeState::Running | NodeState::AwaitingInput => {
                    (item.attempt, counter + 1, stopped())
                }
                NodeState::Retrying if !again => (item.attempt + 1, 1, stopped()),
                _ => continue,
            };
            let id = NodeRef::new(item.node_id.clone());
            let record = Record::new(now, Some(id), attempt, counter, kind);
            shared.scope.recorder.push(record.with_level(Level::Warn));
        }
    }

    /// Records how a node ended, or its newest attempt where one goes on.
    fn record_at_end(
        &mut self,
        shared: &Shared,
        log: &Recovery,
        node: u32,
        level: Level,
        kind: EventKind,
    ) {
        let state = log.state(node as usize);
        let runs = matches!(state, NodeState::Running | NodeState::AwaitingInput);
        let (attempt, counter) = match log.view.node_at(node as usize) {
            Some(view) if runs => (view.attempt, log.seen[node as usize].counter + 1),
            // The attempt that was to follow will not begin.
            Some(view) if state == NodeState::Retrying => (view.attempt + 1, 1),
            _ => (0, 1),
        };
        let message = match &kind {
            EventKind::NodeFailed(failed) => Some(Arc::from(&*failed.error.message)),
            _ => None,
        };
        let id = shared.plan.nodes[node as usize].node.clone();
        let now = shared.scope.clock.now();
        let mut record = Record::new(now, Some(id), attempt, counter, kind).with_level(level);
        record.message = message;
        shared.scope.recorder.push(record);
    }
}

/// Indices of the ports with these ids.
pub(super) fn indices<'a>(
    node: &'a PlanNode,
    ports: &'a [crate::PortId],
) -> impl Iterator<Item = u16> + 'a {
    let index = |port| node.output_ids.iter().position(|id| id == port);
    ports
        .iter()
        .filter_map(move |port| u16::try_from(index(port)?).ok())
}

fn interrupted(now: Timestamp) -> EventKind {
    let message = "the process that ran this attempt ended; it is tried again";
    EventKind::NodeFailed(Box::new(FailedPayload {
        error: ErrorPayload {
            kind: crate::ErrorKind::ResourceUnavailable,
            message: message.to_owned(),
            retryable: true,
            field_errors: Default::default(),
            details: None,
        },
        will_retry: true,
        interrupted: true,
        retry_at: Some(now),
        handled_by: None,
        duration_ms: None,
    }))
}

fn stopped() -> EventKind {
    EventKind::NodeCancelled(Box::new(CancelledPayload {
        reason: "node-stopped".to_owned(),
    }))
}

fn cancelled(reason: CancelReason) -> EventKind {
    EventKind::NodeCancelled(Box::new(CancelledPayload {
        reason: reason.as_str().to_owned(),
    }))
}
