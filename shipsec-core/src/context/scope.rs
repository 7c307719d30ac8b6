//! What all nodes of one run share.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hashbrown::HashMap;

use tokio::time::Instant;

use super::{Callee, Questions, SecretSource};
use crate::{
    NodeId, RunId,
    event::{Caller, Timestamp},
    execute::Before,
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
    /// What the log says of items that began in another process, by index of their node.
    pub(crate) items: Mutex<HashMap<u32, BTreeMap<u32, Before>>>,
    /// Starts the runs that this one calls.
    pub(crate) callee: Arc<dyn Callee>,
    /// The workflows that called this one, the outermost first.
    pub(crate) callers: Vec<Caller>,
    /// How many attempts of a node, or of an item of one, ended with their process.
    pub(crate) interrupted: HashMap<NodeId, u32>,
    /// How long an item that was asked to stop may take.
    pub(crate) grace: Duration,
    /// Whether the store keeps values in this process, however large.
    pub(crate) keeps_values: bool,
    #[cfg(feature = "http")]
    pub(crate) http: std::sync::OnceLock<reqwest::Client>,
}

impl RunScope {
    /// How many attempts of a node, or of an item of one, ended with their process.
    pub(crate) fn interrupted(&self, node: &NodeId) -> u32 {
        self.interrupted.get(node).copied().unwrap_or_default()
    }

    /// What the log says of the items of a node that began in another process.
    pub(crate) fn take_items(&self, node: u32) -> BTreeMap<u32, Before> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.remove(&node).unwrap_or_default()
    }
}
