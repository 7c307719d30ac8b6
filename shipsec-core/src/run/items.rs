//! The items of nodes that run once for each.

use std::sync::Arc;

use super::{NodeCounts, NodeState, NodeView, chunks::Chunks};
use crate::{
    NodeId,
    event::{Record, Timestamp},
};

/// How far ahead of the others an item may begin: what is beyond is none of a node that runs its
/// items in their order.
const AHEAD: usize = 64 * 1024;

/// The node and the index in an id such as `node[3]`.
pub(crate) fn item_of(id: &str) -> Option<(&str, u32)> {
    let (node, rest) = id.rsplit_once('[')?;
    let index = rest.strip_suffix(']')?;
    // As it is written: without a sign, and without zeros before it.
    let number: u32 = index.parse().ok()?;
    (number.to_string() == index).then_some((node, number))
}

/// The items of one node that have begun, by index.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct ItemList {
    items: Chunks<Arc<NodeView>>,
    counts: NodeCounts,
}

impl ItemList {
    /// Takes an event about an item. `None` where there cannot be such an item.
    pub(super) fn apply(&mut self, index: u32, id: &NodeId, record: &Record) -> Option<bool> {
        let index = index as usize;
        if index > self.items.len() + AHEAD {
            return None;
        }
        while self.items.len() <= index {
            let node = id.as_str().rsplit_once('[').map_or("", |(node, _)| node);
            let view = NodeView::new(format!("{node}[{}]", self.items.len()).into());
            self.counts.pending += 1;
            self.items.push(Arc::new(view));
        }
        self.change(index, |item| item.apply(record))
    }

    fn change(&mut self, at: usize, change: impl FnOnce(&mut NodeView) -> bool) -> Option<bool> {
        let item = Arc::make_mut(self.items.get_mut(at)?);
        let before = item.state;
        let in_time = change(item);
        let after = item.state;
        *self.counts.of(before) -= 1;
        *self.counts.of(after) += 1;
        Some(in_time)
    }

    /// The run has ended: so have its items.
    pub(super) fn end_with_run(&mut self, at: Timestamp) {
        for index in 0..self.items.len() {
            let open = self.items.get(index).map(|item| item.state);
            if open.is_some_and(|state| !state.is_final() && state != NodeState::Pending) {
                self.change(index, |item| {
                    item.end_with_run(at);
                    true
                });
            }
        }
    }

    pub(super) fn get(&self, index: u32) -> Option<&NodeView> {
        self.items.get(index as usize).map(|item| &**item)
    }

    pub(super) fn view(&self) -> ItemsView<'_> {
        ItemsView(self)
    }

    pub(super) fn bytes(&self) -> usize {
        self.items.spine_bytes() + self.items.len() * size_of::<NodeView>()
    }
}

/// The items of a node that runs once for each, as far as the log tells of them.
#[derive(Debug, Clone, Copy)]
pub struct ItemsView<'a>(&'a ItemList);

impl<'a> ItemsView<'a> {
    /// How many are in which state. Pending are those before the last that began.
    pub fn counts(&self) -> NodeCounts {
        self.0.counts
    }

    /// The items in their order; each is shown as a node, `node[3]`.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a NodeView> + use<'a> {
        self.0.items.iter().map(|item| &**item)
    }

    /// One item.
    pub fn get(&self, index: u32) -> Option<&'a NodeView> {
        self.0.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_named_in_one_way() {
        for (id, expected) in [
            ("probe[3]", Some(("probe", 3))),
            ("a[1][0]", Some(("a[1]", 0))),
            ("probe", None),
            ("probe[]", None),
            ("probe[03]", None),
            ("probe[+3]", None),
            ("probe[4294967296]", None),
            ("probe[3", None),
        ] {
            assert_eq!(item_of(id), expected, "{id}");
        }
    }
}
