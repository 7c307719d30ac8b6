//! Nodes that do not run, because an earlier run did the same.

use std::sync::Arc;

use super::{
    attempt::Kill,
    driver::{Active, Driver, Phase},
    limits::Ready,
    resume::indices,
    shared::{Message, Shared},
};
use crate::{
    component::ActivePorts,
    context::Context,
    event::{Given, Outputs},
    execute::{
        node::Finished,
        recovery::{Loader, planned},
        reuse::{Done, Left},
    },
};

impl Driver {
    /// Takes over what an earlier run gave, where this node would do the same again. Whether it
    /// does.
    pub(super) fn takes_over(&mut self, shared: &Arc<Shared>, ready: Ready) -> bool {
        let Ready {
            node,
            attempt,
            triggered_by,
        } = ready;
        let Some(done) = self.reuse.as_ref().and_then(|reuse| reuse.of(node)) else {
            return false;
        };
        self.phases[node as usize] = Phase::Active;
        let now = shared.scope.clock.moment();
        let cx = Context::new(
            shared.scope.clone(),
            (node, attempt, triggered_by),
            now,
            None,
        );
        let plan_node = &shared.plan.nodes[node as usize];
        if done.outputs.notes.is_none() || self.is_sink(node) {
            let outputs = Arc::new(planned(&plan_node.output_ids, &done.outputs));
            self.taken_over(shared, node, cx, &done, outputs);
            return true;
        }
        // What the log holds elsewhere is fetched for those who read it.
        let (task, fetched) = (shared.clone(), done.clone());
        let fetching = tokio::spawn(async move {
            let scope = &task.scope;
            let loader = Loader {
                artifacts: &scope.artifacts,
                secrets: &scope.secrets,
                masker: &scope.masker,
            };
            let result =
                loader.outputs(&task.plan.nodes[node as usize].output_ids, &fetched.outputs);
            let result = result.await;
            task.send(Message::Fetched {
                node,
                attempt,
                result,
            });
        });
        let active = Active {
            cx,
            kill: Kill::Task(fetching.abort_handle()),
            asked: None,
            spilling: None,
            taking: Some(done),
        };
        self.active.insert(node, active);
        true
    }

    /// What an earlier run gave is here, or cannot be had, and then the node runs after all.
    pub(super) fn fetched(
        &mut self,
        shared: &Arc<Shared>,
        node: u32,
        attempt: u32,
        result: Result<Arc<Outputs>, (crate::PortId, String)>,
    ) {
        if self.active_attempt(node, attempt).is_none() {
            return;
        }
        let Some(Active {
            cx,
            taking: Some(done),
            ..
        }) = self.active.remove(&node)
        else {
            return;
        };
        match result {
            Ok(outputs) => self.taken_over(shared, node, cx, &done, outputs),
            Err((port, problem)) => {
                let (run, id) = (&shared.scope.run_id, cx.node_id());
                tracing::warn!(%run, node = %id, %port, problem, "runs again: nothing to reuse");
                if let Some(reuse) = &mut self.reuse {
                    reuse.forget(node);
                }
                self.phases[node as usize] = Phase::Ready;
                let group = shared.plan.nodes[node as usize].group;
                self.limits.give_back(group, &mut self.ready);
                let triggered_by = cx.triggered_by();
                self.ready.push_back(Ready {
                    node,
                    attempt,
                    triggered_by,
                });
            }
        }
    }

    fn taken_over(
        &mut self,
        shared: &Arc<Shared>,
        node: u32,
        cx: Context,
        done: &Done,
        outputs: Arc<Outputs>,
    ) {
        let plan_node = &shared.plan.nodes[node as usize];
        let active = match &done.active {
            None => ActivePorts::All,
            Some(ports) => ActivePorts::Only(indices(plan_node, ports).collect()),
        };
        let finished = Finished {
            outputs: Given::Several(outputs),
            masked: Some(Arc::new(planned(&plan_node.output_ids, &done.outputs))),
            active_ports: done.active.as_deref().map(Into::into),
            active,
            reused_from: self.reuse.as_ref().map(|reuse| reuse.parent.clone()),
        };
        let now = shared.scope.clock.moment();
        self.completed(shared, node, cx, now, finished);
    }

    /// Notes what a node left behind, for those after it to compare with what they had.
    pub(super) fn note(&mut self, shared: &Shared, node: u32, left: impl FnOnce() -> Left) {
        if let Some(reuse) = &mut self.reuse {
            reuse.note(&shared.plan.nodes[node as usize].node.id, left());
        }
    }
}
