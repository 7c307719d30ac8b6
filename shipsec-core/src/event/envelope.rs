//! What every event has, whatever its type.

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{EventKind, Timestamp};
use crate::{NodeId, RunId};

/// How much an event matters.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For finding faults.
    Debug,
    /// The course of things.
    #[default]
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// The level of a name on the wire; `None` where it is not known.
    pub fn from_wire(name: &str) -> Option<Self> {
        let levels = [Self::Debug, Self::Info, Self::Warn, Self::Error];
        levels.into_iter().find(|level| level.as_str() == name)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A node as an event names it: its id, and its place in the plan as a hint for fast look-up.
///
/// The hint is not written to the wire. Whoever uses it checks the id.
#[derive(Clone)]
pub struct NodeRef {
    /// The node's id.
    pub id: NodeId,
    hint: u32,
}

impl NodeRef {
    /// A node whose place in the plan is not known.
    pub fn new(id: impl Into<NodeId>) -> Self {
        Self {
            id: id.into(),
            hint: u32::MAX,
        }
    }

    /// A node at `index` of the plan.
    pub fn at(id: NodeId, index: u32) -> Self {
        Self { id, hint: index }
    }

    /// The place in the plan, where it is known.
    pub fn hint(&self) -> Option<usize> {
        (self.hint != u32::MAX).then_some(self.hint as usize)
    }
}

impl PartialEq for NodeRef {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for NodeRef {}

impl fmt::Debug for NodeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

/// An event before the store has given it its place: what a producer makes.
///
/// Its producer key is (`node`, `attempt`, `counter`): appending the same key twice stores one
/// event, and a hole in a producer's counter shows that something was lost.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When it happened, by the producer's clock.
    pub timestamp: Timestamp,
    /// The node that it is about; `None` for the run as a whole.
    pub node: Option<NodeRef>,
    /// The node's attempt, from 1; 0 where there is none (the run as a whole, a node that never
    /// started).
    pub attempt: u32,
    /// Counts the events of this producer (this node and attempt) from 1, without a hole.
    pub counter: u32,
    /// How much it matters.
    pub level: Level,
    /// A sentence for people.
    pub message: Option<Arc<str>>,
    /// Type and payload.
    pub kind: EventKind,
    /// What this version does not know, kept as it came: fields of the event by name; under
    /// `payload` fields inside its payload, by JSON Pointer; under `level` a level that is none of
    /// [`Level`].
    pub extra: Option<Box<serde_json::Map<String, Json>>>,
}

impl Record {
    /// A record at level `info` without a message.
    pub fn new(
        timestamp: Timestamp,
        node: Option<NodeRef>,
        attempt: u32,
        counter: u32,
        kind: EventKind,
    ) -> Self {
        Self {
            timestamp,
            node,
            attempt,
            counter,
            level: Level::Info,
            message: None,
            kind,
            extra: None,
        }
    }

    /// Sets the level.
    #[must_use]
    pub fn with_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Sets the sentence for people.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Arc<str>>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// The id of the node that it is about.
    pub fn node_id(&self) -> Option<&NodeId> {
        self.node.as_ref().map(|node| &node.id)
    }
}

/// An event of a run's log.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The run.
    pub run_id: RunId,
    /// Its place in the run's log: from 1, no gap, no duplicate; given by the store.
    pub sequence: u64,
    /// What happened.
    pub record: Record,
}

impl Event {
    /// `<runId>:<sequence>`: never changes.
    pub fn id(&self) -> String {
        format!("{}:{}", self.run_id, self.sequence)
    }
}

impl std::ops::Deref for Event {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}
