//! How many nodes run at once: in the run, and in each concurrency group.

use std::collections::VecDeque;

use crate::workflow::Plan;

/// A node that is to start, and its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) node: u32,
    pub(super) attempt: u32,
    pub(super) triggered_by: Option<u32>,
}

#[derive(Debug)]
struct Limit {
    most: u32,
    running: u32,
    waiting: VecDeque<Ready>,
}

impl Limit {
    fn new(most: u32) -> Self {
        Self {
            most: most.max(1),
            running: 0,
            waiting: VecDeque::new(),
        }
    }
}

/// The limits of one run. A node needs a place in its group and one in the run.
#[derive(Debug)]
pub(super) struct Limits {
    run: Option<Limit>,
    groups: Vec<Limit>,
}

impl Limits {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            run: plan.config.max_concurrency.map(Limit::new),
            groups: plan
                .groups
                .iter()
                .map(|group| Limit::new(group.limit))
                .collect(),
        }
    }

    fn of(&mut self, group: Option<u32>) -> impl Iterator<Item = &mut Limit> {
        let group = group.and_then(|group| self.groups.get_mut(group as usize));
        group.into_iter().chain(&mut self.run)
    }

    /// Takes the node's places, where all are free; else the node waits for the one that is not,
    /// and the next that waits for the run's place may try.
    pub(super) fn take(
        &mut self,
        ready: Ready,
        group: Option<u32>,
        again: &mut VecDeque<Ready>,
    ) -> bool {
        if self.run.is_none() && group.is_none() {
            return true;
        }
        let full = self.of(group).find(|limit| limit.running >= limit.most);
        let waits = full.map(|full| full.waiting.push_back(ready)).is_some();
        if waits {
            self.wake(None, again);
        } else {
            self.of(group).for_each(|limit| limit.running += 1);
        }
        !waits
    }

    /// Gives the node's places back, and lets the next that waits for each try again.
    pub(super) fn give_back(&mut self, group: Option<u32>, again: &mut VecDeque<Ready>) {
        if self.run.is_none() && group.is_none() {
            return;
        }
        self.of(group)
            .for_each(|limit| limit.running = limit.running.saturating_sub(1));
        self.wake(group, again);
    }

    /// Lets the next that waits for a free place try again.
    pub(super) fn wake(&mut self, group: Option<u32>, again: &mut VecDeque<Ready>) {
        for limit in self.of(group) {
            if limit.running < limit.most {
                again.extend(limit.waiting.pop_front());
            }
        }
    }
}
