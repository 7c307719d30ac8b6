//! Appending with patience: a store that is away does not fail a run at once. And keeping the lease
//! under which it is appended.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::Instant;

use super::shared::{Message, Shared};
use crate::{
    event::Record,
    trace::{AppendError, StoreError, StoreErrorKind},
};

const FIRST_WAIT: Duration = Duration::from_millis(50);
/// A lease is not renewed more often.
const SHORTEST_RENEWAL: Duration = Duration::from_millis(100);

const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Appends a batch in a task of its own, and tells the driver how it went.
pub(super) fn append(shared: &Arc<Shared>, records: Vec<Record>) {
    let shared = shared.clone();
    tokio::spawn(async move {
        let appended = append_with_patience(&shared, records).await;
        shared.send(Message::Appended(appended));
    });
}

async fn append_with_patience(shared: &Shared, mut records: Vec<Record>) -> Result<(), StoreError> {
    let run = &shared.scope.run_id;
    let begun = Instant::now();
    let mut wait = FIRST_WAIT;
    loop {
        let AppendError {
            error,
            records: back,
        } = match shared.store.append_as(&shared.lease, records).await {
            Ok(appended) => {
                shared.reached(appended.last_sequence);
                return Ok(());
            }
            Err(failed) => failed,
        };
        if !error.is_retryable() || begun.elapsed() + wait > shared.settings.patience {
            return Err(error);
        }
        tracing::warn!(%run, %error, "the trace store is away; {} events wait", back.len());
        records = back;
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Renews the lease of a run for as long as it goes on. Where the store is away it is tried again:
/// nothing is lost when it expires, unless somebody else takes it.
pub(super) async fn keep_lease(run: Weak<Shared>, ttl: Duration) {
    let pause = (ttl / 3).max(SHORTEST_RENEWAL);
    loop {
        tokio::time::sleep(pause).await;
        let Some(shared) = run.upgrade() else { return };
        match shared.store.renew(&shared.lease, ttl).await {
            Ok(()) => {}
            Err(error) if error.kind() == StoreErrorKind::Fenced => {
                shared.send(Message::Fenced(error));
                return;
            }
            Err(error) => {
                let run = &shared.scope.run_id;
                tracing::warn!(%run, %error, "the lease of the run could not be renewed");
            }
        }
    }
}

/// Gives the lease back, so that nobody has to wait for its end.
pub(super) fn release(shared: &Shared) {
    for task in [&shared.keeper, &shared.listener] {
        if let Some(task) = task.get() {
            task.abort();
        }
    }
    let (store, lease) = (shared.store.clone(), shared.lease.clone());
    tokio::spawn(async move {
        if let Err(error) = store.release(&lease).await {
            tracing::debug!(run = %lease.run_id, %error, "the lease ends with its time");
        }
    });
}
