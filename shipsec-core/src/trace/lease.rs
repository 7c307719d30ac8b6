//! Who may write a run's log: at most one executor at a time.

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{StoreError, StoreErrorKind};
use crate::RunId;

/// The right of one executor to run a run and to write its log, as a store gave it.
///
/// Each lease of a run has a higher epoch than the one before. A store refuses what is appended
/// under an epoch that is not the newest: an executor that was taken for dead and lives
/// nevertheless (a zombie) cannot write any more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// The run.
    pub run_id: RunId,
    /// Higher than that of any lease that a run of this id had before, from 1: also of those that it
    /// had before it was removed.
    pub epoch: u64,
    /// Who holds it.
    pub holder: Arc<str>,
    /// The log's last sequence number when the lease was taken; 0 for a run without events.
    pub last_sequence: u64,
}

impl Lease {
    /// A lease, for an implementer of [`TraceStore`](super::TraceStore).
    pub fn new(run_id: RunId, epoch: u64, holder: impl Into<Arc<str>>, last_sequence: u64) -> Self {
        Self {
            run_id,
            epoch,
            holder: holder.into(),
            last_sequence,
        }
    }

    /// The error of whoever holds this lease no longer.
    pub fn fenced(&self) -> StoreError {
        let message = format!(
            "run {} was taken over by another executor: {} may not write its log any more",
            self.run_id, self.holder
        );
        StoreError::new(StoreErrorKind::Fenced, message)
    }
}

/// A lease that cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// Another executor runs this run.
    #[error(
        "run {run} is run by {holder} now; if that has died, its lease ends within {}",
        shown(.expires_in)
    )]
    Held {
        /// The run.
        run: RunId,
        /// Who runs it.
        holder: Arc<str>,
        /// How long the lease lasts unless it is renewed.
        expires_in: Duration,
    },
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn shown(left: &Duration) -> impl fmt::Display {
    format!("{:.1} s", left.as_secs_f64())
}

/// The leases of one run, as a state machine, for a store that lives in one process. The store
/// keeps it under the lock of the run's log, so that no append comes between a check and the append
/// that it allows.
#[derive(Debug, Default)]
pub struct LeaseState {
    epoch: u64,
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    holder: Arc<str>,
    until: Instant,
}

impl LeaseState {
    /// Of a new run in a store that removed others: its leases begin beyond the highest
    /// [`next_epoch`](Self::next_epoch) of those, so that whoever held a run before it was removed
    /// cannot write the one that has its id now.
    pub fn beyond(epoch: u64) -> Self {
        Self { epoch, held: None }
    }

    /// The epoch that the next lease will have; no lease of this run had it yet.
    pub fn next_epoch(&self) -> u64 {
        self.epoch + 1
    }

    /// Gives the lease to `holder`, unless somebody else holds it. Whoever holds it already gets
    /// a new one; the old one is void then.
    ///
    /// # Errors
    ///
    /// [`LeaseError::Held`].
    pub fn acquire(
        &mut self,
        run: &RunId,
        holder: &str,
        ttl: Duration,
        last_sequence: u64,
    ) -> Result<Lease, LeaseError> {
        let now = Instant::now();
        if let Some(held) = &self.held
            && held.until > now
            && *held.holder != *holder
        {
            return Err(LeaseError::Held {
                run: run.clone(),
                holder: held.holder.clone(),
                expires_in: held.until - now,
            });
        }
        let holder: Arc<str> = holder.into();
        self.epoch += 1;
        self.held = Some(Held {
            holder: holder.clone(),
            until: later(now, ttl),
        });
        Ok(Lease::new(run.clone(), self.epoch, holder, last_sequence))
    }

    /// Lets a lease last `ttl` from now on.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Fenced`] when it is not the newest, or was released.
    pub fn renew(&mut self, lease: &Lease, ttl: Duration) -> Result<(), StoreError> {
        self.check(lease)?;
        let held = self.held.as_mut().ok_or_else(|| lease.fenced())?;
        held.until = later(Instant::now(), ttl);
        Ok(())
    }

    /// Ends a lease, where it is the newest.
    pub fn release(&mut self, lease: &Lease) {
        if lease.epoch == self.epoch {
            self.held = None;
        }
    }

    /// Whether what is appended under this lease is to be stored: an expired lease that nobody
    /// else has taken still allows it.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Fenced`] when it is not the newest.
    pub fn check(&self, lease: &Lease) -> Result<(), StoreError> {
        match lease.epoch == self.epoch {
            true => Ok(()),
            false => Err(lease.fenced()),
        }
    }

    /// The error of whoever wants the run while its lease is held; none while it is free.
    pub fn held(&self, run: &RunId) -> Option<LeaseError> {
        let held = self.held.as_ref()?;
        let now = Instant::now();
        (held.until > now).then(|| LeaseError::Held {
            run: run.clone(),
            holder: held.holder.clone(),
            expires_in: held.until - now,
        })
    }

    /// Who holds a lease that has not expired.
    pub fn holder(&self) -> Option<&Arc<str>> {
        let held = self.held.as_ref()?;
        (held.until > Instant::now()).then_some(&held.holder)
    }
}

/// A time as far ahead as the clock reaches, at most.
fn later(now: Instant, ttl: Duration) -> Instant {
    let year = Duration::from_secs(365 * 24 * 3600);
    now + ttl.min(year)
}
