//! The wire format of the log, version 1: one JSON object per event.
//!
//! Unknown types and unknown fields are kept when read and written again, so that a newer writer
//! does not break an older reader.

mod attempt;
mod envelope;
mod kind;
mod output;
mod source;
mod time;
mod unknown;
mod wire;

pub use attempt::AttemptRecord;
pub use envelope::{Event, Level, NodeRef, Record};
pub use kind::{
    ArtifactPayload, AwaitingInputPayload, Caller, CancelledPayload, ChildStartedPayload,
    CompletedPayload, ComponentRef, ErrorPayload, EventKind, FailedPayload, Failure,
    InputReceivedPayload, LogPayload, ParentRun, ProgressPayload, ProgressSource, Relation,
    SkippedPayload, StartedPayload, StatusPayload, StopCause, Stream, Trigger, UnknownPayload,
    WorkflowStatus,
};
pub(crate) use output::Given;
pub use output::{MaskNote, OutputNotes, Outputs, ValueRef};
pub use source::{DefinitionSource, HashSource};
pub use time::Timestamp;

pub use crate::schedule::SkipReason;
