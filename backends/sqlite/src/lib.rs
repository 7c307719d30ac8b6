//! A trace store in one SQLite file: the embedded default.
//!
//! **Durable** means here: once `append` returns, the events survive the end of the process,
//! however it ends (`journal_mode = WAL`, `synchronous = NORMAL`). When the machine loses power the
//! last commits may be lost, never the file; [`Options::survive_power_loss`] gives that up for
//! speed's opposite and waits for the disk at every commit.
//!
//! One thread writes, for all runs: what waits goes into one transaction (group commit). Another
//! keeps the write-ahead log short, so that no append waits for a checkpoint, and notices what
//! other processes append. Reads have connections of their own.
//!
//! **Leases** end with their time, and at once with their process: beside the database each process
//! that runs something keeps a small file locked. The lock needs a file system with locks that work
//! (a local one; SQLite's write-ahead log needs that anyway).

mod error;
mod house;
mod lease;
mod options;
mod remove;
mod rows;
mod schema;
mod store;
mod writer;

pub use options::Options;
pub use store::SqliteStore;
