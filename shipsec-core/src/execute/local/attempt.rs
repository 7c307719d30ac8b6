//! Polling the future of one attempt: here, as a task, or on a thread of its own.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Poll, Waker},
};

use futures::FutureExt;
use tokio::{task::AbortHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::shared::{Message, Shared};
use crate::{ComponentError, component::NodeOutput, execute::node::Work};

type Ended = Result<NodeOutput, ComponentError>;

/// Polls a future for the first time. Where it is not done, whoever polls it next gives it a waker
/// that works.
pub(super) fn poll_once(work: &mut Work) -> Poll<Ended> {
    let mut cx = std::task::Context::from_waker(Waker::noop());
    // Written where it stays: it would be moved twice on its way out of `catch_unwind`.
    let mut polled = Poll::Pending;
    let poll = || polled = work.as_mut().poll(&mut cx);
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(()) => polled,
        Err(panic) => Poll::Ready(Err(panicked(&*panic))),
    }
}

/// What a panic was about, as an error of the node.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> ComponentError {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(no message)".to_owned());
    ComponentError::internal(format!("the component panicked: {message}"))
}

/// How to drop the future of an attempt that goes on elsewhere.
#[derive(Debug)]
pub(super) enum Kill {
    Task(AbortHandle),
    Thread(CancellationToken),
    /// It blocks the thread it is polled on: nothing can drop it.
    Nothing,
}

impl Kill {
    pub(super) fn kill(&self) {
        match self {
            Self::Task(task) => task.abort(),
            Self::Thread(token) => token.cancel(),
            Self::Nothing => {}
        }
    }
}

/// Goes on with a future as a task of its own.
pub(super) fn spawn(shared: &Arc<Shared>, node: u32, attempt: u32, work: Work) -> Kill {
    let shared = shared.clone();
    let task = tokio::spawn(async move {
        let result = ended(work).await;
        shared.send(Message::Ended {
            node,
            attempt,
            at: Instant::now(),
            result,
        });
    });
    Kill::Task(task.abort_handle())
}

/// Runs a future that computes or blocks on a thread of its own.
pub(super) fn spawn_blocking(shared: &Arc<Shared>, node: u32, attempt: u32, work: Work) -> Kill {
    let (shared, kill) = (shared.clone(), CancellationToken::new());
    let (killed, runtime) = (kill.clone(), tokio::runtime::Handle::current());
    tokio::task::spawn_blocking(move || {
        let result = runtime.block_on(async {
            tokio::select! {
                biased;
                () = killed.cancelled() => None,
                result = ended(work) => Some(result),
            }
        });
        if let Some(result) = result {
            shared.send(Message::Ended {
                node,
                attempt,
                at: Instant::now(),
                result,
            });
        }
    });
    Kill::Thread(kill)
}

async fn ended(work: Work) -> Ended {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => Err(panicked(&*panic)),
    }
}
