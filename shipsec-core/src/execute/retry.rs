//! Retry settings, how they are layered, and how long to wait.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ComponentError, ErrorKind};

/// Retry settings as people write them: whatever is left out comes from the layer below. The
/// workflow's settings override the component's, which override the defaults.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct RetrySettings {
    /// Attempts in all, the first one included; at least 1. Default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_attempts: Option<u32>,
    /// Seconds before the second attempt. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub initial_interval_seconds: Option<f64>,
    /// Factor from each wait to the next; at least 1. Default 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1.0))]
    pub backoff_coefficient: Option<f64>,
    /// Longest wait in seconds. Default 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub maximum_interval_seconds: Option<f64>,
    /// Kinds that are never tried again, besides those that are not retryable by nature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_retryable_error_types: Option<Vec<ErrorKind>>,
    /// Settings of single kinds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub per_kind: BTreeMap<ErrorKind, KindSettings>,
}

/// Retry settings of one error kind.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
#[non_exhaustive]
pub struct KindSettings {
    /// Attempts in all; see [`RetrySettings::max_attempts`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_attempts: Option<u32>,
    /// Seconds before the second attempt; see [`RetrySettings::initial_interval_seconds`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0))]
    pub initial_interval_seconds: Option<f64>,
}

impl RetrySettings {
    /// Nothing set.
    pub const UNSET: Self = Self {
        max_attempts: None,
        initial_interval_seconds: None,
        backoff_coefficient: None,
        maximum_interval_seconds: None,
        non_retryable_error_types: None,
        per_kind: BTreeMap::new(),
    };

    /// Sets the number of attempts in all.
    #[must_use]
    pub const fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Sets the seconds before the second attempt.
    #[must_use]
    pub const fn with_initial_interval_seconds(mut self, seconds: f64) -> Self {
        self.initial_interval_seconds = Some(seconds);
        self
    }
}

/// The retry policy of one node, with every setting in place.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts in all.
    pub max_attempts: u32,
    /// Wait before the second attempt.
    pub initial_interval: Duration,
    /// Factor from each wait to the next.
    pub backoff_coefficient: f64,
    /// Longest wait.
    pub maximum_interval: Duration,
    /// Kinds that are never tried again.
    pub non_retryable: Vec<ErrorKind>,
    /// Settings of single kinds.
    pub per_kind: BTreeMap<ErrorKind, KindSettings>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            initial_interval: Duration::from_secs(1),
            backoff_coefficient: 2.0,
            maximum_interval: Duration::from_secs(60),
            non_retryable: Vec::new(),
            per_kind: BTreeMap::new(),
        }
    }
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value.max(0.0)).unwrap_or(Duration::MAX)
}

impl RetryPolicy {
    /// Puts layers of settings over the defaults, the strongest last.
    pub fn layered<'a>(layers: impl IntoIterator<Item = &'a RetrySettings>) -> Self {
        let mut policy = Self::default();
        for layer in layers {
            if let Some(attempts) = layer.max_attempts {
                policy.max_attempts = attempts.max(1);
            }
            if let Some(value) = layer.initial_interval_seconds {
                policy.initial_interval = seconds(value);
            }
            if let Some(value) = layer.backoff_coefficient {
                policy.backoff_coefficient = value.max(1.0);
            }
            if let Some(value) = layer.maximum_interval_seconds {
                policy.maximum_interval = seconds(value);
            }
            if let Some(kinds) = &layer.non_retryable_error_types {
                policy.non_retryable.clone_from(kinds);
            }
            for (kind, settings) in &layer.per_kind {
                let merged = policy.per_kind.entry(*kind).or_default();
                merged.max_attempts = settings.max_attempts.or(merged.max_attempts);
                merged.initial_interval_seconds = settings
                    .initial_interval_seconds
                    .or(merged.initial_interval_seconds);
            }
        }
        policy
    }

    /// How long to wait after attempt number `attempt` (from 1) ended with `error`; `None` when
    /// there is no further attempt. A peer's retry-after is honoured where it is longer.
    pub fn wait_after(&self, attempt: u32, error: &ComponentError) -> Option<Duration> {
        let kind = self.per_kind.get(&error.kind());
        let most = kind
            .and_then(|settings| settings.max_attempts)
            .unwrap_or(self.max_attempts);
        if attempt >= most || !error.is_retryable() || self.non_retryable.contains(&error.kind()) {
            return None;
        }
        let first = kind
            .and_then(|settings| settings.initial_interval_seconds)
            .map_or(self.initial_interval, seconds);
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let factor = self.backoff_coefficient.powi(exponent);
        let wait = seconds(first.as_secs_f64() * factor).min(self.maximum_interval);
        Some(wait.max(error.retry_after().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_maximum_and_end_with_the_attempts() {
        let policy = RetryPolicy {
            max_attempts: 9,
            ..RetryPolicy::default()
        };
        let error = ComponentError::network("reset");
        let waits: Vec<_> = (1..=9)
            .map(|n| policy.wait_after(n, &error).map(|wait| wait.as_secs()))
            .collect();
        assert_eq!(
            waits,
            [1, 2, 4, 8, 16, 32, 60, 60]
                .map(Some)
                .into_iter()
                .chain([None])
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn kinds_that_cannot_heal_are_not_tried_again() {
        let policy = RetryPolicy::default();
        for kind in ErrorKind::ALL {
            let wait = policy.wait_after(1, &ComponentError::new(kind, "x"));
            assert_eq!(wait.is_some(), kind.is_retryable(), "{kind}");
        }
    }

    #[test]
    fn the_workflow_overrides_the_component_which_overrides_the_defaults() {
        let component = RetrySettings {
            max_attempts: Some(5),
            ..RetrySettings::UNSET
        };
        let workflow = RetrySettings {
            initial_interval_seconds: Some(0.5),
            per_kind: [(
                ErrorKind::RateLimit,
                KindSettings {
                    max_attempts: Some(9),
                    ..Default::default()
                },
            )]
            .into(),
            ..RetrySettings::UNSET
        };
        let policy = RetryPolicy::layered([&component, &workflow]);
        assert_eq!(policy.max_attempts, 5);
        assert_eq!(policy.initial_interval, Duration::from_millis(500));
        assert!(
            policy
                .wait_after(5, &ComponentError::network("x"))
                .is_none()
        );
        assert!(
            policy
                .wait_after(8, &ComponentError::rate_limit("x"))
                .is_some()
        );
    }

    #[test]
    fn a_longer_retry_after_wins() {
        let error =
            ComponentError::rate_limit("slow down").with_retry_after(Duration::from_secs(90));
        assert_eq!(
            RetryPolicy::default().wait_after(1, &error),
            Some(Duration::from_secs(90))
        );
    }
}
