//! Both events of an attempt that was over at once, as one.

use super::{CompletedPayload, EventKind, Given, NodeRef, Record, StartedPayload, Timestamp};
use crate::workflow::{Plan, PlanNode};

/// An attempt that succeeded before there was anything else to tell of it: its `NODE_STARTED` and
/// its `NODE_COMPLETED` as one, in a fifth of the room of two [`Record`]s. A store that keeps
/// values in this process may keep it so, and make the records of it when somebody reads them.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    node: u32,
    attempt: u32,
    /// Index of the node whose outcome satisfied the join; `u32::MAX` for none.
    triggered_by: u32,
    /// From start to end.
    micros: u32,
    started: Timestamp,
    ended: Timestamp,
    outputs: Given,
}

impl AttemptRecord {
    /// `micros` is the time from start to end.
    #[inline]
    pub(crate) fn new(
        (node, attempt, triggered_by): (u32, u32, u32),
        (started, ended): (Timestamp, Timestamp),
        micros: u32,
        outputs: Given,
    ) -> Self {
        Self {
            node,
            attempt,
            triggered_by,
            micros,
            started,
            ended,
            outputs,
        }
    }

    pub(crate) fn outputs(&self) -> &Given {
        &self.outputs
    }

    /// Index of the node in the run's plan.
    pub fn node(&self) -> usize {
        self.node as usize
    }

    /// Which attempt it was, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When it ended.
    pub fn ended(&self) -> Timestamp {
        self.ended
    }

    /// Its `NODE_STARTED`, with counter 1.
    ///
    /// # Panics
    ///
    /// Where the plan is not the run's.
    pub fn started_record(&self, plan: &Plan) -> Record {
        let node = self.of(plan);
        let by = plan.nodes.get(self.triggered_by as usize);
        let kind = EventKind::NodeStarted(StartedPayload {
            component: node.component.clone(),
            triggered_by: by.map(|by| by.node.id.clone()),
            join_strategy: node.join,
        });
        self.record(&node.node, self.started, 1, kind)
    }

    /// Its `NODE_COMPLETED`, with counter 2.
    ///
    /// # Panics
    ///
    /// Where the plan is not the run's.
    pub fn completed_record(&self, plan: &Plan) -> Record {
        let kind = EventKind::NodeCompleted(CompletedPayload {
            outputs: self.outputs.outputs(&self.of(plan).output_ids),
            active_ports: None,
            reused_from: None,
            duration_ms: f64::from(self.micros) / 1000.0,
        });
        self.record(&self.of(plan).node, self.ended, 2, kind)
    }

    fn of<'a>(&self, plan: &'a Plan) -> &'a PlanNode {
        &plan.nodes[self.node as usize]
    }

    fn record(&self, node: &NodeRef, at: Timestamp, counter: u32, kind: EventKind) -> Record {
        Record::new(at, Some(node.clone()), self.attempt, counter, kind)
    }
}
