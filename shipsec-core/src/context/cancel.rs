//! Cancellation of one attempt, without an allocation for those that never look at it.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
pub(super) struct CancelCell {
    cancelled: AtomicBool,
    token: OnceLock<CancellationToken>,
}

impl CancelCell {
    pub(super) fn cancel(&self) {
        // The flag first: whoever makes the token after this sees the flag; whoever made it before
        // is told here.
        self.cancelled.store(true, Ordering::SeqCst);
        if let Some(token) = self.token.get() {
            token.cancel();
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    pub(super) fn token(&self) -> &CancellationToken {
        let token = self.token.get_or_init(CancellationToken::new);
        if self.is_cancelled() {
            token.cancel();
        }
        token
    }
}
