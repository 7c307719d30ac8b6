//! A replay over a store, alone and while the log grows.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use shipsec_core::{
    RunId,
    event::{
        CompletedPayload, ComponentRef, Event, EventKind, Level, NodeRef, Outputs, ProgressPayload,
        Record, StartedPayload, StatusPayload, Timestamp, WorkflowStatus,
    },
    run::{
        RunView,
        replay::{FrameOptions, Position},
    },
    trace::{
        AppendError, Appended, Capabilities, Lease, LeaseError, MemoryStore, Replay, RunFilter,
        RunSummary, StoreError, StoreErrorKind, TraceStore,
    },
};

/// Four events for each of so many nodes, between the two of the run.
fn records(nodes: u32) -> Vec<Record> {
    let component = Arc::new(ComponentRef {
        component_id: "dev.echo".into(),
        component_version: "1.0.0".into(),
    });
    let mut records = vec![status(WorkflowStatus::Running, 1)];
    for node in 0..nodes {
        let kinds = [
            EventKind::NodeStarted(StartedPayload {
                component: component.clone(),
                triggered_by: None,
                join_strategy: Default::default(),
            }),
            EventKind::NodeLog(Box::default()),
            EventKind::NodeProgress(Box::new(ProgressPayload {
                done: Some(node.into()),
                ..Default::default()
            })),
            EventKind::NodeCompleted(CompletedPayload {
                outputs: Arc::new(Outputs::default()),
                active_ports: None,
                reused_from: None,
                duration_ms: 1.0,
            }),
        ];
        for (counter, kind) in (1..).zip(kinds) {
            let at = Timestamp::from_micros(i64::from(4 * node + counter) * 1000);
            let node = Some(NodeRef::new(format!("n{node}").as_str()));
            records.push(Record::new(at, node, 1, counter, kind).with_level(Level::Warn));
        }
    }
    records.push(status(WorkflowStatus::Completed, 2));
    records
}

fn status(status: WorkflowStatus, counter: u32) -> Record {
    let kind = EventKind::WorkflowStatus(Box::new(StatusPayload::new(status)));
    Record::new(Timestamp::from_micros(0), None, 0, counter, kind)
}

fn run() -> RunId {
    RunId::parse("r").unwrap()
}

async fn filled(nodes: u32) -> Arc<dyn TraceStore> {
    let store = MemoryStore::new();
    store.append(&run(), records(nodes)).await.unwrap();
    Arc::new(store)
}

fn text(view: &RunView) -> String {
    serde_json::to_string(view).unwrap()
}

/// The JSON after each event, from none on.
async fn texts(store: &Arc<dyn TraceStore>) -> Vec<String> {
    let mut view = RunView::new(run());
    let mut texts = vec![text(&view)];
    for event in store.read(&run(), 0, usize::MAX).await.unwrap() {
        view.apply(&event);
        texts.push(text(&view));
    }
    texts
}

#[tokio::test]
async fn every_moment_in_any_order_is_as_it_was() {
    let store = filled(60).await;
    let texts = texts(&store).await;
    let last = texts.len() as u64 - 1;
    for spacing in [1, 7, 100_000] {
        let options = FrameOptions::default().with_spacing(spacing);
        let replay = Replay::open_with(store.clone(), run(), options)
            .await
            .unwrap();
        assert_eq!(replay.last(), last);
        let forward = 0..=last;
        let back = forward.clone().rev();
        let about = forward.clone().map(|n| n * 97 % (last + 1));
        let around = forward
            .clone()
            .flat_map(|n| [n, n.saturating_sub(3), n + 2]);
        for to in forward.clone().chain(back).chain(about).chain(around) {
            let view = replay.at(to).await.unwrap();
            assert_eq!(
                text(&view),
                texts[to.min(last) as usize],
                "{to} by {spacing}"
            );
        }
    }
}

#[tokio::test]
async fn positions_and_events_are_read() {
    let replay = Replay::open(filled(3).await, run()).await.unwrap();
    let view = replay.seek(&"+5ms".parse().unwrap()).await.unwrap();
    assert_eq!(view.sequence, 6);
    assert_eq!(
        replay
            .seek(&Position::Sequence(u64::MAX))
            .await
            .unwrap()
            .sequence,
        14
    );
    let sequences = |events: Vec<Event>| events.iter().map(|e| e.sequence).collect::<Vec<_>>();
    assert_eq!(
        sequences(replay.events_before(6, 3).await.unwrap()),
        [4, 5, 6]
    );
    assert_eq!(sequences(replay.events_before(2, 9).await.unwrap()), [1, 2]);
    assert!(replay.events_before(0, 9).await.unwrap().is_empty());
    assert_eq!(sequences(replay.events_before(99, 1).await.unwrap()), [14]);
}

#[tokio::test]
async fn a_run_without_a_log_is_one_of_which_nothing_is_known() {
    let replay = Replay::open(filled(1).await, "other".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(replay.last(), 0);
    assert_eq!(
        replay.at(7).await.unwrap(),
        RunView::new("other".parse().unwrap())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn somebody_looks_back_while_it_grows() {
    let whole = texts(&filled(120).await).await;
    let whole = Arc::new(whole);
    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let options = FrameOptions::default().with_spacing(50);
    let replay = Replay::open_with(store.clone(), run(), options)
        .await
        .unwrap();
    let replay = Arc::new(replay);
    let last = whole.len() as u64 - 1;

    let writing = tokio::spawn(async move {
        for batch in records(120).chunks(37) {
            store.append(&run(), batch.to_vec()).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let growing = {
        let replay = replay.clone();
        tokio::spawn(async move { while replay.grown().await.unwrap() < last {} })
    };
    let looking = (1..4_u64).map(|factor| {
        let (replay, whole) = (replay.clone(), whole.clone());
        tokio::spawn(async move {
            let mut seeks = 0_u64;
            loop {
                let known = replay.last();
                let to = seeks * 7919 * factor % (known + 1);
                assert_eq!(text(&replay.at(to).await.unwrap()), whole[to as usize]);
                seeks += 1;
                if known == last {
                    break;
                }
            }
        })
    });
    for task in looking.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    growing.await.unwrap();
    writing.await.unwrap();
    assert_eq!(text(&replay.at(last).await.unwrap()), whole[last as usize]);
}

#[tokio::test]
async fn events_that_arrive_are_fed() {
    let store = filled(2).await;
    let events = store.read(&run(), 0, 100).await.unwrap();
    let elsewhere = Replay::open(store, "other".parse().unwrap()).await.unwrap();
    let error = elsewhere.feed(&events).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);

    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let replay = Replay::open(store, run()).await.unwrap();
    assert_eq!(replay.feed(&events[..4]).unwrap(), 4);
    assert_eq!(replay.feed(&events[..6]).unwrap(), 6);
    let error = replay.feed(&events[7..]).unwrap_err();
    assert!(
        error.to_string().contains("r:8 stands where 7 is due"),
        "{error}"
    );
    assert_eq!(replay.last(), 6);
    assert_eq!(
        replay.at(6).await.unwrap(),
        RunView::from_events(run(), &events[..6])
    );
}

/// A store that is not what it was.
#[derive(Debug)]
struct Odd {
    events: Vec<Event>,
    /// Events that it gives to those who read from the start; to others it gives fewer.
    whole: usize,
}

#[async_trait]
impl TraceStore for Odd {
    fn capabilities(&self) -> Capabilities {
        Capabilities::MEMORY
    }
    async fn append(&self, _: &RunId, _: Vec<Record>) -> Result<Appended, AppendError> {
        Ok(Appended::default())
    }
    async fn append_as(&self, _: &Lease, _: Vec<Record>) -> Result<Appended, AppendError> {
        Ok(Appended::default())
    }
    async fn acquire(&self, run: &RunId, holder: &str, _: Duration) -> Result<Lease, LeaseError> {
        Ok(Lease::new(run.clone(), 1, holder, 0))
    }
    async fn remove(&self, _: &RunId) -> Result<bool, LeaseError> {
        Ok(false)
    }
    async fn remove_as(&self, _: &Lease) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn renew(&self, _: &Lease, _: Duration) -> Result<(), StoreError> {
        Ok(())
    }
    async fn release(&self, _: &Lease) -> Result<(), StoreError> {
        Ok(())
    }
    async fn read(&self, _: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        if after > 0 && limit < 4096 {
            return Ok(Vec::new());
        }
        let later = self.events[..self.whole].iter();
        let later = later.filter(|event| event.sequence > after);
        Ok(later.take(limit).cloned().collect())
    }
    async fn wait_beyond(&self, _: &RunId, after: u64) -> Result<u64, StoreError> {
        Ok(after + 1)
    }
    async fn runs(&self, _: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_damaged_log_is_an_error_that_names_the_place() {
    let mut events = filled(9).await.read(&run(), 0, 100).await.unwrap();
    let whole = events.len();
    let store = Arc::new(Odd {
        events: events.clone(),
        whole,
    });
    // It has forgotten what it had.
    let options = FrameOptions::default().with_spacing(5);
    let replay = Replay::open_with(store, run(), options).await.unwrap();
    let error = replay.at(7).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert!(
        error.to_string().contains("ends with event 5, and had 7"),
        "{error}"
    );
    // It has a hole.
    events.remove(3);
    let store = Arc::new(Odd {
        events,
        whole: whole - 1,
    });
    let error = Replay::open(store, run()).await.unwrap_err();
    assert!(
        error.to_string().contains("r:5 stands where 4 is due"),
        "{error}"
    );
}
