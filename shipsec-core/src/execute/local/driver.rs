//! The driver of one run: obeys the scheduler, starts nodes, and settles what is stored.
//!
//! Long because the loop of a run and what it settles are one thing.

use std::{collections::VecDeque, sync::Arc, task::Poll, time::Duration};

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::{
    attempt::{self, Kill},
    limits::{Limits, Ready},
    shared::{Message, Shared},
    store,
    timers::{Timer, Timers},
};
use crate::{
    ComponentError,
    component::{ActivePorts, Execution},
    context::{Context, Moment},
    event::{
        AttemptRecord, ErrorPayload, Failure, Given, Level, Outputs, Record, StatusPayload,
        StopCause, Timestamp,
    },
    execute::{
        RunOutcome,
        node::{Finished, Upstream},
        reuse::{Done, Left, Reuse},
    },
    schedule::{self, Command, NodeIx, Outcome, PortIx, Scheduler},
    workflow::Plan,
};

/// Nodes that are started before the driver lets other tasks of its thread run.
const BURST: usize = 1024;

/// Outcomes that wait at most for their batch while further nodes can be started at once.
const BATCH: usize = 64;

/// A first poll that takes longer is taken for a component that blocks.
const BLOCKING: Duration = Duration::from_millis(25);

/// Where a node is, beyond what the scheduler knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not started, or all settled.
    Idle,
    /// To be started; it may wait for its turn.
    Ready,
    /// An attempt goes on.
    Active,
    /// Between two attempts.
    Retrying,
    /// It ended; its last fact is on its way into the store.
    Settling,
    /// The run was killed under it.
    Killed,
}

/// Why an attempt was asked to stop.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// Its time was up, or it was silent for too long: it fails with this.
    TimedOut(ComponentError),
    /// The scheduler said so, for this reason.
    Cancelled(schedule::CancelReason),
}

/// An attempt that goes on.
pub(super) struct Active {
    pub(super) cx: Context,
    pub(super) kill: Kill,
    pub(super) asked: Option<Asked>,
    /// The component is done, its large outputs are being stored.
    pub(super) spilling: Option<(Finished, Moment)>,
    /// It does not run: what an earlier run gave is being fetched.
    pub(super) taking: Option<Arc<Done>>,
}

/// What follows from a fact, once that is stored. In the order of the facts, so that the scheduler
/// of a resumed run, which is told what the log says, comes to the same state.
pub(super) enum Settled {
    /// A node has ended.
    Node { node: u32, how: How },
    /// The run is to be stopped.
    Stop,
}

pub(super) enum How {
    Succeeded {
        outputs: Given,
        /// As recorded, where that differs.
        masked: Option<Arc<Outputs>>,
        active: ActivePorts,
    },
    Failed(Arc<ErrorPayload>),
    Cancelled,
}

/// How the run ends, beyond what the scheduler knows.
#[derive(Debug, Default)]
pub(super) struct Stop {
    /// The run was asked to stop; it does once that is stored.
    pub(super) asked: bool,
    /// The run's own timeout stopped it.
    pub(super) timed_out: bool,
    /// What the one who stopped it said.
    pub(super) reason: Option<String>,
    /// Clean-up has its deadline.
    pub(super) limited: bool,
    /// How the run ended when clean-up took too long and was cut.
    pub(super) cut: Option<schedule::RunResult>,
}

/// The most nodes without dependents whose outputs the last event repeats.
const SINKS: usize = 256;

pub(super) struct Driver {
    epoch: u64,
    /// When the last attempt ended, as long as the driver has done nothing but its own work since:
    /// the next one begins at that time, and the clock need not be read again.
    pub(super) just_now: Option<Moment>,
    /// The attempt whose first poll goes on now.
    pub(super) polling: Option<Context>,
    pub(super) scheduler: Scheduler,
    pub(super) commands: Vec<Command>,
    pub(super) ready: VecDeque<Ready>,
    pub(super) phases: Vec<Phase>,
    pub(super) upstream: Vec<Option<Upstream>>,
    pub(super) active: HashMap<u32, Active>,
    pub(super) limits: Limits,
    pub(super) timers: Timers,
    pub(super) settling: Vec<Settled>,
    pub(super) in_flight: Vec<Settled>,
    appending: bool,
    /// Records on their way into the store; kept for what it can hold.
    batch: Vec<Record>,
    /// Attempts on their way into a store that never waits. What the recorder has is newer.
    pub(super) attempts: Vec<AttemptRecord>,
    /// The context of an attempt that is over, for the next one.
    pub(super) spare: Option<Context>,
    pub(super) stop: Stop,
    /// How many attempts of a node ended with their process: they do not count against its retries.
    pub(super) excused: HashMap<u32, u32>,
    /// Nodes that wait for a person. They have given their places in limits back.
    pub(super) waiting: HashSet<u32>,
    /// Attempts that gave their places back before they ended.
    pub(super) unplaced: HashSet<u32>,
    /// Whether the log says that the run waits for a person.
    pub(super) awaits: bool,
    /// The next attempt of nodes that are between two.
    pub(super) retrying: HashMap<u32, u32>,
    /// Attempts that began in another process and go on here: when they began, and how many events
    /// and artifacts they have told.
    pub(super) continued: HashMap<u32, (Timestamp, u32, u32)>,
    /// What may be taken over from an earlier run.
    pub(super) reuse: Option<Box<Reuse>>,
    /// The counter of the last record about the run as a whole.
    pub(super) said: u32,
    pub(super) defect: Option<Failure>,
    /// Outputs, as recorded, of the nodes that nothing depends on.
    pub(super) sinks: HashMap<u32, Arc<Outputs>>,
    pub(super) ending: Ending,
    /// How the run ended, until it is told.
    pub(super) result: Option<RunOutcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Running,
    /// The last event is on its way into the store.
    Closing,
    Over,
}

/// What the driver's task does next.
enum Next {
    /// Another task drives the run now, or the run is over.
    Leave,
    /// Let others run, then go on.
    Yield,
    /// Wait for news, or for this time.
    Wait(Option<Instant>),
}

impl Driver {
    pub(super) fn new(plan: &Plan) -> Self {
        let policy = plan.config.failure_policy;
        let nodes = plan.nodes.len();
        Self {
            epoch: 0,
            just_now: None,
            polling: None,
            scheduler: Scheduler::new(plan.topology.clone(), policy),
            commands: Vec::new(),
            ready: VecDeque::new(),
            phases: vec![Phase::Idle; nodes],
            upstream: std::iter::repeat_with(|| None).take(nodes).collect(),
            active: HashMap::new(),
            limits: Limits::new(plan),
            timers: Timers::default(),
            settling: Vec::new(),
            in_flight: Vec::new(),
            appending: false,
            batch: Vec::new(),
            attempts: Vec::new(),
            spare: None,
            stop: Stop::default(),
            excused: HashMap::new(),
            waiting: HashSet::new(),
            unplaced: HashSet::new(),
            awaits: false,
            retrying: HashMap::new(),
            continued: HashMap::new(),
            reuse: None,
            said: 0,
            defect: None,
            sinks: HashMap::new(),
            result: None,
            ending: Ending::Running,
        }
    }

    /// Begins the run: the first event, the roots, the run's own timeout.
    pub(super) fn begin(&mut self, shared: &Shared, first: StatusPayload) {
        self.say(shared, first, Level::Info, None);
        self.limit_run(shared, Duration::ZERO);
        self.scheduler.start(&mut self.commands);
    }

    /// Sets the run's own timeout, of which `spent` is over.
    pub(super) fn limit_run(&mut self, shared: &Shared, spent: Duration) {
        if let Some(limit) = shared.plan.config.timeout_seconds
            && let Ok(limit) = Duration::try_from_secs_f64(limit)
            && let Some(at) = Instant::now().checked_add(limit.saturating_sub(spent))
        {
            self.timers.push(at, Timer::Run);
        }
    }

    fn receive(&mut self, shared: &Arc<Shared>) {
        for message in shared.receive() {
            match message {
                Message::Ended {
                    node,
                    attempt,
                    at,
                    result,
                } => {
                    self.ended_elsewhere(shared, node, attempt, at, result);
                }
                Message::Spilled {
                    node,
                    attempt,
                    result,
                } => {
                    self.spilled(shared, node, attempt, result);
                }
                Message::Fetched {
                    node,
                    attempt,
                    result,
                } => {
                    self.fetched(shared, node, attempt, result);
                }
                Message::Appended(Ok(())) => {
                    self.appending = false;
                    self.settle(shared);
                }
                Message::Appended(Err(error)) | Message::Fenced(error) => {
                    self.give_up(shared, error);
                }
                Message::Cancel(reason) => {
                    self.cancel(shared, StopCause::Cancelled, Some(reason));
                }
                Message::Terminate(reason) => {
                    self.terminate(shared, StopCause::Terminated, reason);
                }
            }
        }
    }

    /// Sends what was recorded to the store. Whether anything was settled at once.
    pub(super) fn flush(&mut self, shared: &Arc<Shared>) -> bool {
        if self.appending {
            return false;
        }
        match &shared.writer {
            Some(writer) => {
                let any = !self.attempts.is_empty();
                if any {
                    // Nothing that follows from them starts before they are appended.
                    self.settle_attempts(shared);
                    match writer.append_attempts(&shared.plan, &mut self.attempts) {
                        Ok(appended) => shared.reached(appended.last_sequence),
                        Err(error) => {
                            self.give_up(shared, error);
                            return true;
                        }
                    }
                }
                shared.scope.recorder.take(&mut self.batch);
                if self.batch.is_empty() && self.settling.is_empty() {
                    return any;
                }
                match writer.append_now(&mut self.batch) {
                    Ok(appended) => shared.reached(appended.last_sequence),
                    Err(error) => {
                        self.give_up(shared, error);
                        return true;
                    }
                }
                std::mem::swap(&mut self.in_flight, &mut self.settling);
                self.settle(shared);
                true
            }
            None => {
                shared.scope.recorder.take(&mut self.batch);
                if self.batch.is_empty() {
                    return false;
                }
                std::mem::swap(&mut self.in_flight, &mut self.settling);
                self.appending = true;
                store::append(shared, std::mem::take(&mut self.batch));
                false
            }
        }
    }

    fn settle_attempts(&mut self, shared: &Shared) {
        for at in 0..self.attempts.len() {
            let attempt = &self.attempts[at];
            let (index, outputs) = (attempt.node(), attempt.outputs().clone());
            if self.phases[index] == Phase::Killed {
                continue;
            }
            self.phases[index] = Phase::Idle;
            let node = NodeIx(index as u32);
            let ids = &shared.plan.nodes[index].output_ids;
            self.keep_sink(node.0, || outputs.outputs(ids));
            self.note(shared, node.0, || Left::Outputs(outputs.outputs(ids)));
            self.upstream[index] = Some(Upstream::Outputs(outputs));
            self.complete(node, Outcome::succeeded());
        }
    }

    fn complete(&mut self, node: NodeIx, outcome: Outcome<'_>) {
        if let Err(error) = self.scheduler.complete(node, outcome, &mut self.commands) {
            self.defect
                .get_or_insert_with(|| defect(&error.to_string()));
        }
    }

    /// The batch in flight is stored: what depends on it may go on.
    fn settle(&mut self, shared: &Shared) {
        if self.ending == Ending::Closing {
            self.ending = Ending::Over;
        }
        let mut batch = std::mem::take(&mut self.in_flight);
        for settled in batch.drain(..) {
            let Settled::Node { node, how } = settled else {
                self.scheduler.cancel(&mut self.commands);
                continue;
            };
            let index = node as usize;
            if self.phases[index] == Phase::Killed {
                continue;
            }
            self.phases[index] = Phase::Idle;
            let ports: SmallVec<[PortIx; 8]>;
            let outcome = match how {
                How::Succeeded {
                    outputs,
                    masked,
                    active,
                } => {
                    let ids = &shared.plan.nodes[index].output_ids;
                    let recorded = || masked.clone().unwrap_or_else(|| outputs.outputs(ids));
                    self.keep_sink(node, recorded);
                    self.note(shared, node, || Left::Outputs(recorded()));
                    self.upstream[index] = Some(Upstream::Outputs(outputs));
                    let active = match active {
                        ActivePorts::All => schedule::ActivePorts::All,
                        ActivePorts::Only(indices) => {
                            ports = indices.into_iter().map(PortIx).collect();
                            schedule::ActivePorts::Only(&ports)
                        }
                    };
                    Outcome::Succeeded { active }
                }
                How::Failed(error) => {
                    self.note(shared, node, || Left::Failed(error.clone()));
                    self.upstream[index] = Some(Upstream::Failed(error));
                    Outcome::Failed
                }
                How::Cancelled => Outcome::Cancelled,
            };
            self.complete(NodeIx(node), outcome);
        }
        self.in_flight = batch;
    }

    /// Keeps the outputs, as recorded, of a node that nothing depends on, as long as those are few.
    pub(super) fn keep_sink(&mut self, node: u32, outputs: impl FnOnce() -> Arc<Outputs>) {
        if self.sinks.len() <= SINKS && self.is_sink(node) {
            self.sinks.insert(node, outputs());
        }
    }

    pub(super) fn is_sink(&self, node: u32) -> bool {
        self.scheduler.topology().is_sink(NodeIx(node))
    }

    /// The last event repeats the outputs of the nodes that nothing depends on, where they are few.
    pub(super) fn few_sinks(&self) -> bool {
        self.sinks.len() <= SINKS
    }

    fn wait_until(&mut self, shared: &Shared) -> Option<Instant> {
        let held = shared.scope.recorder.release_held(Instant::now());
        match (held, self.timers.next()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Whether nothing is to be started, tried again or settled.
    pub(super) fn nothing_follows(&self) -> bool {
        self.ready.is_empty()
            && self.retrying.is_empty()
            && self.settling.is_empty()
            && self.in_flight.is_empty()
            && self.commands.is_empty()
    }

    fn is_quiet(&self) -> bool {
        self.settling.is_empty()
            && self.attempts.is_empty()
            && self.in_flight.is_empty()
            && !self.appending
            && self.active.is_empty()
            && self.ready.is_empty()
            && self.commands.is_empty()
    }
}

pub(super) fn defect(reason: &str) -> Failure {
    Failure {
        reason: format!("defect in the executor: {reason}"),
        node_id: None,
        error: None,
    }
}

/// Drives a run to its end, or until another task takes it over.
pub(super) async fn drive(shared: Arc<Shared>, epoch: u64) {
    loop {
        match pump(&shared, epoch) {
            Next::Leave => return,
            Next::Yield => tokio::task::yield_now().await,
            Next::Wait(None) => shared.scope.recorder.arrived.notified().await,
            Next::Wait(Some(until)) => {
                tokio::select! {
                    () = shared.scope.recorder.arrived.notified() => {}
                    () = tokio::time::sleep_until(until) => {}
                }
            }
        }
    }
}

/// Does everything that can be done now.
fn pump(shared: &Arc<Shared>, epoch: u64) -> Next {
    let mut driver = shared.driver();
    driver.just_now = None;
    let mut burst = 0;
    loop {
        if driver.epoch != epoch {
            return Next::Leave;
        }
        driver.receive(shared);
        driver.hear(shared);
        if !driver.timers.is_empty() {
            driver.fire_timers(shared, Instant::now());
        }
        driver.obey(shared);
        if driver.ending == Ending::Over {
            driver.leave(shared);
            return Next::Leave;
        }
        if burst == BURST {
            driver.flush(shared);
            return Next::Yield;
        }
        if let Some(ready) = driver.next_ready(shared) {
            burst += 1;
            if driver.reuse.is_some() && driver.takes_over(shared, ready) {
                continue;
            }
            let Some((cx, mut work)) = driver.begin_attempt(shared, ready) else {
                continue;
            };
            let Ready { node, attempt, .. } = ready;
            match shared.plan.nodes[node as usize].definition.execution {
                Execution::Blocking => {
                    let kill = attempt::spawn_blocking(shared, node, attempt, work);
                    driver.goes_on(shared, node, cx, kill);
                }
                Execution::Async => {
                    let (polled, cx) = if shared.watched {
                        driver.polling = Some(cx);
                        drop(driver);
                        shared.mark_poll();
                        let polled = attempt::poll_once(&mut work);
                        driver = shared.driver();
                        let mine = driver.epoch == epoch;
                        (polled, driver.polling.take_if(|_| mine))
                    } else {
                        (attempt::poll_once(&mut work), Some(cx))
                    };
                    let Some(cx) = cx else {
                        // It blocked, and another task drives the run now.
                        if let Poll::Ready(result) = polled {
                            let at = Instant::now();
                            shared.send(Message::Ended {
                                node,
                                attempt,
                                at,
                                result,
                            });
                        } else if let Some(active) = driver.active_attempt(node, attempt) {
                            active.kill = attempt::spawn(shared, node, attempt, work);
                        }
                        return Next::Leave;
                    };
                    match polled {
                        Poll::Ready(result) => {
                            // The future goes first: what it held is released before the end of
                            // its attempt is told.
                            drop(work);
                            let now = shared.scope.clock.moment();
                            driver.just_now = Some(now);
                            driver.over_at_once(shared, node, cx, now, result);
                        }
                        Poll::Pending => {
                            let kill = attempt::spawn(shared, node, attempt, work);
                            driver.goes_on(shared, node, cx, kill);
                        }
                    }
                }
            }
            if driver.settling.len() + driver.attempts.len() >= BATCH {
                driver.flush(shared);
            }
            continue;
        }
        if driver.flush(shared) {
            continue;
        }
        if driver.is_quiet() && driver.ending == Ending::Running {
            if driver.scheduler.is_finished() || driver.defect.is_some() {
                driver.close(shared);
                continue;
            }
            if let Some(stall) = driver.scheduler.stalled() {
                driver.defect = Some(defect(&stall.to_string()));
                driver.terminate(shared, StopCause::Defect, stall.to_string());
                continue;
            }
        }
        if driver.tells_that_it_waits(shared) {
            continue;
        }
        let until = driver.wait_until(shared);
        if !driver.appending && !shared.scope.recorder.is_empty() {
            continue;
        }
        return Next::Wait(until);
    }
}

/// Notices a first poll that does not come back, and lets another task drive the run. Needs a
/// runtime with another thread: on a single one nothing runs while a component blocks it.
pub(super) async fn watch(shared: std::sync::Weak<Shared>) {
    let mut seen = None;
    loop {
        tokio::time::sleep(BLOCKING).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let polls = shared.polls();
        if seen.replace(polls) != Some(polls) {
            continue;
        }
        let mut driver = shared.driver();
        if driver.ending == Ending::Over {
            return;
        }
        // None where the driver waits for news, which is well.
        let Some(cx) = driver.polling.take_if(|_| shared.polls() == polls) else {
            continue;
        };
        driver.blocks(&shared, cx);
        driver.epoch += 1;
        let epoch = driver.epoch;
        drop(driver);
        tokio::spawn(drive(shared, epoch));
    }
}
