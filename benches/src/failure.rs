//! How a bench fails.

/// Why a bench could not give a figure: bad arguments, or a contender that did not do its work.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
