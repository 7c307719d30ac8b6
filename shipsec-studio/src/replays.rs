//! Runs that were looked at lately, with their key frames.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use shipsec_core::{
    RunId,
    run::replay::FrameOptions,
    trace::{Replay, TraceStore},
};
use tokio::sync::OnceCell;

use crate::Problem;

/// Runs that are kept open.
const MOST: usize = 16;
/// Bytes of key frames for each of them, about.
const BUDGET: usize = 64 * 1024 * 1024;

type Opening = Arc<OnceCell<Replay>>;

/// Replays by run, the latest one first.
#[derive(Debug)]
pub(crate) struct Replays {
    store: Arc<dyn TraceStore>,
    open: Mutex<VecDeque<(RunId, Opening)>>,
}

/// A run that is open, caught up with its log.
#[derive(Debug, Clone)]
pub(crate) struct Opened(Opening);

impl std::ops::Deref for Opened {
    type Target = Replay;

    fn deref(&self) -> &Replay {
        self.0.get().expect("it was opened before it was given")
    }
}

impl Replays {
    pub(crate) fn new(store: Arc<dyn TraceStore>) -> Self {
        Self {
            store,
            open: Mutex::default(),
        }
    }

    fn opening(&self, run: &RunId) -> Opening {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let found = open.iter().position(|(id, _)| id == run);
        let entry = found.and_then(|at| open.remove(at));
        let (_, opening) = entry
            .clone()
            .unwrap_or_else(|| (run.clone(), Opening::default()));
        open.push_front((run.clone(), opening.clone()));
        open.truncate(MOST);
        opening
    }

    fn forget(&self, run: &RunId) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(id, _)| id != run);
    }

    /// A run with its log up to now.
    pub(crate) async fn get(&self, run: &RunId) -> Result<Opened, Problem> {
        let opening = self.opening(run);
        let options = FrameOptions::default().with_budget(BUDGET);
        let open = || Replay::open_with(self.store.clone(), run.clone(), options);
        let replay = opening.get_or_try_init(open).await?;
        let last = replay.catch_up().await?;
        // The store may have lost it meanwhile.
        if last == 0 || self.store.read(run, last - 1, 1).await?.is_empty() {
            self.forget(run);
            return Err(Problem::unknown_run(run));
        }
        Ok(Opened(opening))
    }
}
