//! What a driver waits for: a heap of times, with entries that may have become void.

use std::{cmp::Reverse, collections::BinaryHeap};

use tokio::time::Instant;

/// What happens at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The attempt has taken too long.
    Timeout { node: u32, attempt: u32 },
    /// The attempt may have been silent for too long.
    Heartbeat { node: u32, attempt: u32 },
    /// The attempt was asked to stop, and has had its grace time.
    Grace { node: u32, attempt: u32 },
    /// The next attempt of a node begins.
    Retry { node: u32, attempt: u32 },
    /// The run has taken too long.
    Run,
    /// The clean-up of the run has taken too long.
    CleanUp,
}

#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(Instant, Timer)>>);

impl Timers {
    pub(super) fn push(&mut self, at: Instant, timer: Timer) {
        self.0.push(Reverse((at, timer)));
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse((_, timer))| timer)
    }

    /// Forgets everything: the run is over.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
