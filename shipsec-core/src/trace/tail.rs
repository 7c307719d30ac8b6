//! History, then live, with no gap and no double.

use std::sync::Arc;

use futures::{
    future::BoxFuture,
    stream::{self, BoxStream, StreamExt},
};
use serde_json::Value as Json;

use super::{AnswerError, StoreError, TraceStore};
use crate::{
    NodeId, RunId,
    event::{Event, EventKind},
};

/// Events of one run in the order of their sequence.
pub type EventStream = BoxStream<'static, Result<Event, StoreError>>;

/// What callers of a store use, beside its own methods.
pub trait TraceStoreExt {
    /// The events of a run after sequence number `after`: those that are there, then those to
    /// come, each once. Ends after the `WORKFLOW_STATUS` event with a final status.
    ///
    /// The stream reads at its reader's pace and holds at most one page of events; a slow reader
    /// slows nobody. It ends with the first error; subscribe again after the last sequence seen.
    fn subscribe(&self, run: RunId, after: u64) -> EventStream;

    /// Answers what a node of a run waits for. The answer is in the log when this returns: the
    /// run's executor goes on with it, now or when the run is resumed. Of two answers to one
    /// question the first counts. `by` says who answers, for the log.
    ///
    /// # Errors
    ///
    /// [`AnswerError`]: nobody asked, the answer does not fit, or somebody else was faster. Nothing
    /// is recorded then.
    fn answer<'a>(
        &'a self,
        run: &'a RunId,
        node: &'a NodeId,
        answer: Json,
        by: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), AnswerError>>;
}

impl TraceStoreExt for Arc<dyn TraceStore> {
    fn subscribe(&self, run: RunId, after: u64) -> EventStream {
        const PAGE: usize = 512;
        enum At {
            Reading(u64),
            Done,
        }
        let store = self.clone();
        stream::unfold(At::Reading(after), move |at| {
            let (store, run) = (store.clone(), run.clone());
            async move {
                let At::Reading(after) = at else { return None };
                loop {
                    let mut page = match store.read(&run, after, PAGE).await {
                        Ok(page) => page,
                        Err(error) => return Some((vec![Err(error)], At::Done)),
                    };
                    if let Some(end) = page.iter().position(is_final) {
                        page.truncate(end + 1);
                        return Some((page.into_iter().map(Ok).collect(), At::Done));
                    }
                    if let Some(last) = page.last() {
                        let next = At::Reading(last.sequence);
                        return Some((page.into_iter().map(Ok).collect::<Vec<_>>(), next));
                    }
                    if let Err(error) = store.wait_beyond(&run, after).await {
                        return Some((vec![Err(error)], At::Done));
                    }
                }
            }
        })
        .flat_map(stream::iter)
        .boxed()
    }

    fn answer<'a>(
        &'a self,
        run: &'a RunId,
        node: &'a NodeId,
        answer: Json,
        by: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), AnswerError>> {
        Box::pin(super::answer::answer(&**self, run, node, answer, by))
    }
}

fn is_final(event: &Event) -> bool {
    matches!(&event.kind, EventKind::WorkflowStatus(payload) if payload.status.is_final())
}
