//! Which producer keys a log in memory has.

use hashbrown::HashMap as FastMap;

use crate::{
    NodeId,
    event::{AttemptRecord, Record},
    workflow::Plan,
};

/// The highest counter that each producer has stored, found by the plan's index where the record
/// has it, so that the common case neither hashes nor compares text.
#[derive(Debug, Default)]
pub(super) struct Producers {
    run: Counters,
    by_hint: Vec<Producer>,
    /// The nodes at these indices, where the log does not know its plan.
    nodes: Vec<Option<NodeId>>,
    others: FastMap<(NodeId, u32), Counters>,
}

/// The newest attempt of a node; nothing is known of one whose highest counter is 0.
#[derive(Debug, Clone, Copy, Default)]
struct Producer {
    attempt: u32,
    highest: u32,
}

/// Counters of one producer: all up to `highest`, save for `holes`, which may still come.
#[derive(Debug, Default)]
struct Counters {
    highest: u32,
    /// First and last of each: a log from elsewhere may leave any number out.
    holes: std::collections::BTreeMap<u32, u32>,
}

impl Counters {
    /// Whether the counter is new.
    fn insert(&mut self, counter: u32) -> bool {
        if counter > self.highest {
            if counter - self.highest > 1 {
                self.holes.insert(self.highest + 1, counter - 1);
            }
            self.highest = counter;
            return true;
        }
        let below = self.holes.range(..=counter).next_back();
        let Some((first, last)) = below.map(|(first, last)| (*first, *last)) else {
            return false;
        };
        if counter > last {
            return false;
        }
        self.holes.remove(&first);
        if first < counter {
            self.holes.insert(first, counter - 1);
        }
        if counter < last {
            self.holes.insert(counter + 1, last);
        }
        true
    }
}

impl Producers {
    /// Whether the record is new; remembers it.
    pub(super) fn insert(&mut self, record: &Record, plan: Option<&Plan>) -> bool {
        let Some(node) = &record.node else {
            return self.run.insert(record.counter);
        };
        if let Some(hint) = node.hint()
            && self.is_at(hint, &node.id, plan)
            && let Some(known) = self.next(hint, record.attempt, record.counter, plan)
        {
            return known;
        }
        // What came with a hint before moves to where this one is looked up.
        let at = (0..self.by_hint.len()).find(|&at| {
            let Producer { attempt, highest } = self.by_hint[at];
            highest > 0
                && attempt == record.attempt
                && self.node_at(at, plan).is_some_and(|id| *id == node.id)
        });
        if let Some(at) = at {
            self.retire(at, plan);
        }
        let key = (node.id.clone(), record.attempt);
        self.others.entry(key).or_default().insert(record.counter)
    }

    /// Whether both events of an attempt are plainly new; remembers them then.
    pub(super) fn insert_attempt(&mut self, attempt: &AttemptRecord, plan: &Plan) -> bool {
        let at = attempt.node();
        if at >= self.by_hint.len() {
            self.by_hint.resize(plan.nodes.len(), Producer::default());
        }
        let key = || (plan.nodes[at].node.id.clone(), attempt.attempt());
        let new = self.by_hint[at].highest == 0
            && (self.others.is_empty() || !self.others.contains_key(&key()));
        if new {
            self.by_hint[at] = Producer {
                attempt: attempt.attempt(),
                highest: 2,
            };
        }
        new
    }

    fn node_at<'a>(&'a self, at: usize, plan: Option<&'a Plan>) -> Option<&'a NodeId> {
        match plan {
            Some(plan) => plan.nodes.get(at).map(|node| &node.node.id),
            None => self.nodes.get(at)?.as_ref(),
        }
    }

    /// Whether a node is the one at this index. Makes room for it.
    fn is_at(&mut self, hint: usize, id: &NodeId, plan: Option<&Plan>) -> bool {
        let most = match plan {
            Some(plan) => plan.nodes.len(),
            // A hint is only a hint: one that is far off must not make the table large.
            None => self.by_hint.len() * 2 + 4096,
        };
        if hint >= most {
            return false;
        }
        if hint >= self.by_hint.len() {
            let room = plan.map_or(hint + 1, |plan| plan.nodes.len());
            self.by_hint.resize(room, Producer::default());
        }
        if plan.is_none() {
            if hint >= self.nodes.len() {
                self.nodes.resize(hint + 1, None);
            }
            self.nodes[hint].get_or_insert_with(|| id.clone());
        }
        self.node_at(hint, plan).is_some_and(|known| known.is(id))
    }

    /// `None` where the counter is not the plain next one of the newest attempt at this index.
    fn next(
        &mut self,
        hint: usize,
        attempt: u32,
        counter: u32,
        plan: Option<&Plan>,
    ) -> Option<bool> {
        let known = self.by_hint[hint];
        if known.highest > 0 && attempt == known.attempt {
            if counter <= known.highest {
                return Some(false);
            }
            if counter == known.highest + 1 {
                self.by_hint[hint].highest = counter;
                return Some(true);
            }
            self.retire(hint, plan);
            return None;
        }
        if counter != 1 || (known.highest > 0 && attempt < known.attempt) {
            return None;
        }
        if !self.others.is_empty()
            && let Some(id) = self.node_at(hint, plan)
            && self.others.contains_key(&(id.clone(), attempt))
        {
            return None;
        }
        self.retire(hint, plan);
        self.by_hint[hint] = Producer {
            attempt,
            highest: 1,
        };
        Some(true)
    }

    /// Moves what is known at an index to the general table.
    fn retire(&mut self, hint: usize, plan: Option<&Plan>) {
        let Producer { attempt, highest } = std::mem::take(&mut self.by_hint[hint]);
        if highest > 0
            && let Some(id) = self.node_at(hint, plan).cloned()
        {
            let counters = Counters {
                highest,
                ..Counters::default()
            };
            self.others.insert((id, attempt), counters);
        }
    }
}
