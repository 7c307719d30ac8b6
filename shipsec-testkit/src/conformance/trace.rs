//! The contract of a [`TraceStore`].
//!
//! Long because each clause of the contract is one case of one list.
//!
//! ```
//! use std::sync::Arc;
//! use shipsec_core::trace::{MemoryStore, TraceStore};
//!
//! shipsec_testkit::trace_store_conformance!(async || {
//!     Arc::new(MemoryStore::new()) as Arc<dyn TraceStore>
//! });
//! ```

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use serde_json::json;
use shipsec_core::{
    RunId,
    event::{
        Event, EventKind, NodeRef, Record, StatusPayload, Timestamp, UnknownPayload, WorkflowStatus,
    },
    trace::{Lease, LeaseError, RunFilter, StoreErrorKind, TraceStore, TraceStoreExt, WriteNow},
};

type Store = Arc<dyn TraceStore>;

fn run(id: &str) -> RunId {
    RunId::parse(id).expect("the suite's own ids are valid")
}

/// A log line of one producer.
fn line(node: &str, counter: u32) -> Record {
    let kind = EventKind::NodeLog(Box::default());
    let at = Timestamp::from_micros(1_760_605_923_123_456 + i64::from(counter));
    Record::new(at, Some(NodeRef::new(node)), 1, counter, kind)
        .with_message(format!("{node} {counter}"))
}

fn status(counter: u32, status: WorkflowStatus) -> Record {
    let mut payload = StatusPayload::new(status);
    payload.workflow_id = Some("suite".into());
    let at = Timestamp::from_micros(1_760_605_923_000_000 + i64::from(counter));
    Record::new(
        at,
        None,
        0,
        counter,
        EventKind::WorkflowStatus(Box::new(payload)),
    )
}

async fn all(store: &Store, id: &str) -> Vec<Event> {
    store.read(&run(id), 0, usize::MAX).await.expect("read")
}

fn assert_dense(events: &[Event]) {
    for (event, expected) in events.iter().zip(1..) {
        assert_eq!(event.sequence, expected, "a gap or a duplicate");
    }
}

/// Many tasks append at once: every number is given once, each producer's order is kept.
pub async fn sequence_is_dense(store: Store) {
    const TASKS: u32 = 16;
    const EACH: u32 = 50;
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for counter in 1..=EACH {
                    let record = line(&format!("n{task}"), counter);
                    store.append(&run("r"), vec![record]).await.expect("append");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task of the suite");
    }
    let events = all(&store, "r").await;
    assert_eq!(events.len(), (TASKS * EACH) as usize);
    assert_dense(&events);
    for task in 0..TASKS {
        let id = format!("n{task}");
        let own = events
            .iter()
            .filter(|event| event.node_id().is_some_and(|node| node == id.as_str()));
        assert!(own.map(|event| event.counter).eq(1..=EACH), "order of {id}");
    }
}

/// The records of one append stand next to each other, whoever else appends.
pub async fn a_batch_is_stored_as_one(store: Store) {
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let batch = (1..=20)
                    .map(|counter| line(&format!("n{task}"), counter))
                    .collect();
                store.append(&run("r"), batch).await.expect("append")
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("a task of the suite").stored, 20);
    }
    let events = all(&store, "r").await;
    assert_dense(&events);
    for batch in events.chunks(20) {
        assert!(
            batch.iter().all(|event| event.node == batch[0].node),
            "torn apart"
        );
    }
}

/// The same records again, in whatever mixture, are stored once.
pub async fn appending_again_stores_nothing_twice(store: Store) {
    let id = run("r");
    let batch = |counters: &[u32]| counters.iter().map(|n| line("n", *n)).collect::<Vec<_>>();
    let first = store.append(&id, batch(&[1, 2, 3])).await.expect("append");
    assert_eq!(
        (first.last_sequence, first.stored, first.duplicates),
        (3, 3, 0)
    );
    let again = store.append(&id, batch(&[1, 2, 3])).await.expect("append");
    assert_eq!(
        (again.last_sequence, again.stored, again.duplicates),
        (3, 0, 3)
    );
    let overlap = store.append(&id, batch(&[3, 4])).await.expect("append");
    assert_eq!(
        (overlap.last_sequence, overlap.stored, overlap.duplicates),
        (4, 1, 1)
    );
    // A hole may be filled later, once.
    store.append(&id, batch(&[7])).await.expect("append");
    store.append(&id, batch(&[6, 5, 7])).await.expect("append");
    let other = Record {
        attempt: 2,
        ..line("n", 1)
    };
    assert_eq!(
        store
            .append(&id, vec![other.clone(), other])
            .await
            .expect("append")
            .stored,
        1
    );
    store
        .append(
            &id,
            vec![
                status(1, WorkflowStatus::Running),
                status(1, WorkflowStatus::Running),
            ],
        )
        .await
        .expect("append");
    let events = all(&store, "r").await;
    assert_dense(&events);
    let keys: Vec<_> = events
        .iter()
        .map(|event| (event.node.is_some(), event.attempt, event.counter))
        .collect();
    let n = |counter| (true, 1, counter);
    assert_eq!(
        keys,
        [
            n(1),
            n(2),
            n(3),
            n(4),
            n(7),
            n(6),
            n(5),
            (true, 2, 1),
            (false, 0, 1)
        ]
    );
}

/// Hints of plan indices change nothing: there, missing, shared with another node or far off.
pub async fn a_hint_is_only_a_hint(store: Store) {
    let hinted = |node: &str, hint: u32, counter: u32| {
        let mut record = line(node, counter);
        record.node = Some(NodeRef::at(node.into(), hint));
        record
    };
    let batch = vec![
        hinted("a", 0, 1),
        hinted("b", 0, 1),
        line("a", 1),
        hinted("b", u32::MAX - 1, 2),
        hinted("a", 0, 3),
        hinted("a", 0, 2),
        hinted("a", 0, 2),
        hinted("b", 0, 2),
    ];
    let appended = store.append(&run("r"), batch).await.expect("append");
    assert_eq!((appended.stored, appended.duplicates), (5, 3));
}

/// A producer may leave out any number of its events, and bring some of them later, once.
pub async fn a_hole_of_any_size_costs_nothing(store: Store) {
    let id = run("r");
    for counter in [
        u32::MAX,
        1,
        7,
        1_000_000,
        7,
        8,
        6,
        u32::MAX - 1,
        1,
        u32::MAX,
    ] {
        store
            .append(&id, vec![line("n", counter)])
            .await
            .expect("append");
    }
    let counters: Vec<_> = all(&store, "r").await.iter().map(|e| e.counter).collect();
    assert_eq!(counters, [u32::MAX, 1, 7, 1_000_000, 8, 6, u32::MAX - 1]);
}

/// An empty append is no event.
pub async fn an_empty_append_stores_nothing(store: Store) {
    let appended = store.append(&run("r"), Vec::new()).await.expect("append");
    assert_eq!((appended.last_sequence, appended.stored), (0, 0));
    assert!(all(&store, "r").await.is_empty());
}

/// Reading goes on after a number, in pages.
pub async fn reading_goes_on_after_a_number(store: Store) {
    let id = run("r");
    for counter in 1..=25 {
        store
            .append(&id, vec![line("n", counter)])
            .await
            .expect("append");
    }
    let mut after = 0;
    let mut pages = Vec::new();
    loop {
        let page = store.read(&id, after, 10).await.expect("read");
        let Some(last) = page.last() else { break };
        after = last.sequence;
        pages.push(page.len());
    }
    assert_eq!(pages, [10, 10, 5]);
    assert!(
        store
            .read(&id, u64::MAX, 10)
            .await
            .expect("read")
            .is_empty()
    );
    assert!(
        store
            .read(&run("unknown"), 0, 10)
            .await
            .expect("read")
            .is_empty()
    );
}

/// Runs do not see each other's events, nor share producers.
pub async fn runs_are_apart(store: Store) {
    store
        .append(&run("a"), vec![line("n", 1)])
        .await
        .expect("append");
    store
        .append(&run("b"), vec![line("n", 1), line("n", 2)])
        .await
        .expect("append");
    assert_eq!(all(&store, "a").await.len(), 1);
    assert_eq!(all(&store, "b").await.len(), 2);
    assert!(
        all(&store, "b")
            .await
            .iter()
            .all(|event| event.run_id == run("b"))
    );
}

/// What an event holds comes back as it was, unknown types and fields too.
pub async fn events_come_back_as_they_were(store: Store) {
    let mut extra = serde_json::Map::new();
    extra.insert("traceparent".into(), json!("00-abc"));
    let mut odd = Record::new(
        Timestamp::from_micros(-5),
        Some(NodeRef::new("nöde\n\u{1b}[31m")),
        3,
        9,
        EventKind::Unknown(Box::new(UnknownPayload {
            event_type: "NODE_TELEPORTED".into(),
            payload: json!({"to": ["x", null, 1.5]}),
        })),
    );
    odd.extra = Some(Box::new(extra));
    let records = vec![status(1, WorkflowStatus::Running), line("n", 1), odd];
    store
        .append(&run("r"), records.clone())
        .await
        .expect("append");
    let back: Vec<Record> = all(&store, "r")
        .await
        .into_iter()
        .map(|event| event.record)
        .collect();
    assert_eq!(back, records);
}

/// Waiting ends when there is more, and at once when there is already.
pub async fn waiting_ends_when_there_is_more(store: Store) {
    let id = run("r");
    let waits = {
        let (store, id) = (store.clone(), id.clone());
        tokio::spawn(async move { store.wait_beyond(&id, 0).await })
    };
    tokio::task::yield_now().await;
    assert!(!waits.is_finished());
    store.append(&id, vec![line("n", 1)]).await.expect("append");
    assert_eq!(waits.await.expect("a task of the suite").expect("wait"), 1);
    assert_eq!(store.wait_beyond(&id, 0).await.expect("wait"), 1);
}

/// Any number of subscribers get history and then live events, each once, in order, to the end.
pub async fn subscribers_get_every_event_once(store: Store) {
    const EVENTS: u32 = 300;
    let id = run("r");
    let subscribe = |after: u64| {
        let (store, id) = (store.clone(), id.clone());
        tokio::spawn(async move {
            store
                .subscribe(id, after)
                .map(|event| event.expect("event").sequence)
                .collect::<Vec<_>>()
                .await
        })
    };
    let mut subscribers = vec![(0, subscribe(0))];
    for counter in 1..=EVENTS {
        store
            .append(&id, vec![line("n", counter)])
            .await
            .expect("append");
        if counter % 50 == 0 {
            let after = u64::from(counter / 2);
            subscribers.push((after, subscribe(after)));
        }
    }
    store
        .append(&id, vec![status(1, WorkflowStatus::Completed)])
        .await
        .expect("append");
    subscribers.push((0, subscribe(0)));
    for (after, subscriber) in subscribers {
        let seen = subscriber.await.expect("a task of the suite");
        assert!(
            seen.into_iter().eq(after + 1..=u64::from(EVENTS) + 1),
            "after {after}"
        );
    }
}

/// A subscriber that does not read slows nobody.
pub async fn a_slow_subscriber_slows_nobody(store: Store) {
    let id = run("r");
    let mut idle: Vec<_> = (0..20).map(|_| store.subscribe(id.clone(), 0)).collect();
    store.append(&id, vec![line("n", 1)]).await.expect("append");
    for stream in &mut idle {
        stream.next().await.expect("an event").expect("event");
    }
    let appends = async {
        for counter in 2..=500 {
            store
                .append(&id, vec![line("n", counter)])
                .await
                .expect("append");
        }
    };
    tokio::time::timeout(Duration::from_secs(60), appends)
        .await
        .expect("appending waits for a reader");
    drop(idle);
}

/// Dropping the future of an append stores all of its records or none.
pub async fn a_dropped_append_is_all_or_nothing(store: Store) {
    let id = run("r");
    for round in 0..20 {
        let node = format!("n{round}");
        let batch: Vec<_> = (1..=10).map(|counter| line(&node, counter)).collect();
        let append = store.append(&id, batch.clone());
        let _ = tokio::time::timeout(Duration::from_micros(round * 20), append).await;
        store.append(&id, batch).await.expect("append");
    }
    let events = all(&store, "r").await;
    assert_dense(&events);
    assert_eq!(events.len(), 200);
}

/// Runs are listed newest first, filtered, at most so many.
pub async fn runs_are_listed_newest_first(store: Store) {
    for (n, id) in (0_u32..).zip(["a", "b", "c"]) {
        let mut first = status(1, WorkflowStatus::Running);
        first.timestamp = Timestamp::from_micros(i64::from(n) * 1_000_000);
        store.append(&run(id), vec![first]).await.expect("append");
    }
    store
        .append(
            &run("b"),
            vec![line("n", 1), status(2, WorkflowStatus::Failed)],
        )
        .await
        .expect("append");
    let ids = async |filter: RunFilter| -> Vec<String> {
        let runs = store.runs(&filter).await.expect("runs");
        runs.iter().map(|run| run.run_id.to_string()).collect()
    };
    assert_eq!(ids(RunFilter::default()).await, ["c", "b", "a"]);
    assert_eq!(ids(RunFilter::default().with_limit(2)).await, ["c", "b"]);
    assert_eq!(
        ids(RunFilter::default().with_status(WorkflowStatus::Failed)).await,
        ["b"]
    );
    assert_eq!(ids(RunFilter::default().with_run(run("b"))).await, ["b"]);
    assert_eq!(
        ids(RunFilter::default().with_workflow("suite")).await,
        ["c", "b", "a"]
    );
    assert!(
        ids(RunFilter::default().with_workflow("other"))
            .await
            .is_empty()
    );
    let failed = &store
        .runs(&RunFilter::default().with_status(WorkflowStatus::Failed))
        .await
        .expect("runs")[0];
    assert_eq!(
        (failed.last_sequence, failed.status),
        (3, WorkflowStatus::Failed)
    );
    assert_eq!(failed.workflow_id.as_ref().expect("workflow"), &"suite");
}

/// One holder at a time; each lease has a higher epoch than the one before.
pub async fn a_lease_has_one_holder(store: Store) {
    let (id, hour) = (run("r"), Duration::from_secs(3600));
    let first = store.acquire(&id, "one", hour).await.expect("acquire");
    assert_eq!((first.epoch, first.last_sequence), (1, 0));
    match store.acquire(&id, "two", hour).await {
        Err(LeaseError::Held { holder, .. }) => assert_eq!(&*holder, "one"),
        other => panic!("two hold the lease of one run: {other:?}"),
    }
    store
        .acquire(&run("other"), "two", hour)
        .await
        .expect("another run");
    store.renew(&first, hour).await.expect("renew");
    store
        .append_as(&first, vec![line("n", 1)])
        .await
        .expect("append");
    store.release(&first).await.expect("release");
    let second = store.acquire(&id, "two", hour).await.expect("acquire");
    assert!(second.epoch > first.epoch);
    assert_eq!(second.last_sequence, 1);
    // Whoever holds it already gets a new one.
    let third = store.acquire(&id, "two", hour).await.expect("acquire");
    assert!(third.epoch > second.epoch);
    let many: Vec<_> = (0..16)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let holder = format!("task {task}");
                store.acquire(&run("many"), &holder, hour).await.is_ok()
            })
        })
        .collect();
    let mut winners = 0;
    for task in many {
        winners += u32::from(task.await.expect("a task of the suite"));
    }
    assert_eq!(winners, 1, "of 16 that asked at once");
}

/// A lease whose time is over is free. Its holder may go on only until somebody else takes it.
pub async fn an_expired_lease_is_free(store: Store) {
    let (id, hour) = (run("r"), Duration::from_secs(3600));
    let first = store
        .acquire(&id, "one", Duration::ZERO)
        .await
        .expect("acquire");
    store
        .append_as(&first, vec![line("n", 1)])
        .await
        .expect("nobody else has it");
    let second = store
        .acquire(&id, "two", hour)
        .await
        .expect("it has expired");
    assert_eq!(second.last_sequence, 1);
    let error = store
        .renew(&first, hour)
        .await
        .expect_err("it is another's now");
    assert_eq!(error.kind(), StoreErrorKind::Fenced);
    // Releasing what one no longer has takes it from nobody.
    store.release(&first).await.expect("release");
    assert!(store.acquire(&id, "three", hour).await.is_err());
}

/// What comes under an old lease is refused, and given back; what comes from outside is not.
pub async fn a_zombie_writes_nothing(store: Store) {
    let (id, hour) = (run("r"), Duration::from_secs(3600));
    let first = store
        .acquire(&id, "one", Duration::ZERO)
        .await
        .expect("acquire");
    let second = store.acquire(&id, "two", hour).await.expect("acquire");
    let refused = store
        .append_as(&first, vec![line("n", 1), line("n", 2)])
        .await;
    let refused = refused.expect_err("a zombie wrote");
    assert_eq!(refused.error.kind(), StoreErrorKind::Fenced);
    assert_eq!(refused.records, [line("n", 1), line("n", 2)]);
    if let Some(writer) = store.writer_now(&first) {
        let error = writer
            .append_now(&mut vec![line("n", 3)])
            .expect_err("a zombie wrote");
        assert_eq!(error.kind(), StoreErrorKind::Fenced);
    }
    assert!(all(&store, "r").await.is_empty());
    store
        .append(&id, vec![line("outside", 1)])
        .await
        .expect("append");
    store
        .append_as(&second, vec![line("n", 1)])
        .await
        .expect("append");
    assert_dense(&all(&store, "r").await);
}

/// Runs that have not ended and that nobody holds are interrupted.
pub async fn interrupted_runs_are_listed(store: Store) {
    let hour = Duration::from_secs(3600);
    for id in ["ended", "held", "left", "expired"] {
        let ttl = if id == "expired" {
            Duration::ZERO
        } else {
            hour
        };
        let lease = store.acquire(&run(id), "one", ttl).await.expect("acquire");
        let mut records = vec![status(1, WorkflowStatus::Running)];
        if id == "ended" {
            records.push(status(2, WorkflowStatus::Completed));
        }
        store.append_as(&lease, records).await.expect("append");
        if id == "ended" || id == "left" {
            store.release(&lease).await.expect("release");
        }
    }
    let ids = async |filter: RunFilter| -> Vec<String> {
        let runs = store.runs(&filter).await.expect("runs");
        let mut ids: Vec<_> = runs.iter().map(|run| run.run_id.to_string()).collect();
        ids.sort();
        ids
    };
    assert_eq!(
        ids(RunFilter::default().interrupted()).await,
        ["expired", "left"]
    );
    assert_eq!(
        ids(RunFilter::default().interrupted().with_limit(1))
            .await
            .len(),
        1
    );
    let all = store.runs(&RunFilter::default()).await.expect("runs");
    let held = all
        .iter()
        .filter(|run| run.holder.as_deref() == Some("one"));
    assert!(held.map(|run| run.run_id.as_str()).eq(["held"]));
    // A run that was only leased has no log yet.
    store
        .acquire(&run("empty"), "one", hour)
        .await
        .expect("acquire");
    assert_eq!(
        store.runs(&RunFilter::default()).await.expect("runs").len(),
        4
    );
}

/// A removed run leaves nothing, and its id is free; one that somebody runs stays.
pub async fn a_removed_run_is_gone(store: Store) {
    let (id, hour) = (run("r"), Duration::from_secs(3600));
    assert!(!store.remove(&id).await.expect("remove"));
    for run in [&id, &run("other")] {
        let batch = (1..=50).map(|counter| line("n", counter)).collect();
        store.append(run, batch).await.expect("append");
    }
    let lease = store.acquire(&id, "one", hour).await.expect("acquire");
    let held = store.remove(&id).await;
    assert!(matches!(held, Err(LeaseError::Held { .. })), "{held:?}");
    assert_eq!(all(&store, "r").await.len(), 50);
    store.release(&lease).await.expect("release");
    let waits = {
        let (store, id) = (store.clone(), id.clone());
        tokio::spawn(async move { store.wait_beyond(&id, 50).await })
    };
    tokio::task::yield_now().await;
    assert!(store.remove(&id).await.expect("remove"));
    assert!(!store.remove(&id).await.expect("remove"));
    assert!(all(&store, "r").await.is_empty());
    let runs = store.runs(&RunFilter::default()).await.expect("runs");
    assert!(runs.iter().map(|run| run.run_id.as_str()).eq(["other"]));
    let again = store.append(&id, vec![line("n", 1)]).await.expect("append");
    assert_eq!((again.last_sequence, again.stored), (1, 1));
    assert_eq!(all(&store, "other").await.len(), 50);
    // Who waits for the id waits for whatever has it.
    let more = (2..=51).map(|counter| line("n", counter)).collect();
    store.append(&id, more).await.expect("append");
    assert_eq!(waits.await.expect("a task of the suite").expect("wait"), 51);
}

/// Who held a run before it was removed can never write a run of that id again.
pub async fn a_removed_run_fences_its_holders(store: Store) {
    let (id, hour) = (run("r"), Duration::from_secs(3600));
    let refused = async |old: &Lease, writer: Option<&dyn WriteNow>, when: &str| {
        let refused = store.append_as(old, vec![line("old", 1)]).await;
        let refused = refused.expect_err(when);
        assert_eq!(refused.error.kind(), StoreErrorKind::Fenced, "{when}");
        assert_eq!(refused.records, [line("old", 1)], "{when}");
        let renewed = store.renew(old, hour).await.expect_err(when);
        assert_eq!(renewed.kind(), StoreErrorKind::Fenced, "{when}");
        let removed = store.remove_as(old).await.expect_err(when);
        assert_eq!(removed.kind(), StoreErrorKind::Fenced, "{when}");
        if let Some(writer) = writer {
            let error = writer.append_now(&mut vec![line("old", 2)]);
            assert_eq!(
                error.expect_err(when).kind(),
                StoreErrorKind::Fenced,
                "{when}"
            );
        }
    };
    let mut epoch = 0;
    for round in 1..=3_u32 {
        let old = store.acquire(&id, "old", hour).await.expect("acquire");
        assert!(old.epoch > epoch, "round {round}: the epochs began anew");
        let writer = store.writer_now(&old);
        let writer = writer.as_deref();
        store
            .append_as(&old, vec![line("n", 1)])
            .await
            .expect("append");
        store.release(&old).await.expect("release");
        assert!(store.remove(&id).await.expect("remove"));
        refused(&old, writer, "the run is gone").await;
        assert!(all(&store, "r").await.is_empty());
        // Appended from outside, the run is there again; nobody has leased it.
        store.append(&id, vec![line("n", 1)]).await.expect("append");
        refused(&old, writer, "the run is there again").await;
        let new = store.acquire(&id, "new", hour).await.expect("acquire");
        assert!(new.epoch > old.epoch, "round {round}");
        assert_eq!(new.last_sequence, 1);
        refused(&old, writer, "the run is another's").await;
        store
            .append_as(&new, vec![line("new", 1)])
            .await
            .expect("append");
        assert_eq!(all(&store, "r").await.len(), 2);
        epoch = new.epoch;
        store.release(&new).await.expect("release");
        assert!(store.remove(&id).await.expect("remove"));
    }
    // What was only leased is as gone as what was written.
    let old = store.acquire(&id, "old", hour).await.expect("acquire");
    store.release(&old).await.expect("release");
    assert!(!store.remove(&id).await.expect("remove"));
    let new = store.acquire(&id, "new", hour).await.expect("acquire");
    assert!(new.epoch > old.epoch);
    refused(&old, None, "the run is another's").await;
}

/// Who holds a run removes it, and nobody else does.
pub async fn a_holder_removes_its_run(store: Store) {
    let (id, hour) = (run("r"), Duration::from_secs(3600));
    let first = store.acquire(&id, "one", hour).await.expect("acquire");
    store
        .append_as(&first, vec![line("n", 1)])
        .await
        .expect("append");
    store.release(&first).await.expect("release");
    let second = store.acquire(&id, "two", hour).await.expect("acquire");
    let refused = store.remove_as(&first).await.expect_err("it is another's");
    assert_eq!(refused.kind(), StoreErrorKind::Fenced);
    // Nor once that has let go of it.
    store.release(&second).await.expect("release");
    let refused = store.remove_as(&first).await.expect_err("it was another's");
    assert_eq!(refused.kind(), StoreErrorKind::Fenced);
    assert_eq!(all(&store, "r").await.len(), 1);
    let third = store.acquire(&id, "three", hour).await.expect("acquire");
    assert!(store.remove_as(&third).await.expect("remove"));
    assert!(all(&store, "r").await.is_empty());
    let gone = store.append_as(&third, vec![line("n", 2)]).await;
    let gone = gone.expect_err("the lease ended with the run");
    assert_eq!(gone.error.kind(), StoreErrorKind::Fenced);
    // Free for anybody, at once.
    let fourth = store.acquire(&id, "four", hour).await.expect("acquire");
    assert!(fourth.epoch > third.epoch);
    assert!(!store.remove_as(&fourth).await.expect("it has no events"));
}

/// The list of runs comes in pages, also where runs began at one time and others begin meanwhile.
pub async fn runs_are_listed_in_pages(store: Store) {
    let begin = async |id: &str, second: i64| {
        let mut first = status(1, WorkflowStatus::Running);
        first.timestamp = Timestamp::from_micros(second * 1_000_000);
        store.append(&run(id), vec![first]).await.expect("append");
    };
    for (id, second) in [("a", 1), ("b", 2), ("c", 2), ("d", 2), ("e", 3)] {
        begin(id, second).await;
    }
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let mut filter = RunFilter::default().with_workflow("suite").with_limit(2);
        if let Some(place) = after.take() {
            filter = filter.after(place);
        }
        let page = store.runs(&filter).await.expect("runs");
        let Some(last) = page.last() else { break };
        after = Some(last.place());
        listed.extend(page.iter().map(|run| run.run_id.to_string()));
        begin(&format!("new-{}", listed.len()), 4).await;
    }
    assert_eq!(listed, ["e", "d", "c", "b", "a"]);
}

/// Makes a test of each case. The argument is an async closure that gives a fresh store.
#[macro_export]
macro_rules! trace_store_conformance {
    ($factory:expr) => {
        $crate::trace_store_conformance! { @cases $factory,
            sequence_is_dense, a_batch_is_stored_as_one, appending_again_stores_nothing_twice,
            a_hint_is_only_a_hint, a_hole_of_any_size_costs_nothing, an_empty_append_stores_nothing, reading_goes_on_after_a_number,
            runs_are_apart, events_come_back_as_they_were, waiting_ends_when_there_is_more,
            subscribers_get_every_event_once, a_slow_subscriber_slows_nobody,
            a_dropped_append_is_all_or_nothing, runs_are_listed_newest_first,
            runs_are_listed_in_pages,
            a_lease_has_one_holder, an_expired_lease_is_free, a_zombie_writes_nothing,
            interrupted_runs_are_listed, a_removed_run_is_gone, a_removed_run_fences_its_holders,
            a_holder_removes_its_run
        }
    };
    (@cases $factory:expr, $($case:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let factory = $factory;
                $crate::conformance::trace::$case(factory().await).await;
            }
        )+
    };
}
