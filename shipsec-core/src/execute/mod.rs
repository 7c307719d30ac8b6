//! Executing plans: the executor contract, the local executor, and what every executor shares.

mod retry;

pub use retry::{KindSettings, RetryPolicy, RetrySettings};
