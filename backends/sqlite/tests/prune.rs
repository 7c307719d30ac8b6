//! Pruning by several processes at once, while runs go on: nothing that is to stay is lost.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use serde_json::{Value as Json, json};
use shipsec_core::{
    RunId,
    event::{Event, EventKind, Record, Timestamp},
    storage::{ArtifactStore, Retention, prune},
    trace::{RunFilter, TraceStore},
};
use shipsec_sqlite::SqliteStore;
use tokio::sync::Barrier;

const HOUR: Duration = Duration::from_secs(3600);

fn run(id: &str) -> RunId {
    RunId::parse(id).unwrap()
}

fn record(at: Timestamp, counter: u64, event_type: &str, payload: Json) -> Record {
    let mut event = json!({"runId": "r", "sequence": 1, "timestamp": at, "type": event_type,
        "level": "info", "counter": counter, "payload": payload});
    if event_type.starts_with("NODE") {
        event["nodeId"] = "n".into();
        event["attempt"] = 1.into();
    }
    Event::from_json(&event.to_string()).unwrap().record
}

/// The event of an artifact, which is stored.
async fn artifact(artifacts: &ArtifactStore, at: Timestamp, counter: u64, content: &str) -> Record {
    let stored = artifacts.put(content.to_owned().into()).await.unwrap();
    let payload = json!({"artifactId": content, "name": "a.txt", "mediaType": "text/plain",
        "size": stored.size, "sha256": stored.sha256, "location": stored.location});
    record(at, counter, "NODE_ARTIFACT", payload)
}

fn lines(at: Timestamp, counters: std::ops::Range<u64>) -> Vec<Record> {
    let line = |counter| record(at, counter, "NODE_LOG", json!({"stream": "log"}));
    counters.map(line).collect()
}

/// The log of a run that has ended, with an artifact of its own and one that others have too.
async fn ended(artifacts: &ArtifactStore, at: Timestamp, own: &str) -> Vec<Record> {
    let status = |counter, status: &str| {
        let payload = json!({"status": status});
        record(at, counter, "WORKFLOW_STATUS", payload)
    };
    let mut log = vec![status(1, "RUNNING")];
    log.extend(lines(at, 1..300));
    log.push(artifact(artifacts, at, 300, own).await);
    log.push(artifact(artifacts, at, 301, "shared").await);
    log.push(status(2, "COMPLETED"));
    log
}

/// As if what a folder holds had been written two hours ago.
fn age(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        } else {
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - 2 * HOUR).unwrap();
        }
    }
}

fn open(folder: &Path) -> (Arc<dyn TraceStore>, ArtifactStore) {
    let store = SqliteStore::open(folder.join("shipsec.db")).unwrap();
    let artifacts = ArtifactStore::folder(folder.join("artifacts")).unwrap();
    (Arc::new(store), artifacts)
}

/// Says what it removes. As the child of the test below it prunes what that has made.
#[tokio::test]
async fn a_process_prunes() {
    let own = tempfile::tempdir().unwrap();
    let given = std::env::var_os("SHIPSEC_TEST_PRUNE");
    let (store, artifacts) = open(given.as_deref().map_or(own.path(), Path::new));
    if given.is_none() {
        let log = ended(&artifacts, Timestamp::from_micros(1), "own").await;
        store.append(&run("old"), log).await.unwrap();
    }
    let mut removed = 0;
    for _ in 0..3 {
        let retention = Retention::older_than(24 * HOUR);
        let pruned = prune(&store, &artifacts, &retention).await.unwrap();
        removed += pruned.runs.len();
        for run in pruned.runs {
            println!("\nremoved {run}");
        }
        for run in pruned.held {
            println!("\nheld {run}");
        }
    }
    assert!(given.is_some() || removed == 1);
}

/// Runs and their numbers of events, each of which is one that was acknowledged.
type Kept = Vec<(String, u64)>;

/// One run that is written until `over`.
async fn write_one(folder: &Path, begun: &Barrier, over: &AtomicBool) -> Kept {
    let (store, artifacts) = open(folder);
    let lease = store.acquire(&run("live"), "live", HOUR).await.unwrap();
    let mut last = 0;
    while last == 0 || !over.load(Ordering::Relaxed) {
        let now = Timestamp::now();
        let mut batch = lines(now, last + 1..last + 20);
        let content = format!("live {last}");
        batch.push(artifact(&artifacts, now, last + 20, &content).await);
        let appended = store.append_as(&lease, batch).await.unwrap();
        assert_eq!((appended.stored, appended.last_sequence), (20, last + 20));
        if last == 0 {
            begun.wait().await;
        }
        last = appended.last_sequence;
    }
    vec![("live".to_owned(), last)]
}

/// One run after the other until `over`.
async fn write_many(folder: &Path, begun: &Barrier, over: &AtomicBool) -> Kept {
    let (store, artifacts) = open(folder);
    let mut kept = Kept::new();
    while kept.is_empty() || !over.load(Ordering::Relaxed) {
        let id = format!("short-{}", kept.len());
        let lease = store.acquire(&run(&id), "short", HOUR).await.unwrap();
        let log = ended(&artifacts, Timestamp::now(), &id).await;
        let appended = store.append_as(&lease, log).await.unwrap();
        store.release(&lease).await.unwrap();
        if kept.is_empty() {
            begun.wait().await;
        }
        kept.push((id, appended.last_sequence));
    }
    kept
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pruning_at_once_while_runs_go_on_loses_nothing() {
    const OLD: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let (store, artifacts) = open(folder.path());
    let (then, now) = (Timestamp::from_micros(1), Timestamp::now());
    let old: BTreeSet<String> = (0..OLD).map(|n| format!("old-{n}")).collect();
    for id in &old {
        let log = ended(&artifacts, then, id).await;
        store.append(&run(id), log).await.unwrap();
    }
    let mut kept = Kept::new();
    for (id, at) in [("held", then), ("young", now)] {
        let log = ended(&artifacts, at, id).await;
        let appended = store.append(&run(id), log).await.unwrap();
        kept.push((id.to_owned(), appended.last_sequence));
    }
    let held = store.acquire(&run("held"), "test", HOUR).await.unwrap();
    age(&folder.path().join("artifacts"));

    let (begun, over) = (Arc::new(Barrier::new(3)), Arc::new(AtomicBool::new(false)));
    let one = {
        let (begun, over, folder) = (begun.clone(), over.clone(), folder.path().to_owned());
        tokio::spawn(async move { write_one(&folder, &begun, &over).await })
    };
    let many = {
        let (begun, over, folder) = (begun.clone(), over.clone(), folder.path().to_owned());
        tokio::spawn(async move { write_many(&folder, &begun, &over).await })
    };
    // Both write before anybody prunes, and go on until everybody has pruned.
    begun.wait().await;
    let prunes: Vec<_> = (0..2)
        .map(|_| {
            let mut prune = Command::new(std::env::current_exe().unwrap());
            prune.args(["a_process_prunes", "--exact", "--nocapture"]);
            prune.env("SHIPSEC_TEST_PRUNE", folder.path());
            prune.stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let (mut removed, mut stayed) = (Vec::new(), Vec::new());
    for prune in prunes {
        let done = tokio::task::spawn_blocking(|| prune.wait_with_output());
        let done = done.await.unwrap().unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success(), "{said}");
        let told = |what| said.lines().filter_map(move |line| line.strip_prefix(what));
        removed.extend(told("removed ").map(str::to_owned));
        stayed.extend(told("held ").map(str::to_owned));
    }
    over.store(true, Ordering::Relaxed);
    kept.extend(one.await.unwrap());
    kept.extend(many.await.unwrap());

    // Each was removed by one of them.
    assert_eq!(removed.len(), OLD, "{removed:?}");
    assert_eq!(removed.into_iter().collect::<BTreeSet<_>>(), old);
    assert!(stayed.len() == 6 && stayed.iter().all(|id| id == "held"));
    store.renew(&held, HOUR).await.unwrap();
    let all = RunFilter::default().with_limit(usize::MAX);
    let all: BTreeSet<String> = store
        .runs(&all)
        .await
        .unwrap()
        .into_iter()
        .map(|run| run.run_id.to_string())
        .collect();
    assert_eq!(all, kept.iter().map(|(id, _)| id.clone()).collect());
    for (id, events) in kept {
        let log = store.read(&run(&id), 0, usize::MAX).await.unwrap();
        assert!(
            log.iter().map(|event| event.sequence).eq(1..=events),
            "{id}"
        );
        for event in log {
            let EventKind::NodeArtifact(of) = &event.kind else {
                continue;
            };
            let bytes = artifacts.get_bytes(&of.location).await;
            let bytes = bytes.unwrap_or_else(|error| panic!("{}: {error}", event.id()));
            assert_eq!(bytes.len() as u64, of.size);
        }
    }
    // What only they referred to went with them.
    let scratch = ArtifactStore::memory();
    for id in &old {
        let location = scratch.put(id.clone().into()).await.unwrap().location;
        let error = artifacts.get_bytes(&location).await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }
}
