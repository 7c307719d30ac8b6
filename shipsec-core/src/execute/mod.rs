//! Executing plans: the executor contract, the local executor, and what every executor shares.

mod executor;
mod local;
mod node;
mod recovery;
mod retry;
mod reuse;
mod spill;

pub use executor::{
    Executor, ExecutorError, Rerun, ResumeError, RunControl, RunHandle, RunOutcome, RunRequest,
    StartError,
};
pub use local::{LocalExecutor, LocalExecutorBuilder};
pub use retry::{KindSettings, RetryPolicy, RetrySettings};
