//! The SQLite store keeps the contract of a trace store, and survives bad days.

use std::{io::Write, process::Command, sync::Arc};

use shipsec_core::{
    RunId,
    event::{EventKind, NodeRef, Record, Timestamp},
    trace::{StoreErrorKind, TraceStore},
};
use shipsec_sqlite::{Options, SqliteStore};

mod conformance {
    use std::sync::Arc;

    use shipsec_core::trace::TraceStore;
    use shipsec_sqlite::SqliteStore;

    shipsec_testkit::trace_store_conformance!(async || {
        let folder = tempfile::tempdir().unwrap();
        // The folder lives as long as the test's process: the store is open in it.
        let store = SqliteStore::open(folder.keep().join("shipsec.db")).unwrap();
        Arc::new(store) as Arc<dyn TraceStore>
    });
}

fn line(node: &str, counter: u32) -> Record {
    let kind = EventKind::NodeLog(Box::default());
    Record::new(
        Timestamp::from_micros(1),
        Some(NodeRef::new(node)),
        1,
        counter,
        kind,
    )
}

fn run() -> RunId {
    RunId::parse("r").unwrap()
}

#[test]
fn a_new_file_is_opened_by_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for at in 0..60 {
        let file = folder.path().join(format!("{at}.db"));
        let line = std::sync::Barrier::new(6);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    line.wait();
                    SqliteStore::open(&file).unwrap();
                });
            }
        });
    }
}

#[tokio::test]
async fn what_was_appended_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/er/shipsec.db");
    let store = SqliteStore::open(&file).unwrap();
    store
        .append(&run(), vec![line("n", 1), line("n", 2)])
        .await
        .unwrap();
    drop(store);
    let store = SqliteStore::open(&file).unwrap();
    assert_eq!(store.read(&run(), 0, 10).await.unwrap().len(), 2);
    let appended = store
        .append(&run(), vec![line("n", 2), line("n", 3)])
        .await
        .unwrap();
    assert_eq!((appended.last_sequence, appended.duplicates), (3, 1));
}

#[tokio::test]
async fn another_handle_on_the_same_file_is_told_of_new_events() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shipsec.db");
    let (writes, reads) = (
        SqliteStore::open(&file).unwrap(),
        SqliteStore::open(&file).unwrap(),
    );
    let waits = tokio::spawn(async move { reads.wait_beyond(&run(), 0).await.unwrap() });
    tokio::task::yield_now().await;
    writes.append(&run(), vec![line("n", 1)]).await.unwrap();
    assert_eq!(waits.await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handles_append_to_one_run_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shipsec.db");
    let stores = [
        SqliteStore::open(&file).unwrap(),
        SqliteStore::open(&file).unwrap(),
    ];
    let tasks: Vec<_> = stores
        .into_iter()
        .enumerate()
        .map(|(n, store)| {
            tokio::spawn(async move {
                for counter in 1..=100 {
                    store
                        .append(&run(), vec![line(&format!("n{n}"), counter)])
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let events = SqliteStore::open(&file)
        .unwrap()
        .read(&run(), 0, 1000)
        .await
        .unwrap();
    assert!(events.iter().map(|event| event.sequence).eq(1..=200));
}

#[tokio::test]
async fn the_file_shrinks_by_what_is_removed_while_others_write() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shipsec.db");
    let [large, small] = ["large", "small"].map(|id| RunId::parse(id).unwrap());
    let store = Arc::new(SqliteStore::open(&file).unwrap());
    for batch in 0..30 {
        let lines = (1..=1000).map(|counter| line("n", batch * 1000 + counter));
        store.append(&large, lines.collect()).await.unwrap();
        store.append(&small, vec![line("n", batch)]).await.unwrap();
    }
    drop(store);
    let size = || std::fs::metadata(&file).unwrap().len();
    let before = size();
    let store = Arc::new(SqliteStore::open(&file).unwrap());
    let writer = store.clone();
    let writes = tokio::spawn(async move {
        for counter in 1..=100 {
            writer
                .append(&run(), vec![line("n", counter)])
                .await
                .unwrap();
        }
    });
    assert!(store.remove(&large).await.unwrap());
    writes.await.unwrap();
    drop(store);
    assert!(size() < before / 5, "{} of {before}", size());
    let connection = rusqlite::Connection::open(&file).unwrap();
    let sound: String = connection
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
    let store = SqliteStore::open(&file).unwrap();
    let kept = async |id| store.read(id, 0, usize::MAX).await.unwrap().len();
    assert_eq!((kept(&small).await, kept(&run()).await), (30, 100));
}

#[tokio::test]
async fn a_file_that_does_not_shrink_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shipsec.db");
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.execute_batch("CREATE TABLE t (x)").unwrap();
    connection.execute_batch("DROP TABLE t").unwrap();
    drop(connection);
    let store = SqliteStore::open(&file).unwrap();
    let fill = async || {
        let lines = (1..=10_000).map(|counter| line("n", counter)).collect();
        store.append(&run(), lines).await.unwrap();
        let pages = rusqlite::Connection::open(&file).unwrap();
        let pages = pages.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0));
        pages.unwrap()
    };
    let before = fill().await;
    assert!(store.remove(&run()).await.unwrap());
    let again = fill().await;
    assert!(again < before * 5 / 4, "{again} pages after {before}");
}

#[test]
fn a_file_that_is_no_database_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shipsec.db");
    std::fs::write(
        &file,
        "this is not a database, it is a letter to somebody".repeat(100),
    )
    .unwrap();
    let error = SqliteStore::open(&file).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert!(error.to_string().contains("shipsec.db"), "{error}");
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .starts_with("this is not"),
        "it was changed"
    );
}

#[tokio::test]
async fn a_damaged_file_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shipsec.db");
    let store = SqliteStore::open(&file).unwrap();
    for counter in 1..=2000 {
        store
            .append(&run(), vec![line("n", counter)])
            .await
            .unwrap();
    }
    drop(store);
    let size = std::fs::metadata(&file).unwrap().len();
    let mut open = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    std::io::Seek::seek(&mut open, std::io::SeekFrom::Start(4096)).unwrap();
    open.write_all(&vec![0xA5; usize::try_from(size).unwrap() - 4096])
        .unwrap();
    drop(open);
    let error = match SqliteStore::open(&file) {
        Ok(store) => store.read(&run(), 0, 5000).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("shipsec.db"), "{error}");
}

#[test]
fn another_programs_and_a_newer_versions_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shipsec.db");
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(
        SqliteStore::open(&file)
            .unwrap_err()
            .to_string()
            .contains("another program")
    );
    let newer = folder.path().join("newer.db");
    drop(SqliteStore::open(&newer).unwrap());
    let connection = rusqlite::Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(
        SqliteStore::open(&newer)
            .unwrap_err()
            .to_string()
            .contains("newer version")
    );
}

#[tokio::test]
async fn a_store_opened_for_reading_denies_appends_and_gives_them_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shipsec.db");
    let missing = SqliteStore::open_with(&file, Options::default().read_only()).unwrap_err();
    assert_eq!(missing.kind(), StoreErrorKind::Denied);
    assert!(!file.exists());
    drop(SqliteStore::open(&file).unwrap());
    let store = SqliteStore::open_with(&file, Options::default().read_only()).unwrap();
    let failed = store.append(&run(), vec![line("n", 1)]).await.unwrap_err();
    assert_eq!(
        (failed.error.kind(), failed.records.len()),
        (StoreErrorKind::Denied, 1)
    );
}

/// Each append is acknowledged with its number. As the child of the test below it goes on until it
/// is killed.
#[tokio::test]
async fn appends_are_acknowledged_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let (file, most) = match std::env::var_os("SHIPSEC_TEST_APPEND_TO") {
        Some(file) => (file.into(), u32::MAX),
        None => (folder.path().join("shipsec.db"), 3),
    };
    let store = SqliteStore::open(file).unwrap();
    let before = store.read(&run(), 0, usize::MAX).await.unwrap().len() as u64;
    let node = format!("n{before}");
    for counter in 1..=most {
        let appended = store
            .append(&run(), vec![line(&node, counter)])
            .await
            .unwrap();
        assert_eq!(appended.last_sequence, before + u64::from(counter));
        println!("acknowledged {}", appended.last_sequence);
    }
}

#[tokio::test]
async fn killing_a_writing_process_loses_nothing_that_was_acknowledged() {
    use std::io::BufRead as _;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shipsec.db");
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "appends_are_acknowledged_one_by_one",
                "--exact",
                "--nocapture",
            ])
            .env("SHIPSEC_TEST_APPEND_TO", &file)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged = lines.map_while(Result::ok).filter_map(|line| {
            line.split("acknowledged ")
                .nth(1)?
                .trim()
                .parse::<u64>()
                .ok()
        });
        let seen = acknowledged.take(200).last().unwrap_or(0);
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Arc::new(SqliteStore::open(&file).unwrap());
        let events = store.read(&run(), 0, usize::MAX).await.unwrap();
        assert!(events.len() as u64 >= seen, "{} < {seen}", events.len());
        assert!(
            events
                .iter()
                .map(|event| event.sequence)
                .eq(1..=events.len() as u64)
        );
    }
}
