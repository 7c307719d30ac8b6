//! What a host may choose.

/// How a [`SqliteStore`](crate::SqliteStore) works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Options {
    /// Wait for the disk at every commit (`synchronous = FULL`).
    pub survive_power_loss: bool,
    /// Open for reading alone: nothing is created, appends are denied.
    pub read_only: bool,
}

impl Options {
    /// Waits for the disk at every commit.
    #[must_use]
    pub fn surviving_power_loss(mut self) -> Self {
        self.survive_power_loss = true;
        self
    }

    /// Opens for reading alone.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }
}
