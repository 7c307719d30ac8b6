//! Naming a moment of a log.

use std::{fmt, str::FromStr, time::Duration};

use crate::event::Timestamp;

/// A moment of a log.
///
/// As text it is a sequence number (`120`), a time (RFC 3339), or a length of time since the first
/// event (`+12.5s`, `1m30s`, `2h`); a number with a sign or a unit is a length of time.
///
/// ```
/// use std::time::Duration;
/// use shipsec_core::run::replay::Position;
///
/// assert_eq!("120".parse(), Ok(Position::Sequence(120)));
/// assert_eq!("1m30s".parse(), Ok(Position::AfterStart(Duration::from_secs(90))));
/// assert_eq!("+12.5s".parse(), Ok(Position::AfterStart(Duration::from_millis(12_500))));
/// assert!(matches!("2025-10-16T09:12:03Z".parse(), Ok(Position::Time(_))));
/// assert!("soon".parse::<Position>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Position {
    /// After the event with this sequence number; 0 is before the first.
    Sequence(u64),
    /// After the last event that is not later than this.
    Time(Timestamp),
    /// So long after the time of the first event.
    AfterStart(Duration),
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPosition(text.chars().take(64).collect());
        let trimmed = text.trim();
        if trimmed.bytes().all(|b| b.is_ascii_digit()) {
            return trimmed.parse().map(Self::Sequence).map_err(|_| invalid());
        }
        if let Ok(time) = trimmed.parse() {
            return Ok(Self::Time(time));
        }
        let length: jiff::SignedDuration = trimmed.parse().map_err(|_| invalid())?;
        let length = Duration::try_from(length).map_err(|_| invalid())?;
        Ok(Self::AfterStart(length))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence(sequence) => sequence.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::AfterStart(length) => write!(f, "+{}s", length.as_secs_f64()),
        }
    }
}

/// Text that names no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid position {0:?}: expected a sequence number such as 120, a time such as 2025-10-16T09:12:03Z, or a length of time since the start such as 1m30s or +12.5s"
)]
pub struct InvalidPosition(String);
