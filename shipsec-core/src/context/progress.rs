//! How far a node is.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::event::{ProgressPayload, ProgressSource};

/// How far a node is: counted, in percent, or somewhere.
///
/// ```
/// use shipsec_core::context::Progress;
///
/// let counted = Progress::counted(89, 127).unit("hosts");
/// let percent = Progress::percent(40);
/// let somewhere = Progress::indeterminate().message("warming up");
/// # let _ = (counted, percent, somewhere);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "give it to `Context::progress`"]
pub struct Progress {
    pub(crate) payload: ProgressPayload,
    pub(crate) message: Option<Arc<str>>,
}

impl Progress {
    /// So many of so many.
    pub fn counted(done: u64, total: u64) -> Self {
        Self {
            payload: ProgressPayload {
                done: Some(done),
                total: Some(total),
                ..Default::default()
            },
            message: None,
        }
    }

    /// So many, of a number that is not known.
    pub fn count(done: u64) -> Self {
        Self {
            payload: ProgressPayload {
                done: Some(done),
                ..Default::default()
            },
            message: None,
        }
    }

    /// So many percent, at most 100.
    pub fn percent(percent: u8) -> Self {
        Self::counted(percent.min(100).into(), 100).unit("%")
    }

    /// Busy, without a measure.
    pub fn indeterminate() -> Self {
        Self::default()
    }

    /// What is counted.
    pub fn unit(mut self, unit: impl Into<Arc<str>>) -> Self {
        self.payload.unit = Some(unit.into());
        self
    }

    /// The tool that the component runs counted it.
    pub fn counted_by_tool(mut self) -> Self {
        self.payload.source = ProgressSource::Tool;
        self
    }

    /// The executor counted it, from other facts.
    pub(crate) fn derived(mut self) -> Self {
        self.payload.source = ProgressSource::Derived;
        self
    }

    /// A sentence for people.
    pub fn message(mut self, message: impl Into<Arc<str>>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// The sentence that the log gets: the author's own, else one made from the counts.
    pub(crate) fn text(&self) -> Option<Arc<str>> {
        if let Some(message) = &self.message {
            return Some(message.clone());
        }
        let ProgressPayload {
            done, total, unit, ..
        } = &self.payload;
        let unit = unit.as_deref().unwrap_or_default();
        let text = match (done, total) {
            (Some(done), Some(100)) if unit == "%" => format!("{done}%"),
            (Some(done), Some(total)) => format!("{done}/{total} {unit}"),
            (Some(done), None) => format!("{done} {unit}"),
            _ => return None,
        };
        Some(text.trim_end().into())
    }
}

/// Least time between two progress events of one node.
pub(crate) const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// What a node's progress was last, so that a million calls make few events and the last one is
/// never lost.
#[derive(Debug, Default)]
pub(crate) struct Coalesced {
    /// When the last one went to the log.
    pub(crate) sent: Option<Instant>,
    /// The newest one that did not.
    pub(crate) held: Option<Progress>,
    /// The most that was done so far: progress does not fall.
    pub(crate) highest: u64,
}
