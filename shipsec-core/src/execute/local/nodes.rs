//! Nodes from ready to settled: attempts begin, are asked to stop, end, and are tried again.
//!
//! Long because it is one node's way through the driver, from ready to settled.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tokio::time::Instant;

use super::{
    attempt::{Kill, panicked},
    driver::{Active, Asked, Driver, How, Phase, Settled},
    limits::Ready,
    shared::{Message, Shared},
    timers::Timer,
};
use crate::{
    ComponentError,
    component::{NodeOutput, Output},
    context::{Context, Moment},
    event::{
        CancelledPayload, ErrorPayload, EventKind, FailedPayload, Given, Level, Outputs, Record,
        SkippedPayload, StopCause,
    },
    execute::{
        executor,
        node::{self, Finished, Work},
        spill,
    },
    schedule::{self, Command, NodeIx},
};

fn millis(from: Instant, to: Instant) -> f64 {
    // Whole microseconds are what the clock's readings are worth.
    let micros = to.saturating_duration_since(from).as_nanos() / 1000;
    u64::try_from(micros).unwrap_or(u64::MAX) as f64 / 1000.0
}

impl Driver {
    /// Does what the scheduler said.
    pub(super) fn obey(&mut self, shared: &Shared) {
        if self.commands.is_empty() {
            return;
        }
        let commands = std::mem::take(&mut self.commands);
        for command in &commands {
            match *command {
                Command::Start { node, triggered_by } => {
                    self.phases[node.0 as usize] = Phase::Ready;
                    let triggered_by = triggered_by.map(|node| node.0);
                    self.ready.push_back(Ready {
                        node: node.0,
                        attempt: 1,
                        triggered_by,
                    });
                }
                Command::Skip {
                    node,
                    reason,
                    cause,
                } => {
                    let cause = shared.plan.nodes[cause.0 as usize].node.id.clone();
                    let payload = SkippedPayload { reason, cause };
                    self.never_started(shared, node.0, EventKind::NodeSkipped(payload));
                }
                Command::Cancel { node, reason } => self.ask_to_stop(shared, node.0, reason),
                Command::Cancelled { node, reason } => self.cancelled(shared, node.0, reason),
            }
        }
        // What it can hold is kept for the next time.
        self.commands = commands;
        self.commands.clear();
        if self.scheduler.stopping().is_some() && !self.stop.limited {
            self.stop.limited = true;
            if let Some(at) = Instant::now().checked_add(shared.settings.clean_up) {
                self.timers.push(at, Timer::CleanUp);
            }
        }
    }

    fn never_started(&mut self, shared: &Shared, node: u32, kind: EventKind) {
        let at = shared.scope.clock.now();
        let node = shared.plan.nodes[node as usize].node.clone();
        shared
            .scope
            .recorder
            .push(Record::new(at, Some(node), 0, 1, kind));
    }

    /// A node, or its next attempt, that will not begin.
    fn never_began(&mut self, shared: &Shared, node: u32, kind: EventKind) {
        match self.retrying.remove(&node) {
            None => self.never_started(shared, node, kind),
            Some(attempt) => {
                let at = shared.scope.clock.now();
                let node = shared.plan.nodes[node as usize].node.clone();
                let record = Record::new(at, Some(node), attempt, 1, kind);
                shared.scope.recorder.push(record);
            }
        }
    }

    fn ask_to_stop(&mut self, shared: &Shared, node: u32, reason: schedule::CancelReason) {
        match self.phases[node as usize] {
            Phase::Active => {
                self.ask(shared, node, Asked::Cancelled(reason));
            }
            Phase::Ready | Phase::Retrying => {
                self.never_began(shared, node, cancelled_kind(reason.as_str()));
                self.phases[node as usize] = Phase::Settling;
                self.settling.push(Settled::Node {
                    node,
                    how: How::Cancelled,
                });
            }
            // It has ended already; its outcome is on its way.
            Phase::Settling | Phase::Idle | Phase::Killed => {}
        }
    }

    fn ask(&mut self, shared: &Shared, node: u32, asked: Asked) {
        let Some(active) = self.active.get_mut(&node) else {
            return;
        };
        if active.asked.is_some() || active.spilling.is_some() {
            return;
        }
        active.asked = Some(asked);
        active.cx.cancel();
        let attempt = active.cx.attempt();
        if let Some(at) = Instant::now().checked_add(shared.settings.grace) {
            self.timers.push(at, Timer::Grace { node, attempt });
        }
    }

    /// A node that the scheduler has cancelled for good.
    fn cancelled(&mut self, shared: &Shared, node: u32, reason: schedule::CancelReason) {
        let phase = std::mem::replace(&mut self.phases[node as usize], Phase::Killed);
        match phase {
            Phase::Active => {
                if let Some(active) = self.active.remove(&node) {
                    active.kill.kill();
                    active.cx.cancel();
                    self.record_cancelled(shared, &active.cx, Instant::now(), reason.as_str());
                }
            }
            Phase::Settling => {}
            Phase::Idle | Phase::Ready | Phase::Retrying | Phase::Killed => {
                self.never_began(shared, node, cancelled_kind(reason.as_str()));
            }
        }
    }

    fn record_cancelled(&mut self, shared: &Shared, cx: &Context, at: Instant, reason: &str) {
        shared
            .scope
            .recorder
            .end(cx, at, Level::Warn, None, cancelled_kind(reason));
        cx.close();
    }

    /// The next node that is to start and may.
    pub(super) fn next_ready(&mut self, shared: &Shared) -> Option<Ready> {
        while let Some(ready) = self.ready.pop_front() {
            let group = shared.plan.nodes[ready.node as usize].group;
            if self.phases[ready.node as usize] != Phase::Ready {
                self.limits.wake(group, &mut self.ready);
            } else if self.limits.take(ready, group, &mut self.ready) {
                return Some(ready);
            }
        }
        None
    }

    /// Records the start of an attempt and makes its future. `None` where it has failed already.
    pub(super) fn begin_attempt(
        &mut self,
        shared: &Arc<Shared>,
        ready: Ready,
    ) -> Option<(Context, Work)> {
        let index = ready.node as usize;
        let node = &shared.plan.nodes[index];
        let now = self
            .just_now
            .take()
            .unwrap_or_else(|| shared.scope.clock.moment());
        let attempt = (ready.node, ready.attempt, ready.triggered_by);
        if ready.attempt > 1 {
            self.retrying.remove(&ready.node);
        }
        let continued = match self.continued.is_empty() {
            true => None,
            false => self.continued.remove(&ready.node),
        };
        let spare = self.spare.take().filter(|_| continued.is_none());
        let cx = match continued {
            Some((began, events, artifacts)) => {
                let told = (events, artifacts);
                Context::continued(shared.scope.clone(), attempt, began, node.timeout, told)
            }
            None => match spare.and_then(|cx| cx.again(attempt, now, node.timeout)) {
                Some(cx) => cx,
                None => Context::new(shared.scope.clone(), attempt, now, node.timeout),
            },
        };
        self.phases[index] = Phase::Active;
        let upstream = &self.upstream;
        let upstream = |source: NodeIx| upstream[source.0 as usize].as_ref();
        let made = catch_unwind(AssertUnwindSafe(|| {
            node::work(&shared.plan, node, &cx, upstream)
        }));
        match made.unwrap_or_else(|panic| Err(panicked(&*panic))) {
            Ok(work) => {
                let work = in_span(&cx, work);
                Some((cx, work))
            }
            Err(error) => {
                let now = shared.scope.clock.moment();
                self.ended(shared, ready.node, cx, now, Err(error), None);
                None
            }
        }
    }

    /// An attempt that is not done at its first poll.
    pub(super) fn goes_on(&mut self, shared: &Shared, node: u32, cx: Context, kill: Kill) {
        let attempt = cx.attempt();
        shared.scope.recorder.start(&cx);
        if let Some(deadline) = cx.deadline() {
            self.timers.push(deadline, Timer::Timeout { node, attempt });
        }
        if let Some(silence) = shared.plan.nodes[node as usize].heartbeat_timeout
            && let Some(at) = Instant::now().checked_add(silence)
        {
            self.timers.push(at, Timer::Heartbeat { node, attempt });
        }
        self.active.insert(
            node,
            Active {
                cx,
                kill,
                asked: None,
                spilling: None,
                taking: None,
            },
        );
    }

    /// An attempt whose first poll does not come back.
    pub(super) fn blocks(&mut self, shared: &Shared, cx: Context) {
        cx.warn(
            "this component blocks an async thread: it computes or waits where it should await; \
             declare it `execution = blocking`",
        );
        self.goes_on(shared, cx.0.index, cx, Kill::Nothing);
    }

    pub(super) fn active_attempt(&mut self, node: u32, attempt: u32) -> Option<&mut Active> {
        self.active
            .get_mut(&node)
            .filter(|active| active.cx.attempt() == attempt)
    }

    pub(super) fn fire_timers(&mut self, shared: &Arc<Shared>, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Timeout { node, attempt } => {
                    let limit = shared.plan.nodes[node as usize].timeout.unwrap_or_default();
                    if self.active_attempt(node, attempt).is_some() {
                        let error = ComponentError::timeout(format!("timed out after {limit:?}"));
                        self.ask(shared, node, Asked::TimedOut(error));
                    }
                }
                Timer::Heartbeat { node, attempt } => self.heartbeat(shared, node, attempt, now),
                Timer::Grace { node, attempt } => {
                    if self.active_attempt(node, attempt).is_some() {
                        self.grace_is_over(shared, node, now);
                    }
                }
                Timer::Retry { node, attempt } => {
                    if self.phases[node as usize] == Phase::Retrying {
                        self.phases[node as usize] = Phase::Ready;
                        self.ready.push_back(Ready {
                            node,
                            attempt,
                            triggered_by: None,
                        });
                    }
                }
                Timer::Run => {
                    self.cancel(shared, StopCause::TimedOut, None);
                }
                Timer::CleanUp => {
                    if !self.scheduler.is_finished() {
                        self.clean_up_is_over(shared);
                    }
                }
            }
        }
    }

    fn heartbeat(&mut self, shared: &Shared, node: u32, attempt: u32, now: Instant) {
        let Some(silence) = shared.plan.nodes[node as usize].heartbeat_timeout else {
            return;
        };
        let waits = self.waiting.contains(&node);
        let Some(active) = self.active_attempt(node, attempt) else {
            return;
        };
        if waits {
            // Whoever waits for a person need not show that it lives.
            self.timers
                .push(now + silence, Timer::Heartbeat { node, attempt });
            return;
        }
        let due = active.cx.last_beat().checked_add(silence).unwrap_or(now);
        if due > now {
            self.timers.push(due, Timer::Heartbeat { node, attempt });
            return;
        }
        let error = ComponentError::timeout(format!("no sign of life for {silence:?}"));
        self.ask(shared, node, Asked::TimedOut(error));
    }

    /// An attempt that was asked to stop and did not: it is dropped.
    fn grace_is_over(&mut self, shared: &Arc<Shared>, node: u32, now: Instant) {
        let Some(active) = self.active.remove(&node) else {
            return;
        };
        active.kill.kill();
        active.cx.log(
            Level::Warn,
            format!(
                "did not stop within {:?} of being asked, and was dropped",
                shared.settings.grace
            ),
        );
        let error = ComponentError::internal("dropped");
        let now = shared.scope.clock.moment_of(now);
        self.ended(shared, node, active.cx, now, Err(error), active.asked);
    }

    /// An attempt that went on elsewhere has ended.
    pub(super) fn ended_elsewhere(
        &mut self,
        shared: &Arc<Shared>,
        node: u32,
        attempt: u32,
        at: Instant,
        result: Result<NodeOutput, ComponentError>,
    ) {
        // A zombie, dropped or killed before, has no say.
        if self.active_attempt(node, attempt).is_none() {
            return;
        }
        if let Some(active) = self.active.remove(&node) {
            let at = shared.scope.clock.moment_of(at);
            self.ended(shared, node, active.cx, at, result, active.asked);
        }
    }

    /// An attempt has ended: records how, and what follows.
    pub(super) fn ended(
        &mut self,
        shared: &Arc<Shared>,
        node: u32,
        cx: Context,
        at: Moment,
        result: Result<NodeOutput, ComponentError>,
        asked: Option<Asked>,
    ) {
        let result = match asked {
            Some(Asked::TimedOut(error)) => Err(error),
            Some(Asked::Cancelled(reason)) if result.is_err() => {
                self.record_cancelled(shared, &cx, at.instant, reason.as_str());
                self.settles(shared, node, How::Cancelled);
                return;
            }
            _ => result,
        };
        let plan_node = &shared.plan.nodes[node as usize];
        let finished =
            result.and_then(|output| node::finish(plan_node, output, &shared.scope.masker));
        match finished {
            Ok(mut finished) => {
                if !shared.keeps_values {
                    match spill::large_ports(&finished.recorded(plan_node)) {
                        Ok(large) if large.is_empty() => {}
                        Ok(large) => return self.spill(shared, node, cx, at, finished, large),
                        Err(error) => return self.failed(shared, node, &cx, at, &error),
                    }
                }
                self.completed(shared, node, cx, at, finished);
            }
            Err(error) => self.failed(shared, node, &cx, at, &error),
        }
    }

    fn spill(
        &mut self,
        shared: &Arc<Shared>,
        node: u32,
        cx: Context,
        at: Moment,
        mut finished: Finished,
        large: Vec<usize>,
    ) {
        let plan_node = &shared.plan.nodes[node as usize];
        let (attempt, outputs) = (cx.attempt(), finished.recorded(plan_node));
        let task = shared.clone();
        let storing = tokio::spawn(async move {
            let result = spill::spill(&outputs, &large, &task.scope.artifacts).await;
            task.send(Message::Spilled {
                node,
                attempt,
                result,
            });
        });
        let kill = Kill::Task(storing.abort_handle());
        let spilling = Some((finished, at));
        self.active.insert(
            node,
            Active {
                cx,
                kill,
                asked: None,
                spilling,
                taking: None,
            },
        );
    }

    /// The large outputs of an attempt are stored, or could not be.
    pub(super) fn spilled(
        &mut self,
        shared: &Arc<Shared>,
        node: u32,
        attempt: u32,
        result: Result<Arc<Outputs>, ComponentError>,
    ) {
        if self.active_attempt(node, attempt).is_none() {
            return;
        }
        let Some(Active {
            cx,
            spilling: Some((mut finished, at)),
            ..
        }) = self.active.remove(&node)
        else {
            return;
        };
        match result {
            Ok(recorded) => {
                finished.masked = Some(recorded);
                self.completed(shared, node, cx, at, finished);
            }
            Err(error) => self.failed(shared, node, &cx, at, &error),
        }
    }

    /// An attempt is over with its first poll. The common case by itself: its only value goes on as
    /// it is, and nothing else was told of it.
    pub(super) fn over_at_once(
        &mut self,
        shared: &Arc<Shared>,
        node: u32,
        cx: Context,
        at: Moment,
        result: Result<NodeOutput, ComponentError>,
    ) {
        if let Ok(NodeOutput(Output::One(value))) = &result
            && shared.writer.is_some()
            && shared.keeps_values
            && let Some(micros) = cx.untold(at.timestamp)
            && node::is_plain(
                &shared.plan.nodes[node as usize],
                value,
                &shared.scope.masker,
            )
            && let Ok(NodeOutput(Output::One(value))) = result
        {
            self.told_at_once(shared, node, cx, (at, micros), Given::One(value));
        } else {
            self.ended(shared, node, cx, at, result, None);
        }
    }

    /// Both events of an attempt that has succeeded are one.
    fn told_at_once(
        &mut self,
        shared: &Arc<Shared>,
        node: u32,
        cx: Context,
        (ended, micros): (Moment, u32),
        outputs: Given,
    ) {
        // What the recorder has so far is older.
        if shared.scope.recorder.has_any() {
            self.flush(shared);
        }
        self.attempts
            .push(cx.attempt_record(ended.timestamp, micros, outputs));
        self.spare = Some(cx);
        self.phases[node as usize] = Phase::Settling;
        self.give_back(shared, node);
    }

    pub(super) fn completed(
        &mut self,
        shared: &Arc<Shared>,
        node: u32,
        cx: Context,
        at: Moment,
        mut finished: Finished,
    ) {
        if shared.writer.is_some()
            && finished.is_plain()
            && let Some(micros) = cx.untold(at.timestamp)
        {
            self.told_at_once(shared, node, cx, (at, micros), finished.outputs);
            return;
        }
        let plan_node = &shared.plan.nodes[node as usize];
        let kind = finished.payload(plan_node, millis(cx.0.started, at.instant));
        shared
            .scope
            .recorder
            .end(&cx, at.instant, Level::Info, None, kind);
        cx.close();
        let Finished {
            outputs,
            masked,
            active,
            ..
        } = finished;
        let how = How::Succeeded {
            outputs,
            masked,
            active,
        };
        self.settles(shared, node, how);
    }

    fn failed(
        &mut self,
        shared: &Shared,
        node: u32,
        cx: &Context,
        at: Moment,
        error: &ComponentError,
    ) {
        let attempt = cx.attempt();
        let plan_node = &shared.plan.nodes[node as usize];
        // A run that is being stopped tries nothing again, save its clean-up.
        let stops = self.scheduler.stopping().is_some() && !self.scheduler.is_cleanup(NodeIx(node));
        let excused = self.excused.get(&node).copied().unwrap_or_default();
        let wait = plan_node
            .retry
            .wait_after(attempt - excused.min(attempt - 1), error)
            .filter(|_| !stops);
        let retry_at = wait.and_then(|wait| at.instant.checked_add(wait));
        let handler = match retry_at {
            Some(_) => None,
            None => self.scheduler.would_handle(NodeIx(node)),
        };
        let payload = ErrorPayload::from(error);
        let kind = EventKind::NodeFailed(Box::new(FailedPayload {
            error: payload.clone(),
            will_retry: retry_at.is_some(),
            interrupted: false,
            retry_at: retry_at.map(|at| shared.scope.clock.at(at)),
            handled_by: handler.map(|node| shared.plan.nodes[node.0 as usize].node.id.clone()),
            duration_ms: Some(millis(cx.0.started, at.instant)),
        }));
        let level = if retry_at.is_some() {
            Level::Warn
        } else {
            Level::Error
        };
        let message = executor::shown(&payload);
        shared
            .scope
            .recorder
            .end(cx, at.instant, level, Some(message.into()), kind);
        cx.close();
        match retry_at {
            Some(at) => {
                self.phases[node as usize] = Phase::Retrying;
                self.retrying.insert(node, attempt + 1);
                self.timers.push(
                    at,
                    Timer::Retry {
                        node,
                        attempt: attempt + 1,
                    },
                );
                self.give_back(shared, node);
            }
            None => {
                let masked = shared.scope.recorder.masked_error(payload);
                self.settles(shared, node, How::Failed(Arc::new(masked)));
            }
        }
    }

    fn settles(&mut self, shared: &Shared, node: u32, how: How) {
        self.phases[node as usize] = Phase::Settling;
        self.settling.push(Settled::Node { node, how });
        self.give_back(shared, node);
    }
}

fn cancelled_kind(reason: &str) -> EventKind {
    EventKind::NodeCancelled(Box::new(CancelledPayload {
        reason: reason.to_owned(),
    }))
}

/// The future inside the node's span, where somebody subscribes to it.
#[cfg(feature = "tracing")]
fn in_span(cx: &Context, work: Work) -> Work {
    use tracing::Instrument as _;
    let span = crate::context::node_span(cx);
    if span.is_none() {
        work
    } else {
        Box::pin(work.instrument(span))
    }
}

#[cfg(not(feature = "tracing"))]
fn in_span(_: &Context, work: Work) -> Work {
    work
}
