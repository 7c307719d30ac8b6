//! Nodes that wait for a person: they hold nothing, and the run says so when nothing else goes on.

use std::sync::{Arc, Weak};

use futures::StreamExt;

use super::{
    driver::{Driver, Ending},
    shared::Shared,
};
use crate::{
    context::Waiting,
    event::{EventKind, Level, StatusPayload, WorkflowStatus},
    trace::TraceStoreExt,
};

impl Driver {
    /// Hears which nodes began to wait for a person, and which no longer do.
    pub(super) fn hear(&mut self, shared: &Arc<Shared>) {
        for news in shared.scope.questions.news() {
            match news {
                Waiting::Begins(node) => {
                    self.waiting.insert(node);
                    if self.unplaced.insert(node) {
                        let group = shared.plan.nodes[node as usize].group;
                        self.limits.give_back(group, &mut self.ready);
                    }
                    hear_answers(shared);
                }
                Waiting::Listen => hear_answers(shared),
                Waiting::Ends(node) => {
                    self.waiting.remove(&node);
                }
            }
        }
    }

    /// Gives the places of an attempt that has ended back, unless it did so itself.
    pub(super) fn give_back(&mut self, shared: &Shared, node: u32) {
        if self.unplaced.is_empty() || !self.unplaced.remove(&node) {
            let group = shared.plan.nodes[node as usize].group;
            self.limits.give_back(group, &mut self.ready);
        }
    }

    /// Records that the run waits for a person, once nothing else goes on, and that it does no
    /// longer. Whether anything was recorded.
    pub(super) fn tells_that_it_waits(&mut self, shared: &Shared) -> bool {
        let waits = !self.waiting.is_empty()
            && self.ending == Ending::Running
            && self.active.keys().all(|node| self.waiting.contains(node))
            && self.nothing_follows();
        if waits == self.awaits || self.ending != Ending::Running {
            return false;
        }
        self.awaits = waits;
        let status = match waits {
            true => WorkflowStatus::AwaitingInput,
            false => WorkflowStatus::Running,
        };
        self.say(shared, StatusPayload::new(status), Level::Info, None);
        true
    }
}

/// From the first time that somebody waits, answers are heard.
fn hear_answers(shared: &Arc<Shared>) {
    let last = shared.last_known();
    shared.listener.get_or_init(|| {
        let listening = tokio::spawn(listen(Arc::downgrade(shared), last));
        listening.abort_handle()
    });
}

/// Waits for answers in the log: they come from outside of the executor.
async fn listen(run: Weak<Shared>, after: u64) {
    let Some(shared) = run.upgrade() else { return };
    let id = shared.scope.run_id.clone();
    let store = shared.store.clone();
    drop(shared);
    let mut after = after;
    loop {
        let mut events = store.subscribe(id.clone(), after);
        while let Some(event) = events.next().await {
            let Ok(event) = event else { break };
            after = event.sequence;
            if let EventKind::NodeInputReceived(received) = &event.kind {
                let Some(shared) = run.upgrade() else { return };
                let questions = &shared.scope.questions;
                questions.was_answered(&received.request_id, &received.answer);
            }
        }
        if run.strong_count() == 0 {
            return;
        }
        // The store is away; its executor knows what to do about that.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}
