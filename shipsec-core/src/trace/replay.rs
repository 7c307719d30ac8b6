//! A run at any moment, from the log that a store keeps.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use futures::stream::{self, StreamExt as _};

use super::{StoreError, StoreErrorKind, TraceStore};
use crate::{
    RunId,
    event::Event,
    run::{
        Applied, RunView,
        replay::{FrameOptions, Position, Timeline},
    },
};

/// Events that are read at once.
const PAGE: usize = 4096;

/// Pages that the store reads while others are folded.
const AHEAD: usize = 3;

/// Events that are kept from the last seek at most, and those of one page more.
const KEPT: usize = 2 * PAGE;

/// The log of a run in a store, opened for moving in it.
///
/// Opening reads the log once. From then on the state at any event is a key frame of the
/// [`Timeline`] and the few events after it, which are read from the store; those of the last seek
/// are kept, so that steps forward and back read next to nothing. [`run::replay`](crate::run::replay)
/// tells the rules.
///
/// All methods take `&self`: while one task lets it grow with a run that goes on, others may seek in
/// it. What is not known yet when a seek begins is not in its answer.
///
/// ```
/// # use std::sync::Arc;
/// use shipsec_core::{RunId, trace::{MemoryStore, Replay, TraceStore}};
///
/// # async fn example(store: Arc<dyn TraceStore>, run: RunId)
/// #     -> Result<(), Box<dyn std::error::Error>> {
/// let replay = Replay::open(store, run).await?;
/// let view = replay.seek(&"1m30s".parse()?).await?;
/// println!("event {} of {}: {}", view.sequence, replay.last(), view.status);
/// let change = replay.timeline(|timeline| timeline.next_change("scan", view.sequence));
/// if let Some(sequence) = change {
///     println!("{:?}", replay.at(sequence).await?.node("scan"));
/// }
/// # Ok(())
/// # }
/// ```
pub struct Replay {
    store: Arc<dyn TraceStore>,
    run: RunId,
    timeline: RwLock<Timeline>,
    /// Whoever seeks takes it out and puts back their own.
    recent: Mutex<Option<Recent>>,
}

/// What the last seek left behind.
struct Recent {
    /// Events that follow one another.
    events: Vec<Event>,
    /// The state that it gave.
    view: RunView,
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("run", &self.run)
            .field("last", &self.last())
            .finish_non_exhaustive()
    }
}

impl Replay {
    /// Opens the log of a run, and reads it as far as it goes now. A run of which the store has
    /// nothing is a log without events.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read, or when its log has a gap.
    pub async fn open(store: Arc<dyn TraceStore>, run: RunId) -> Result<Self, StoreError> {
        Self::open_with(store, run, FrameOptions::default()).await
    }

    /// Like [`open`](Self::open), with key frames as the options say.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn open_with(
        store: Arc<dyn TraceStore>,
        run: RunId,
        options: FrameOptions,
    ) -> Result<Self, StoreError> {
        let replay = Self {
            store,
            timeline: RwLock::new(Timeline::with_options(run.clone(), options)),
            run,
            recent: Mutex::new(None),
        };
        replay.catch_up().await?;
        Ok(replay)
    }

    /// The run.
    pub fn run_id(&self) -> &RunId {
        &self.run
    }

    /// Sequence number of the last event that it knows; 0 before the first.
    pub fn last(&self) -> u64 {
        self.timeline(Timeline::last)
    }

    /// Looks at the timeline: times, changes of nodes, the newest state. It cannot grow meanwhile,
    /// so do not linger.
    pub fn timeline<R>(&self, look: impl FnOnce(&Timeline) -> R) -> R {
        look(&self.timeline.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes what the store has beyond the last event, and returns the last sequence number. Where
    /// events arrive by themselves, [`feed`](Self::feed) takes them.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn catch_up(&self) -> Result<u64, StoreError> {
        loop {
            let after = self.last();
            // Sequence numbers have no gaps, so that it is known where further pages begin.
            let pages =
                (0..).map(|page| self.store.read(&self.run, after + page * PAGE as u64, PAGE));
            let mut pages = stream::iter(pages).buffered(AHEAD);
            while let Some(page) = pages.next().await {
                let page = page?;
                self.feed(&page)?;
                // A store may give less than it was asked for.
                if page.len() < PAGE {
                    break;
                }
                tokio::task::yield_now().await;
            }
            if self.last() <= after {
                return Ok(after);
            }
        }
    }

    /// Waits until the log has grown, takes what is new, and returns the last sequence number.
    /// It is cancel-safe. The log of a run that has ended seldom grows: ask
    /// [`timeline`](Self::timeline) for the status first.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn grown(&self) -> Result<u64, StoreError> {
        self.store.wait_beyond(&self.run, self.last()).await?;
        self.catch_up().await
    }

    /// Takes events that arrived, in the order of their sequence, and returns the last sequence
    /// number. Those that it has already change nothing. They must be in the store too, from where
    /// later seeks read them.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Corrupt`] when events are missing in between, or are of another run; those
    /// before are taken.
    pub fn feed(&self, events: &[Event]) -> Result<u64, StoreError> {
        let mut timeline = self
            .timeline
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for event in events {
            let due = timeline.last() + 1;
            if let Applied::Gap { .. } | Applied::OtherRun = timeline.push(event) {
                return Err(self.damaged(&format!("{} stands where {due} is due", event.id())));
            }
        }
        Ok(timeline.last())
    }

    /// The state at a position: at most the last event that is known, and nothing before the first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read, or has lost events that it had.
    pub async fn seek(&self, position: &Position) -> Result<RunView, StoreError> {
        self.at(self.timeline(|timeline| timeline.sequence_at(position)))
            .await
    }

    /// The state after an event, at most the last one that is known; 0 is before the first.
    ///
    /// # Errors
    ///
    /// As [`seek`](Self::seek).
    pub async fn at(&self, sequence: u64) -> Result<RunView, StoreError> {
        // Near a key frame, or with a store in memory, nothing below ever waits: whoever seeks in a
        // loop still lets the other tasks of its thread go on.
        tokio::task::coop::consume_budget().await;
        let (mut view, sequence) = self.timeline(|timeline| {
            let sequence = sequence.min(timeline.last());
            (timeline.frame(sequence).clone(), sequence)
        });
        if view.sequence == sequence {
            return Ok(view);
        }
        let recent = self.recent().take();
        let mut events = Vec::new();
        if let Some(recent) = recent {
            if (view.sequence..=sequence).contains(&recent.view.sequence) {
                view = recent.view;
            }
            events = recent.events;
        }
        let first = events.first().map_or(0, |event: &Event| event.sequence);
        let known = view
            .sequence
            .checked_add(1)
            .and_then(|next| usize::try_from(next.checked_sub(first)?).ok())
            .filter(|_| first > 0);
        match known.and_then(|from| events.get(from..)) {
            Some(known) => {
                let due = usize::try_from(sequence - view.sequence).unwrap_or(usize::MAX);
                self.apply(&mut view, &known[..known.len().min(due)])?;
            }
            None => events.clear(),
        }
        while view.sequence < sequence {
            let due = usize::try_from(sequence - view.sequence).unwrap_or(usize::MAX);
            let page = self
                .store
                .read(&self.run, view.sequence, due.min(PAGE))
                .await?;
            if page.is_empty() {
                let lost = format!("it ends with event {}, and had {sequence}", view.sequence);
                return Err(self.damaged(&lost));
            }
            self.apply(&mut view, &page)?;
            if events.len() + page.len() > KEPT {
                events.clear();
            }
            events.extend(page);
        }
        *self.recent() = Some(Recent {
            events,
            view: view.clone(),
        });
        Ok(view)
    }

    /// The events up to this one and at most so many, in their order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn events_before(
        &self,
        sequence: u64,
        count: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let sequence = sequence.min(self.last());
        let after = sequence.saturating_sub(count as u64);
        match usize::try_from(sequence - after).unwrap_or(usize::MAX) {
            0 => Ok(Vec::new()),
            limit => self.store.read(&self.run, after, limit).await,
        }
    }

    fn apply(&self, view: &mut RunView, events: &[Event]) -> Result<(), StoreError> {
        for event in events {
            let due = view.sequence + 1;
            if view.apply(event) != Applied::Taken {
                return Err(self.damaged(&format!("{} stands where {due} is due", event.id())));
            }
        }
        Ok(())
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, Option<Recent>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn damaged(&self, what: &str) -> StoreError {
        let message = format!("the log of run {} is damaged: {what}", self.run);
        StoreError::new(StoreErrorKind::Corrupt, message)
    }
}
