//! What the handlers share.

use std::{num::NonZeroUsize, ops::Deref, sync::Arc};

use tokio::sync::Semaphore;

use crate::{Host, Problem, feed::Feeds, guard::Gate, metrics::Metrics, replays::Replays};

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
    /// A permit for each thing that keeps a core busy.
    busy: Arc<Semaphore>,
    /// A permit for each event stream.
    pub(crate) streams: Arc<Semaphore>,
}

impl Studio {
    pub(crate) fn new(host: Host) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let streams = host.limits.streams.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            feeds: Feeds::new(host.store.clone()),
            replays: Replays::new(host.store.clone()),
            gate: Gate::new(&host.limits),
            metrics: Metrics::new(),
            busy: Arc::new(Semaphore::new(cores)),
            streams: Arc::new(Semaphore::new(streams)),
            host,
        }))
    }

    /// Does what takes a core for a while, such as compiling a large graph, off the threads that
    /// serve others, and not more of it at once than there are cores.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = self.busy.clone().acquire_owned().await;
        let permit = permit.map_err(Problem::internal)?;
        let work = move || {
            // It goes on where the client has gone, and counts as long as it does.
            let _permit = permit;
            work()
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(Problem::internal)
    }
}

impl Deref for Studio {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
