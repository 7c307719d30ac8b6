//! What the ShipSec SDK is measured with, and what it is measured against.
//!
//! - [`graph`]: the shapes that every contender runs (`chain`, `fan`, `layered`), as plain
//!   index adjacency.
//! - [`sleeps`]: a graph of sleeps with a long tail, and its critical path.
//! - [`floor`]: the least that an executor could do for such a graph, written by hand.
//! - [`shipsec`]: the same graphs as workflows of typed components on this project's executor.
//! - [`harness`]: arguments, interleaved rounds, and the table or JSON lines that come out.
//! - [`memory`]: the peak resident memory of this process.
//!
//! Every bench target takes the same arguments; `cargo bench -p shipsec-benches --bench overhead
//! -- --help` lists them. Without `--bench` (as under `cargo test --all-targets`) a target runs
//! one round of its smallest case: proof that it works, not a figure.

mod failure;
pub mod floor;
pub mod graph;
pub mod harness;
pub mod memory;
pub mod shipsec;
pub mod sleeps;

pub use failure::Failure;
