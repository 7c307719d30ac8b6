//! How a run ends: by itself, stopped, killed, or without its store.

use std::sync::Arc;

use super::{
    driver::{Driver, Ending, Settled},
    shared::Shared,
    store,
};
use crate::{
    NodeId,
    event::{EventKind, Failure, Level, Outputs, Record, StatusPayload, StopCause, WorkflowStatus},
    execute::{RunOutcome, executor, node::Upstream},
    schedule::{NodeIx, RunResult},
    trace::StoreError,
};

impl Driver {
    /// Asks the run to stop, with clean-up. It does once that is stored, like everything that
    /// decides what runs.
    pub(super) fn cancel(&mut self, shared: &Shared, cause: StopCause, reason: Option<String>) {
        if self.ending != Ending::Running || self.stop.asked || self.scheduler.stopping().is_some()
        {
            return;
        }
        self.stop.asked = true;
        self.stop.timed_out = cause == StopCause::TimedOut;
        self.record_stop(shared, cause, reason.as_deref());
        self.stop.reason = reason;
        self.settling.push(Settled::Stop);
    }

    fn record_stop(&mut self, shared: &Shared, cause: StopCause, reason: Option<&str>) {
        let mut payload = StatusPayload::new(WorkflowStatus::Running);
        payload.stopping = Some(cause);
        self.say(shared, payload, Level::Warn, reason.map(Into::into));
    }

    /// Records something about the run as a whole.
    pub(super) fn say(
        &mut self,
        shared: &Shared,
        payload: StatusPayload,
        level: Level,
        message: Option<Arc<str>>,
    ) {
        self.said += 1;
        let kind = EventKind::WorkflowStatus(Box::new(payload));
        let now = shared.scope.clock.now();
        let mut record = Record::new(now, None, 0, self.said, kind).with_level(level);
        record.message = message;
        shared.scope.recorder.push(record);
    }

    /// Kills the run.
    pub(super) fn terminate(&mut self, shared: &Shared, cause: StopCause, reason: String) {
        if self.ending != Ending::Running {
            return;
        }
        self.record_stop(shared, cause, Some(&reason));
        self.stop.reason.get_or_insert(reason);
        // What the scheduler said before is void with what it says now, save what has ended.
        self.obey(shared);
        self.scheduler.terminate(&mut self.commands);
        self.ready.clear();
    }

    /// Clean-up has had its time: what still runs is dropped, and the run keeps its status.
    pub(super) fn clean_up_is_over(&mut self, shared: &Shared) {
        self.stop.cut = Some(self.scheduler.result());
        let reason = "clean-up took too long".to_owned();
        self.terminate(shared, StopCause::CleanUpTooLong, reason);
    }

    /// Writes the last event.
    pub(super) fn close(&mut self, shared: &Shared) {
        self.ending = Ending::Closing;
        self.timers.clear();
        shared.scope.recorder.close();
        let outcome = self.outcome(shared);
        let mut payload = StatusPayload::new(outcome.status);
        payload.failure = outcome.failure.clone();
        if outcome.is_completed() && self.few_sinks() {
            let id = |node: u32| shared.plan.nodes[node as usize].node.id.clone();
            let sinks = self
                .sinks
                .iter()
                .map(|(node, outputs)| (id(*node), (**outputs).clone()));
            payload.outputs = Some(sinks.collect());
        }
        let message = match (&payload.failure, &self.stop.reason) {
            (Some(failure), _) => Some(failure.reason.clone()),
            (None, reason) => reason.clone(),
        };
        let level = if outcome.is_completed() {
            Level::Info
        } else {
            Level::Error
        };
        self.say(shared, payload, level, message.map(Into::into));
        self.result = Some(outcome);
    }

    fn outcome(&self, shared: &Shared) -> RunOutcome {
        let run = shared.scope.run_id.clone();
        let result = self.stop.cut.unwrap_or_else(|| self.scheduler.result());
        if let Some(defect) = &self.defect {
            let mut outcome = RunOutcome::new(run, WorkflowStatus::Failed);
            outcome.failure = Some(defect.clone());
            return outcome;
        }
        let status = match result {
            RunResult::Completed => WorkflowStatus::Completed,
            RunResult::Failed { .. } => WorkflowStatus::Failed,
            RunResult::Cancelled if self.stop.timed_out => WorkflowStatus::TimedOut,
            RunResult::Cancelled => WorkflowStatus::Cancelled,
            RunResult::Terminated => WorkflowStatus::Terminated,
        };
        let mut outcome = RunOutcome::new(run, status);
        outcome.failure = match result {
            RunResult::Failed { node } => Some(self.failure_of(shared, node)),
            _ if status == WorkflowStatus::TimedOut => {
                let limit = shared.plan.config.timeout_seconds.unwrap_or_default();
                let reason = format!("the run took longer than its limit of {limit} s");
                Some(Failure {
                    reason,
                    node_id: None,
                    error: None,
                })
            }
            _ => None,
        };
        outcome.outputs = self.sinks(shared).collect();
        outcome
    }

    fn failure_of(&self, shared: &Shared, node: NodeIx) -> Failure {
        let id = shared.plan.nodes[node.0 as usize].node.id.clone();
        let error = match &self.upstream[node.0 as usize] {
            Some(Upstream::Failed(error)) => Some((**error).clone()),
            _ => None,
        };
        let why = error.as_ref().map(executor::shown).unwrap_or_default();
        Failure {
            reason: format!("node {id} failed: {why}"),
            node_id: Some(id),
            error,
        }
    }

    /// Outputs of the nodes that nothing depends on.
    fn sinks<'a>(
        &'a self,
        shared: &'a Shared,
    ) -> impl Iterator<Item = (NodeId, Arc<Outputs>)> + 'a {
        let sinks = self
            .upstream
            .iter()
            .enumerate()
            .filter_map(|(index, upstream)| {
                let index = u32::try_from(index).ok()?;
                match upstream {
                    Some(Upstream::Outputs(outputs)) if self.is_sink(index) => {
                        let ids = &shared.plan.nodes[index as usize].output_ids;
                        Some((index, outputs.outputs(ids)))
                    }
                    _ => None,
                }
            });
        sinks.map(|(index, outputs)| (shared.plan.nodes[index as usize].node.id.clone(), outputs))
    }

    /// The store is lost: stops everything. What is recorded stays as it is.
    pub(super) fn give_up(&mut self, shared: &Shared, error: StoreError) {
        for (_, active) in self.active.drain() {
            active.kill.kill();
            active.cx.cancel();
            active.cx.close();
        }
        self.ready.clear();
        self.timers.clear();
        shared.scope.recorder.close();
        let run = shared.scope.run_id.clone();
        let mut outcome = match self.result.take() {
            Some(outcome) => outcome,
            None => RunOutcome::new(run, WorkflowStatus::Failed),
        };
        outcome.status = WorkflowStatus::Failed;
        outcome.failure = Some(Failure {
            reason: format!("the run's log could not be written: {error}"),
            node_id: None,
            error: None,
        });
        outcome.unrecorded = Some(error);
        self.result = Some(outcome);
        self.ending = Ending::Over;
    }

    /// Tells those who wait how the run ended.
    pub(super) fn leave(&mut self, shared: &Shared) {
        if let Some(outcome) = self.result.take() {
            self.upstream = Vec::new();
            store::release(shared);
            shared.outcome.send_replace(Some(Arc::new(outcome)));
        }
    }
}
