//! What the handlers share.

use std::{ops::Deref, sync::Arc};

use tokio::sync::Semaphore;

use crate::{Host, feed::Feeds, guard::Gate, metrics::Metrics, replays::Replays};

/// Shared by all requests; clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Studio(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) host: Host,
    pub(crate) feeds: Feeds,
    pub(crate) replays: Replays,
    pub(crate) gate: Gate,
    pub(crate) metrics: Metrics,
    /// A permit for each event stream.
    pub(crate) streams: Arc<Semaphore>,
}

impl Studio {
    pub(crate) fn new(host: Host) -> Self {
        let streams = host.limits.streams.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            feeds: Feeds::new(host.store.clone()),
            replays: Replays::new(host.store.clone()),
            gate: Gate::new(&host.limits),
            metrics: Metrics::new(),
            streams: Arc::new(Semaphore::new(streams)),
            host,
        }))
    }
}

impl Deref for Studio {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
