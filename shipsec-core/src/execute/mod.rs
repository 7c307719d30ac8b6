//! Executing plans: the executor contract, the local executor, and what every executor shares.

mod executor;
mod for_each;
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
pub(crate) use for_each::{Before, FAILURES, Settings as EachSettings, wrap as for_each};
pub use local::{LocalExecutor, LocalExecutorBuilder};
pub use retry::{KindSettings, RetryPolicy, RetrySettings};
