//! Key frames, times and changes along a log.

use super::{
    Position,
    changes::{Before, Changes},
    times::Times,
    weight::weight,
};
use crate::{
    RunId,
    event::{Event, EventKind, Timestamp},
    run::{Applied, RunView},
};

/// How many frames are kept at least, whatever they take.
const FEWEST: usize = 8;

/// How close key frames lie, and how much memory they may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameOptions {
    /// Small events between two frames; a larger event counts as several. At least 1. Default:
    /// 2,048, which a store reads in some 2 ms.
    pub spacing: usize,
    /// Bytes that all frames may take together, about. Default: 384 MiB.
    pub budget: usize,
}

impl Default for FrameOptions {
    fn default() -> Self {
        Self {
            spacing: 2048,
            budget: 384 << 20,
        }
    }
}

impl FrameOptions {
    /// Sets how many small events lie between two frames; 0 is taken as 1.
    #[must_use]
    pub fn with_spacing(mut self, spacing: usize) -> Self {
        self.spacing = spacing.max(1);
        self
    }

    /// Sets how many bytes all frames may take together.
    #[must_use]
    pub fn with_budget(mut self, budget: usize) -> Self {
        self.budget = budget;
        self
    }
}

/// A log as one can move in it. [`replay`](super) tells the rules.
///
/// ```
/// use shipsec_core::{RunId, event::Event, run::{Applied, replay::{Position, Timeline}}};
///
/// let events: Vec<Event> = [
///     r#"{"runId":"r","sequence":1,"type":"WORKFLOW_STATUS","timestamp":"2025-10-16T09:12:03Z",
///         "payload":{"status":"RUNNING"}}"#,
///     r#"{"runId":"r","sequence":2,"type":"NODE_STARTED","timestamp":"2025-10-16T09:12:04Z",
///         "nodeId":"scan","attempt":1,
///         "payload":{"componentId":"a.b","componentVersion":"1.0.0","joinStrategy":"all"}}"#,
///     r#"{"runId":"r","sequence":3,"type":"NODE_COMPLETED","timestamp":"2025-10-16T09:12:09Z",
///         "nodeId":"scan","attempt":1,"payload":{"outputs":{},"durationMs":5000}}"#,
/// ]
/// .iter()
/// .map(|line| serde_json::from_str(line).unwrap())
/// .collect();
///
/// let mut timeline = Timeline::new(RunId::parse("r").unwrap());
/// for event in &events {
///     assert_eq!(timeline.push(event), Applied::Taken);
/// }
/// assert_eq!(timeline.next_change("scan", 2), Some(3));
///
/// // Six seconds after the start: the frame before, and the events that it lacks.
/// let to = timeline.sequence_at(&"+5s".parse::<Position>().unwrap());
/// let mut view = timeline.frame(to).clone();
/// for event in &events[view.sequence as usize..to as usize] {
///     view.apply(event);
/// }
/// assert_eq!(view.sequence, 2);
/// assert_eq!(view.counts.running, 1);
/// ```
#[derive(Debug)]
pub struct Timeline {
    /// After the last event.
    view: RunView,
    /// By sequence number, ascending; the first is the run of which nothing is known.
    frames: Vec<Frame>,
    times: Times,
    changes: Changes,
    options: FrameOptions,
    /// As in the options, doubled each time that frames were left out.
    spacing: usize,
    /// Of the events since the last frame.
    weight: usize,
    /// Of all frames.
    frame_bytes: usize,
}

#[derive(Debug)]
struct Frame {
    view: RunView,
    /// Whether it stays when frames are left out: what comes before it is dear to read.
    stays: bool,
}

impl Timeline {
    /// A log without events.
    pub fn new(run_id: RunId) -> Self {
        Self::with_options(run_id, FrameOptions::default())
    }

    /// A log without events, whose frames lie as the options say.
    pub fn with_options(run_id: RunId, options: FrameOptions) -> Self {
        let view = RunView::new(run_id);
        let first = Frame {
            view: view.clone(),
            stays: true,
        };
        Self {
            view,
            frames: vec![first],
            times: Times::default(),
            changes: Changes::default(),
            options,
            spacing: options.spacing.max(1),
            weight: 0,
            frame_bytes: 0,
        }
    }

    /// Takes the next event. What is not the next one changes nothing.
    pub fn push(&mut self, event: &Event) -> Applied {
        let before = Before::of(&self.view, event);
        let applied = self.view.apply(event);
        if applied != Applied::Taken {
            return applied;
        }
        self.times.push(event.timestamp);
        self.changes.note(before, &self.view, event);
        self.weight += weight(event);
        // It may tell of a million nodes.
        let stays = matches!(&event.kind, EventKind::WorkflowStatus(payload)
            if payload.definition.is_some());
        if stays || self.weight >= self.spacing {
            self.keep(stays);
        }
        applied
    }

    fn keep(&mut self, stays: bool) {
        self.weight = 0;
        if let Some(last) = self.frames.last() {
            self.frame_bytes += self.view.bytes_beside(&last.view);
        }
        self.frames.push(Frame {
            view: self.view.clone(),
            stays,
        });
        while self.frame_bytes > self.options.budget && self.frames.len() > FEWEST {
            let before = self.frames.len();
            let mut second = false;
            self.frames.retain(|frame| {
                second = !second;
                frame.stays || !second
            });
            self.spacing = self.spacing.saturating_mul(2);
            let pairs = self.frames.windows(2);
            self.frame_bytes = pairs
                .map(|pair| pair[1].view.bytes_beside(&pair[0].view))
                .sum();
            if self.frames.len() == before {
                break;
            }
        }
    }

    /// The run.
    pub fn run_id(&self) -> &RunId {
        &self.view.run_id
    }

    /// The state after the last event.
    pub fn view(&self) -> &RunView {
        &self.view
    }

    /// Sequence number of the last event; 0 before the first.
    pub fn last(&self) -> u64 {
        self.view.sequence
    }

    /// The nearest state that is kept at or before a sequence number. Apply the events from there
    /// to a copy of it: they are few, and whatever is beyond the last event is the last event.
    pub fn frame(&self, sequence: u64) -> &RunView {
        if sequence >= self.view.sequence {
            return &self.view;
        }
        let after = self
            .frames
            .partition_point(|frame| frame.view.sequence <= sequence);
        // The first frame is before every event.
        &self.frames[after.saturating_sub(1)].view
    }

    /// The time of an event, as [`replay`](super#time) defines it; `None` where there is no such
    /// event.
    pub fn time_of(&self, sequence: u64) -> Option<Timestamp> {
        self.times.of(sequence)
    }

    /// The sequence number that a position names: at most the last one, and 0 before the first
    /// event.
    pub fn sequence_at(&self, position: &Position) -> u64 {
        match *position {
            Position::Sequence(sequence) => sequence.min(self.last()),
            Position::Time(time) => self.times.last_at(time),
            Position::AfterStart(offset) => match self.time_of(1) {
                Some(start) => self.times.last_at(start.after(offset)),
                None => 0,
            },
        }
    }

    /// The events at which a node's state or attempt changed, ascending. Log lines, progress and
    /// artifacts are no changes.
    pub fn changes(&self, node: &str) -> &[u64] {
        self.changes.of(node)
    }

    /// The first change of a node after this event.
    pub fn next_change(&self, node: &str, after: u64) -> Option<u64> {
        let changes = self.changes(node);
        let next = changes.partition_point(|sequence| *sequence <= after);
        changes.get(next).copied()
    }

    /// The last change of a node before this event.
    pub fn previous_change(&self, node: &str, before: u64) -> Option<u64> {
        let changes = self.changes(node);
        let next = changes.partition_point(|sequence| *sequence < before);
        changes[..next].last().copied()
    }

    /// How many key frames are kept.
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// About how many bytes the key frames, times and changes take. Values that nodes put out are
    /// shared by all frames, and not counted.
    pub fn bytes(&self) -> usize {
        self.frame_bytes + self.times.bytes() + self.changes.bytes()
    }
}
