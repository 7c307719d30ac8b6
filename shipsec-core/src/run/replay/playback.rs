//! Moving along a log as time passes.

use std::{fmt, str::FromStr, time::Duration};

use super::Timeline;
use crate::event::Timestamp;

/// How fast a log plays: seconds of the log for a second of the viewer, from 0.01 to 10,000.
///
/// ```
/// use shipsec_core::run::replay::Speed;
///
/// let speed: Speed = "2.5x".parse().unwrap();
/// assert_eq!(speed.get(), 2.5);
/// assert_eq!(speed.faster().to_string(), "5x");
/// assert!("0".parse::<Speed>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Speed(f64);

impl Speed {
    /// The slowest.
    pub const MIN: Self = Self(0.01);
    /// The fastest.
    pub const MAX: Self = Self(10_000.0);

    /// A speed; `None` where it is not from 0.01 to 10,000.
    pub fn new(times: f64) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0)
            .contains(&times)
            .then_some(Self(times))
    }

    /// Seconds of the log for a second of the viewer.
    pub fn get(self) -> f64 {
        self.0
    }

    /// Twice as fast, where that is a speed.
    #[must_use]
    pub fn faster(self) -> Self {
        Self((self.0 * 2.0).min(Self::MAX.0))
    }

    /// Half as fast, where that is a speed.
    #[must_use]
    pub fn slower(self) -> Self {
        Self((self.0 / 2.0).max(Self::MIN.0))
    }
}

impl Default for Speed {
    fn default() -> Self {
        Self(1.0)
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", (self.0 * 1e4).round() / 1e4)
    }
}

impl FromStr for Speed {
    type Err = InvalidSpeed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.trim().trim_end_matches(['x', 'X']);
        let speed = number.parse().ok().and_then(Self::new);
        speed.ok_or_else(|| InvalidSpeed(text.chars().take(64).collect()))
    }
}

/// Text that is no speed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid speed {0:?}: expected a number from 0.01 to 10000, such as 2 or 0.5x")]
pub struct InvalidSpeed(String);

/// Where a viewer is in a log, and how it moves on. It has no clock: the viewer tells how much
/// time has passed.
///
/// ```
/// use std::time::Duration;
/// use shipsec_core::{RunId, run::replay::{Playback, Timeline}};
///
/// let timeline = Timeline::new(RunId::parse("r").unwrap());
/// let mut playback = Playback::new().with_longest_gap(Some(Duration::from_secs(2)));
/// playback.play();
/// // Each time that the viewer draws:
/// let sequence = playback.advance(&timeline, Duration::from_millis(16));
/// assert_eq!(sequence, 0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Playback {
    sequence: u64,
    /// How far into the gap after that event, as it plays.
    into_gap: Duration,
    speed: Speed,
    playing: bool,
    longest_gap: Option<Duration>,
}

impl Default for Playback {
    fn default() -> Self {
        Self::new()
    }
}

impl Playback {
    /// Before the first event, not playing, at normal speed, with gaps as long as they were.
    pub fn new() -> Self {
        Self {
            sequence: 0,
            into_gap: Duration::ZERO,
            speed: Speed::default(),
            playing: false,
            longest_gap: None,
        }
    }

    /// Sets the speed.
    #[must_use]
    pub fn with_speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }

    /// Shortens gaps between events that are longer than this to it, in the log's time; `None`
    /// leaves them as they were.
    #[must_use]
    pub fn with_longest_gap(mut self, longest: Option<Duration>) -> Self {
        self.set_longest_gap(longest);
        self
    }

    /// Shortens gaps between events that are longer than this to it, in the log's time; `None`
    /// leaves them as they were.
    pub fn set_longest_gap(&mut self, longest: Option<Duration>) {
        self.longest_gap = longest;
    }

    /// How long a gap is at most.
    pub fn longest_gap(&self) -> Option<Duration> {
        self.longest_gap
    }

    /// Sequence number of the event that was played last; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The speed.
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// Sets the speed from here on.
    pub fn set_speed(&mut self, speed: Speed) {
        self.speed = speed;
    }

    /// Whether it moves on with time.
    pub fn is_playing(&self) -> bool {
        self.playing
    }

    /// Moves on with time.
    pub fn play(&mut self) {
        self.playing = true;
    }

    /// Stays where it is.
    pub fn pause(&mut self) {
        self.playing = false;
    }

    /// Goes to an event, at most the last one; playing goes on from there.
    pub fn jump(&mut self, timeline: &Timeline, sequence: u64) {
        self.sequence = sequence.min(timeline.last());
        self.into_gap = Duration::ZERO;
    }

    /// Goes so many events forward, or back where negative.
    pub fn step(&mut self, timeline: &Timeline, events: i64) {
        self.jump(timeline, self.sequence.saturating_add_signed(events));
    }

    /// Takes time that has passed for the viewer, and tells which event was played last by now.
    /// Nothing moves while it does not play.
    ///
    /// At the end of a log it waits. When the log grows, the time that it waited counts, so that it
    /// stays as far behind a run that goes on as it was.
    pub fn advance(&mut self, timeline: &Timeline, elapsed: Duration) -> u64 {
        if !self.playing {
            return self.sequence;
        }
        let seconds = elapsed.as_secs_f64() * self.speed.0;
        let passed = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        self.into_gap = self.into_gap.saturating_add(passed);
        while let Some((_, gap)) = self.gap(timeline) {
            match self.into_gap.checked_sub(gap) {
                Some(rest) => {
                    self.sequence += 1;
                    self.into_gap = rest;
                }
                None => break,
            }
        }
        self.sequence
    }

    /// How long it takes for the viewer until the next event; `None` at the end of the log, and
    /// while it does not play.
    pub fn until_next(&self, timeline: &Timeline) -> Option<Duration> {
        let (_, gap) = self.gap(timeline).filter(|_| self.playing)?;
        let seconds = gap.saturating_sub(self.into_gap).as_secs_f64() / self.speed.0;
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    /// The log's time at which the viewer is, between two events too; it runs faster through a gap
    /// that is shortened. `None` before the first event.
    pub fn clock(&self, timeline: &Timeline) -> Option<Timestamp> {
        let time = timeline.time_of(self.sequence)?;
        Some(match self.gap(timeline) {
            Some((gap, shown)) if gap != shown && !shown.is_zero() => {
                let share = self.into_gap.as_secs_f64() / shown.as_secs_f64();
                let into = Duration::try_from_secs_f64(gap.as_secs_f64() * share);
                time.after(into.unwrap_or(gap).min(gap))
            }
            Some((gap, _)) => time.after(self.into_gap.min(gap)),
            None if timeline.view().status.is_final() => time,
            None => time.after(self.into_gap),
        })
    }

    /// The gap after the event that was played last, as it was and as it plays.
    fn gap(&self, timeline: &Timeline) -> Option<(Duration, Duration)> {
        let next = timeline.time_of(self.sequence.saturating_add(1))?;
        let gap = match timeline.time_of(self.sequence) {
            Some(time) => next.since(time),
            None => Duration::ZERO,
        };
        let shown = self.longest_gap.map_or(gap, |longest| gap.min(longest));
        Some((gap, shown))
    }
}
