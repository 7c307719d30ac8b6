//! The resident memory of this process, from the kernel's own books.
//!
//! Right for whole-process questions (does a gigabyte stream through in 64 MB?). For bytes per
//! node the `memory` bench counts allocations instead: resident memory moves by pages, and the
//! allocator keeps what was freed.

use std::fs;

use crate::Failure;

const STATUS: &str = "/proc/self/status";
const CLEAR_REFS: &str = "/proc/self/clear_refs";

/// The highest resident memory of this process in bytes, since its start or the last
/// [`reset_peak_resident`].
///
/// # Errors
///
/// Where `/proc/self/status` cannot be read or has no `VmHWM` (anywhere but on Linux).
pub fn peak_resident() -> Result<u64, Failure> {
    field("VmHWM:")
}

/// The resident memory of this process in bytes.
///
/// # Errors
///
/// Where `/proc/self/status` cannot be read or has no `VmRSS` (anywhere but on Linux).
pub fn resident() -> Result<u64, Failure> {
    field("VmRSS:")
}

/// Starts a new measurement: the peak becomes the present resident memory.
///
/// # Errors
///
/// Where `/proc/self/clear_refs` cannot be written (anywhere but on Linux).
pub fn reset_peak_resident() -> Result<(), Failure> {
    fs::write(CLEAR_REFS, "5").map_err(|error| format!("cannot write {CLEAR_REFS}: {error}").into())
}

fn field(name: &str) -> Result<u64, Failure> {
    let status =
        fs::read_to_string(STATUS).map_err(|error| format!("cannot read {STATUS}: {error}"))?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB"))
        .ok_or_else(|| format!("{STATUS} has no {name}"))?;
    Ok(kilobytes.trim().parse::<u64>()? * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_peak_shows_memory_that_was_given_back() {
        reset_peak_resident().unwrap();
        let before = peak_resident().unwrap();
        drop(std::hint::black_box(vec![1u8; 64 << 20]));
        assert!(peak_resident().unwrap() >= before + (48 << 20));
    }
}
