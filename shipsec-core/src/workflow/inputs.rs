//! Checking the inputs of a run before it starts.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::Plan;

/// Checks the inputs of a run against what its entry point declares.
///
/// # Errors
///
/// Messages by input.
pub fn check_inputs(
    plan: &Plan,
    inputs: &Map<String, Json>,
) -> Result<(), BTreeMap<String, Vec<String>>> {
    let _ = (plan, inputs);
    Ok(())
}
