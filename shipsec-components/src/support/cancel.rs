//! Stopping when asked to.

use shipsec_core::{ComponentError, Context};

/// The error of a component that was asked to stop, and did.
pub(crate) fn cancelled() -> ComponentError {
    ComponentError::internal("cancelled before it was done")
}

/// For loops that compute or block: stops them once the node is cancelled.
pub(crate) fn check_cancelled(cx: &Context) -> Result<(), ComponentError> {
    if cx.is_cancelled() {
        Err(cancelled())
    } else {
        Ok(())
    }
}
