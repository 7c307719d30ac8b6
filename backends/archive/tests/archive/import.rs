//! Imports: several at once, held up, cut short and gone on with.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use shipsec_archive::{ArchiveError, Contents};
use shipsec_core::{
    RunId,
    event::{Event, Record},
    trace::{
        AppendError, Appended, Capabilities, Lease, LeaseError, MemoryStore, RunFilter, RunSummary,
        StoreError, StoreErrorKind, TraceStore,
    },
};

use crate::support::{World, log, run};

/// A store that is gone once so many appends have succeeded.
#[derive(Debug)]
struct Failing {
    inner: MemoryStore,
    left: AtomicUsize,
}

#[async_trait]
impl TraceStore for Failing {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn append(&self, run: &RunId, records: Vec<Record>) -> Result<Appended, AppendError> {
        self.inner.append(run, records).await
    }
    async fn append_as(&self, by: &Lease, records: Vec<Record>) -> Result<Appended, AppendError> {
        let one_less = |left: usize| left.checked_sub(1);
        let left = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        if left.is_err() {
            let error = StoreError::new(StoreErrorKind::Unavailable, "the disk is full");
            return Err(AppendError { error, records });
        }
        self.inner.append_as(by, records).await
    }
    async fn acquire(&self, run: &RunId, by: &str, ttl: Duration) -> Result<Lease, LeaseError> {
        self.inner.acquire(run, by, ttl).await
    }
    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<(), StoreError> {
        self.inner.renew(lease, ttl).await
    }
    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.inner.release(lease).await
    }
    async fn read(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.inner.read(run, after, limit).await
    }
    async fn wait_beyond(&self, run: &RunId, after: u64) -> Result<u64, StoreError> {
        self.inner.wait_beyond(run, after).await
    }
    async fn remove(&self, run: &RunId) -> Result<bool, LeaseError> {
        self.inner.remove(run).await
    }
    async fn remove_as(&self, lease: &Lease) -> Result<bool, StoreError> {
        self.inner.remove_as(lease).await
    }
    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        self.inner.runs(filter).await
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_run_that_somebody_holds_is_left_alone() {
    let world = World::of(3, b"content").await;
    let archive = world.export(Contents::All).await;
    let there = World::empty();
    let lease = there.store.acquire(&run(), "one", HOUR).await.unwrap();
    let error = archive.import(&there.store, &there.artifacts).await;
    let error = error.unwrap_err();
    assert!(matches!(error, ArchiveError::Held(_)), "{error}");
    let said = error.to_string();
    assert!(said.contains("run r is run by one now"), "{said}");
    assert!(log(&*there.store).await.is_empty());
    there.store.renew(&lease, HOUR).await.unwrap();
    there.store.release(&lease).await.unwrap();
    archive
        .import(&there.store, &there.artifacts)
        .await
        .unwrap();
    // It lets go in the end, whether or not there was anything to do.
    for _ in 0..2 {
        let lease = there.store.acquire(&run(), "one", HOUR).await.unwrap();
        there.store.release(&lease).await.unwrap();
        let again = archive.import(&there.store, &there.artifacts).await;
        assert_eq!(again.unwrap().known, [run()]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_at_once_leave_the_run_whole() {
    let world = World::of(2_500, b"content").await;
    let archive = world.export(Contents::All).await;
    for _ in 0..10 {
        let there = World::empty();
        let imports: Vec<_> = (0..4)
            .map(|_| {
                let (archive, store) = (archive.clone(), there.store.clone());
                let artifacts = there.artifacts.clone();
                tokio::spawn(async move { archive.import(&store, &artifacts).await })
            })
            .collect();
        let mut first = 0;
        for import in imports {
            match import.await.unwrap() {
                Ok(imported) => first += imported.runs.len(),
                Err(error) => assert!(matches!(error, ArchiveError::Held(_)), "{error}"),
            }
        }
        assert_eq!(first, 1);
        assert_eq!(log(&*there.store).await, log(&*world.store).await);
    }
}

#[tokio::test]
async fn an_import_that_fails_takes_back_what_was_not_there() {
    let world = World::of(2_500, b"content").await;
    let archive = world.export(Contents::All).await;
    let all = world.store.read(&run(), 0, usize::MAX).await.unwrap();
    let failing = |left: usize| {
        Arc::new(Failing {
            inner: MemoryStore::new(),
            left: left.into(),
        })
    };
    for appends in 0..3 {
        let failing = failing(appends);
        let store: Arc<dyn TraceStore> = failing.clone();
        let error = archive.import(&store, &world.artifacts).await.unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
        assert!(log(&*store).await.is_empty());
        assert!(store.runs(&RunFilter::default()).await.unwrap().is_empty());
        // Nothing is in the way of trying again.
        failing.left.store(usize::MAX, Ordering::Relaxed);
        archive.import(&store, &world.artifacts).await.unwrap();
        assert_eq!(log(&*store).await, log(&*world.store).await);
    }
    // The beginning of the log stays, and an import goes on from there.
    for known in [1, 999, 1_000, 2_000] {
        let failing = failing(0);
        let store: Arc<dyn TraceStore> = failing.clone();
        let records = all[..known].iter().map(|event| event.record.clone());
        store.append(&run(), records.collect()).await.unwrap();
        archive.import(&store, &world.artifacts).await.unwrap_err();
        assert_eq!(log(&*store).await.len(), known);
        failing.left.store(usize::MAX, Ordering::Relaxed);
        let imported = archive.import(&store, &world.artifacts).await.unwrap();
        assert_eq!(imported.events as usize, all.len() - known);
        assert_eq!(log(&*store).await, log(&*world.store).await);
    }
    // A log that goes on where that of the archive ends is another.
    let more = Record {
        counter: 9_999,
        ..all[0].record.clone()
    };
    world.store.append(&run(), vec![more]).await.unwrap();
    let refused = archive.import(&world.store, &world.artifacts).await;
    assert!(matches!(refused, Err(ArchiveError::Differs(_))));
}
