//! The log: the store it is kept in, and following it while it grows.

mod answer;
mod lease;
mod mask;
mod memory;
mod producers;
mod recorder;
mod replay;
mod store;
mod tail;

pub use answer::AnswerError;
pub use lease::{Lease, LeaseError, LeaseState};
pub(crate) use mask::{Masker, StreamMask, unmask};
pub use memory::MemoryStore;
pub(crate) use recorder::Recorder;
pub use replay::Replay;
pub use store::{
    AppendError, Appended, Capabilities, RunFilter, RunPlace, RunSummary, StoreError,
    StoreErrorKind, TraceStore, WriteNow,
};
pub use tail::{EventStream, TraceStoreExt};
