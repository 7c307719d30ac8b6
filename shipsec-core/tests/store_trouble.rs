//! A store that is away, loses replies, or is gone for good.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use shipsec_core::{
    ComponentError, Context, NoParams, NoPorts, Registry, RunId, component,
    event::{Event, Record, WorkflowStatus},
    execute::{Executor, LocalExecutor, RunOutcome, RunRequest},
    trace::{
        AppendError, Appended, Capabilities, Lease, LeaseError, MemoryStore, RunFilter, RunSummary,
        StoreError, StoreErrorKind, TraceStore,
    },
    workflow::{EntryPoint, Graph, compile},
};

/// What happens to one append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    /// Nothing is stored.
    Away,
    /// All is stored, and the reply is lost.
    ReplyLost,
    /// Nothing is stored, and trying again will not help.
    Gone,
}

/// A store with trouble ahead: one for each append, then the last one for ever.
#[derive(Debug)]
struct Troubled {
    inner: MemoryStore,
    ahead: Mutex<VecDeque<Trouble>>,
}

impl Troubled {
    fn next(&self) -> Trouble {
        let mut ahead = self.ahead.lock().unwrap();
        match ahead.len() {
            0 => Trouble::None,
            1 => ahead[0],
            _ => ahead.pop_front().unwrap(),
        }
    }
}

#[async_trait]
impl TraceStore for Troubled {
    fn capabilities(&self) -> Capabilities {
        Capabilities::DURABLE
    }

    async fn append(&self, run: &RunId, records: Vec<Record>) -> Result<Appended, AppendError> {
        self.inner.append(run, records).await
    }

    async fn acquire(&self, run: &RunId, holder: &str, ttl: Duration) -> Result<Lease, LeaseError> {
        self.inner.acquire(run, holder, ttl).await
    }

    async fn remove(&self, run: &RunId) -> Result<bool, LeaseError> {
        self.inner.remove(run).await
    }

    async fn remove_as(&self, lease: &Lease) -> Result<bool, StoreError> {
        self.inner.remove_as(lease).await
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<(), StoreError> {
        self.inner.renew(lease, ttl).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.inner.release(lease).await
    }

    async fn append_as(
        &self,
        lease: &Lease,
        records: Vec<Record>,
    ) -> Result<Appended, AppendError> {
        let trouble = self.next();
        let kept = records.clone();
        if matches!(trouble, Trouble::None | Trouble::ReplyLost) {
            let appended = self.inner.append_as(lease, records).await?;
            if trouble == Trouble::None {
                return Ok(appended);
            }
        }
        let kind = match trouble {
            Trouble::Gone => StoreErrorKind::Denied,
            _ => StoreErrorKind::Unavailable,
        };
        Err(AppendError {
            error: StoreError::new(kind, "the store is not there"),
            records: kept,
        })
    }

    async fn read(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.inner.read(run, after, limit).await
    }

    async fn wait_beyond(&self, run: &RunId, after: u64) -> Result<u64, StoreError> {
        self.inner.wait_beyond(run, after).await
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        self.inner.runs(filter).await
    }
}

static WORKED: AtomicU32 = AtomicU32::new(0);

/// Works, and counts how often.
#[component(id = "test.work", version = "1.0.0", category = "test")]
async fn work(_: NoPorts, _: NoParams, cx: &Context) -> Result<NoPorts, ComponentError> {
    WORKED.fetch_add(1, Ordering::SeqCst);
    cx.info("working");
    Ok(NoPorts {})
}

/// A chain of the entry point and three nodes, on a store with this trouble ahead. Also how often a
/// node worked.
async fn run(ahead: impl IntoIterator<Item = Trouble>) -> (Arc<RunOutcome>, Vec<Event>, u32) {
    let mut registry = Registry::new();
    registry.register_dyn(Arc::new(EntryPoint::new())).unwrap();
    registry.register(Work).unwrap();
    let node = |id: &str| json!({"id": id, "type": "test.work"});
    let edge = |id: &str, from: &str, to: &str| json!({"id": id, "source": from, "target": to});
    let graph = json!({
        "name": "Trouble",
        "nodes": [{"id": "start", "type": "core.workflow.entrypoint"}, node("a"), node("b"), node("c")],
        "edges": [edge("1", "start", "a"), edge("2", "a", "b"), edge("3", "b", "c")],
    });
    let graph = Graph::from_json(&graph.to_string()).unwrap();
    let plan = compile(&graph, &registry).unwrap().plan;
    let store: Arc<dyn TraceStore> = Arc::new(Troubled {
        inner: MemoryStore::new(),
        ahead: Mutex::new(ahead.into_iter().collect()),
    });
    let executor = LocalExecutor::builder(store.clone())
        .store_patience(Duration::from_secs(60))
        .build();
    let before = WORKED.load(Ordering::SeqCst);
    let handle = executor.start(RunRequest::new(plan)).await.unwrap();
    let outcome = handle.wait().await;
    let worked = WORKED.load(Ordering::SeqCst) - before;
    let events = store.read(handle.id(), 0, usize::MAX).await.unwrap();
    (outcome, events, worked)
}

/// The log of an untroubled run: three events of each node that works, two of the entry point.
const WHOLE: usize = 1 + 2 + 3 * 3 + 1;

#[tokio::test(start_paused = true)]
async fn trouble_that_passes_costs_time_and_nothing_else() {
    use Trouble::{Away, None, ReplyLost};
    let troubles: [&[Trouble]; 5] = [
        &[None],
        &[Away, Away, Away, None],
        &[None, None, Away, Away, None],
        &[ReplyLost, ReplyLost, None],
        &[None, ReplyLost, Away, ReplyLost, None, Away, None],
    ];
    for ahead in troubles {
        let (outcome, events, worked) = run(ahead.iter().copied()).await;
        assert_eq!(outcome.status, WorkflowStatus::Completed, "{ahead:?}");
        assert_eq!(outcome.unrecorded, Option::None);
        assert_eq!(worked, 3, "{ahead:?}");
        let sequences = events.iter().map(|event| event.sequence);
        assert!(sequences.eq(1..=WHOLE as u64), "{ahead:?}: {events:#?}");
    }

    // A store that is gone ends the run, and nobody works on what is not recorded. Both cases are
    // in one test because they share a counter.
    for (stored, last) in [(0, Trouble::Gone), (1, Trouble::Gone), (0, Away), (2, Away)] {
        let ahead = std::iter::repeat_n(None, stored).chain([last]);
        let (outcome, events, worked) = run(ahead).await;
        assert_eq!(outcome.status, WorkflowStatus::Failed);
        let error = outcome
            .unrecorded
            .as_ref()
            .expect("the end is not in the log");
        assert_eq!(error.to_string(), "the store is not there");
        assert!(
            worked <= u32::try_from(stored).unwrap(),
            "{worked} of {stored}"
        );
        let sequences = events.iter().map(|event| event.sequence);
        assert!(sequences.eq(1..=events.len() as u64));
    }
}
