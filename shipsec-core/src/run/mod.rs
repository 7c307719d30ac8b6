//! Folds of a run's log.
