//! What all nodes of one run share.

use std::{path::PathBuf, sync::Arc};

use tokio::time::Instant;

use super::{Questions, SecretSource};
use crate::{
    RunId,
    event::Timestamp,
    storage::ArtifactStore,
    trace::{Masker, Recorder},
    workflow::Plan,
};

/// The time of a run: the wall clock at its start, carried on by the monotonic one, so that it
/// never goes backwards, and stands still where a test holds the clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    wall: Timestamp,
    start: Instant,
}

impl Clock {
    pub(crate) fn starting_at(wall: Timestamp) -> Self {
        Self {
            wall,
            start: Instant::now(),
        }
    }

    pub(crate) fn at(&self, instant: Instant) -> Timestamp {
        self.wall
            .after(instant.saturating_duration_since(self.start))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// Reads the clock.
    pub(crate) fn moment(&self) -> Moment {
        self.moment_of(Instant::now())
    }

    /// A reading of the clock that was made before.
    pub(crate) fn moment_of(&self, instant: Instant) -> Moment {
        Moment {
            instant,
            timestamp: self.at(instant),
        }
    }
}

/// One reading of the clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    pub(crate) timestamp: Timestamp,
}

/// What all nodes of one run share.
#[derive(Debug)]
pub(crate) struct RunScope {
    pub(crate) run_id: RunId,
    pub(crate) plan: Arc<Plan>,
    pub(crate) clock: Clock,
    pub(crate) recorder: Recorder,
    pub(crate) questions: Questions,
    pub(crate) masker: Arc<Masker>,
    pub(crate) artifacts: ArtifactStore,
    pub(crate) secrets: Arc<dyn SecretSource>,
    pub(crate) temp_root: Option<PathBuf>,
    /// The run's inputs, for its entry point; secrets as references.
    pub(crate) inputs: Arc<serde_json::Map<String, serde_json::Value>>,
    #[cfg(feature = "http")]
    pub(crate) http: std::sync::OnceLock<reqwest::Client>,
}
