//! Contexts of the items of a node that runs once for each.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use hashbrown::HashMap;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Context, Waiting};
use crate::{
    NodeId,
    event::{CancelledPayload, EventKind, Level, NodeRef, Record, Timestamp},
};

/// What makes a context that of an item.
pub(crate) struct ItemOf {
    /// `node[3]`.
    pub(crate) node: NodeRef,
    /// The context of the node.
    pub(crate) parent: Context,
}

/// Where an item is that has begun and not ended.
pub(crate) enum Open {
    Running(Context),
    /// Between two attempts; this is the next.
    Retrying(u32),
}

/// What a node knows of its items.
#[derive(Default)]
pub(crate) struct Items {
    open: std::sync::Mutex<HashMap<NodeId, Open>>,
    stop: CancellationToken,
}

impl Items {
    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<NodeId, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Context {
    /// The context of an attempt of an item; `told` where it began in another process, as for
    /// [`continued`](Self::continued).
    pub(crate) fn item(
        parent: &Self,
        node: NodeRef,
        attempt: u32,
        timeout: Option<Duration>,
        told: Option<(Timestamp, u32, u32)>,
    ) -> Self {
        let scope = parent.0.scope.clone();
        let attempt = (parent.0.index, attempt, None);
        let of = ItemOf {
            node,
            parent: parent.clone(),
        };
        match told {
            None => {
                let now = scope.clock.moment();
                Self::with_item(scope, attempt, now, timeout, Some(of))
            }
            Some((began, events, artifacts)) => Self::continuing(
                scope,
                attempt,
                began,
                timeout,
                (events, artifacts),
                Some(of),
            ),
        }
    }

    /// An attempt of an item begins.
    pub(crate) fn item_began(&self, item: &Self) {
        let open = Open::Running(item.clone());
        self.items().open().insert(item.node_id().clone(), open);
        self.items_wait();
    }

    /// An attempt of an item has ended, with this event.
    pub(crate) fn item_ended(
        &self,
        item: &Self,
        at: Instant,
        level: Level,
        message: Option<Arc<str>>,
        kind: EventKind,
    ) {
        let again = matches!(&kind, EventKind::NodeFailed(failed) if failed.will_retry);
        {
            let mut open = self.items().open();
            if again && open.contains_key(item.node_id()) {
                let next = Open::Retrying(item.attempt() + 1);
                open.insert(item.node_id().clone(), next);
            } else {
                open.remove(item.node_id());
            }
        }
        item.scope()
            .recorder
            .end_item(item, at, level, message, kind);
        item.close();
        self.items_wait();
    }

    /// The next attempt of an item will not begin.
    pub(crate) fn call_off_item(&self, item: &NodeId) {
        let next = match self.items().open().remove(item) {
            Some(Open::Retrying(next)) => next,
            _ => return,
        };
        self.scope().recorder.push(self.called_off(item, next));
        self.scope().recorder.arrived.notify_one();
    }

    fn called_off(&self, item: &NodeId, attempt: u32) -> Record {
        let at = self.scope().clock.now();
        Record::new(at, Some(NodeRef::new(item.clone())), attempt, 1, stopped())
    }

    /// Ends what goes on of the items, because the node ends.
    pub(crate) fn end_items(&self, at: Instant) {
        let Some(items) = self.items_if_any() else {
            return;
        };
        let open: Vec<_> = items.open().drain().collect();
        let recorder = &self.scope().recorder;
        for (id, open) in open {
            match open {
                Open::Running(item) => {
                    item.cancel();
                    recorder.end_item(&item, at, Level::Warn, None, stopped());
                    item.close();
                }
                Open::Retrying(next) => recorder.push(self.called_off(&id, next)),
            }
        }
    }

    /// Lets go of the items without a word.
    pub(crate) fn forget_items(&self) {
        if let Some(items) = self.items_if_any() {
            items.open().clear();
        }
    }

    /// Asks the items to stop.
    pub(crate) fn stop_items(&self) {
        self.items().stop.cancel();
    }

    /// Whether the items are to stop.
    pub(crate) fn items_are_stopped(&self) -> bool {
        self.is_cancelled() || self.items().stop.is_cancelled()
    }

    /// Waits until the items are to stop.
    pub(crate) async fn items_stop(&self) {
        tokio::select! {
            () = self.cancelled() => {}
            () = self.items().stop.cancelled() => {}
        }
    }

    /// Whether this item waits for a person.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waits().load(Ordering::Relaxed)
    }

    /// This attempt begins or ceases to wait for a person.
    pub(crate) fn set_waiting(&self, waits: bool) {
        match &self.0.item {
            None => {
                let news = match waits {
                    true => Waiting::Begins(self.0.index),
                    false => Waiting::Ends(self.0.index),
                };
                self.scope().questions.tell(self, news);
            }
            Some(of) => {
                self.waits().store(waits, Ordering::Relaxed);
                self.scope().questions.tell(self, Waiting::Listen);
                of.parent.items_wait();
            }
        }
    }

    /// A node waits when all of its items that go on do.
    fn items_wait(&self) {
        let waits = {
            let open = self.items().open();
            let mut running = open.values();
            !open.is_empty()
                && running.all(|open| matches!(open, Open::Running(item) if item.is_waiting()))
        };
        if self.waits().swap(waits, Ordering::Relaxed) != waits {
            let news = match waits {
                true => Waiting::Begins(self.0.index),
                false => Waiting::Ends(self.0.index),
            };
            self.scope().questions.tell(self, news);
        }
    }
}

fn stopped() -> EventKind {
    EventKind::NodeCancelled(Box::new(CancelledPayload {
        reason: "node-stopped".to_owned(),
    }))
}
