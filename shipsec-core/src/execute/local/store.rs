//! Appending with patience: a store that is away does not fail a run at once.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::shared::{Message, Shared};
use crate::{
    event::Record,
    trace::{AppendError, StoreError},
};

const FIRST_WAIT: Duration = Duration::from_millis(50);
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
        } = match shared.store.append(run, records).await {
            Ok(_) => return Ok(()),
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
