//! Runs that were looked at lately, with their key frames.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use shipsec_core::{
    RunId,
    event::Event,
    run::replay::FrameOptions,
    trace::{Replay, StoreError, TraceStore},
};
use tokio::sync::OnceCell;

use crate::Problem;

/// Runs that are kept open.
const MOST: usize = 16;
/// Bytes of key frames for each of them, about.
const BUDGET: usize = 64 * 1024 * 1024;
/// How often a run is looked for that changes under the eyes.
const TRIES: usize = 3;

/// A log, and the event that it begins with: a run that was removed may come back with the same id.
#[derive(Debug)]
struct Known {
    first: Event,
    replay: Replay,
}

type Opening = Arc<OnceCell<Known>>;

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
        let known = self.0.get().expect("it was opened before it was given");
        &known.replay
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
        let opening = entry.map_or_else(Opening::default, |(_, opening)| opening);
        open.push_front((run.clone(), opening.clone()));
        open.truncate(MOST);
        opening
    }

    fn forget(&self, opening: &Opening) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(_, other)| !Arc::ptr_eq(other, opening));
    }

    /// A run with its log up to now.
    pub(crate) async fn get(&self, run: &RunId) -> Result<Opened, Problem> {
        for _ in 0..TRIES {
            let first = self.store.read(run, 0, 1).await?.pop();
            let Some(first) = first else { break };
            let opening = self.opening(run);
            let open = async || {
                let options = FrameOptions::default().with_budget(BUDGET);
                let replay = Replay::open_with(self.store.clone(), run.clone(), options).await?;
                let first = first.clone();
                Ok::<_, StoreError>(Known { first, replay })
            };
            let known = opening.get_or_try_init(open).await?;
            let last = known.replay.catch_up().await?;
            let is_there = last > 0 && !self.store.read(run, last - 1, 1).await?.is_empty();
            if is_there && known.first == first {
                return Ok(Opened(opening));
            }
            // The run was removed, and another one may have its id now.
            self.forget(&opening);
        }
        Err(Problem::unknown_run(run))
    }
}
