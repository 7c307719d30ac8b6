//! Arguments, interleaved rounds, and the table or JSON lines that come out.
//!
//! All contenders of a [`Contest`] run in one process, one after the other in each round, so that
//! what else the machine does burdens them alike. The first contender is the baseline.

mod contest;
mod options;

pub use contest::{Contest, Measurement, Sample, finish};
pub use options::{Limits, Options};
