//! Files: written, read, and hostile.

use std::{fs, io::Write as _, path::Path, sync::Arc};

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use shipsec_archive::{Archive, ArchiveError, Contents, export};
use shipsec_core::{
    RunId,
    event::Event,
    storage::ArtifactStore,
    trace::{RunFilter, StoreErrorKind, TraceStore},
};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::support::{World, events, log, run};

#[tokio::test]
async fn a_run_comes_back_as_it_was() {
    // Three chunks, the last one short.
    let world = World::of(20_500, b"content").await;
    let archive = world.export(Contents::All).await;
    assert_eq!(archive.manifest().runs[0].chunks.len(), 3);
    let here = log(&*world.store).await;
    // A file is read as a store is.
    assert_eq!(log(&archive).await, here);
    for (after, limit) in [
        (0, 1),
        (9_999, 3),
        (10_000, 10_001),
        (20_000, 9_999),
        (20_503, 5),
    ] {
        let page = archive.read(&run(), after, limit).await.unwrap();
        assert_eq!(
            page,
            world.store.read(&run(), after, limit).await.unwrap(),
            "{after}"
        );
    }
    let there = World::empty();
    let imported = archive
        .import(&there.store, &there.artifacts)
        .await
        .unwrap();
    assert_eq!(
        (imported.runs.len(), imported.events, imported.artifacts),
        (1, 20_503, 1)
    );
    assert_eq!(log(&*there.store).await, here);
    let location = &archive.manifest().artifacts[0].location;
    assert_eq!(
        &*there.artifacts.get_bytes(location).await.unwrap(),
        b"content"
    );
    assert_eq!(archive.artifact(location).unwrap().unwrap(), b"content");
    // Again it changes nothing; and another run of the same id stays as it is.
    let again = archive
        .import(&there.store, &there.artifacts)
        .await
        .unwrap();
    assert_eq!(
        (again.runs.len(), again.known.len(), again.events),
        (0, 1, 0)
    );
    let other = World::of(1, b"other").await;
    let refused = archive
        .import(&other.store, &other.artifacts)
        .await
        .unwrap_err();
    assert!(matches!(refused, ArchiveError::Differs(_)), "{refused}");
    assert_eq!(log(&*other.store).await.len(), 4);
    // It is listed, and nobody writes it.
    let listed = archive.runs(&RunFilter::default()).await.unwrap();
    assert_eq!((listed.len(), listed[0].last_sequence), (1, 20_503));
    assert!(archive.append(&run(), Vec::new()).await.is_err());
    assert!(
        archive
            .acquire(&run(), "a", std::time::Duration::ZERO)
            .await
            .is_err()
    );
    assert!(archive.wait_beyond(&run(), 20_503).await.is_err());
}

#[tokio::test]
async fn artifacts_come_along_by_choice_and_files_are_kept() {
    let world = World::of(3, b"content").await;
    assert_eq!(
        world.export(Contents::Log).await.manifest().artifacts.len(),
        0
    );
    assert_eq!(
        world
            .export(Contents::Outputs)
            .await
            .manifest()
            .artifacts
            .len(),
        0
    );
    let (store, artifacts) = (&world.store, &world.artifacts);
    let there = export(
        store,
        artifacts,
        &run(),
        Contents::All,
        &world.file(),
        false,
    )
    .await;
    assert!(matches!(there, Err(ArchiveError::Exists(_))));
    let unknown = RunId::parse("unknown").unwrap();
    let new = world.folder.path().join("new");
    let none = export(store, artifacts, &unknown, Contents::All, &new, false).await;
    assert!(matches!(none, Err(ArchiveError::UnknownRun(_))));
    assert_eq!(
        fs::read_dir(world.folder.path()).unwrap().count(),
        1,
        "nothing is left behind"
    );
    // What was pruned is told, and is no reason to keep the rest back.
    let bare = ArtifactStore::memory();
    let told = export(store, &bare, &run(), Contents::All, &new, false)
        .await
        .unwrap();
    assert_eq!((told.artifacts, told.missing.len()), (0, 1));
}

#[tokio::test]
async fn the_run_of_an_archive_brings_its_artifacts_along() {
    let world = World::of(3, b"content").await;
    let archive = world.export(Contents::All).await;
    let store: Arc<dyn TraceStore> = Arc::new(archive.clone());
    let again = world.folder.path().join("again");
    let written = export(&store, &archive, &run(), Contents::All, &again, false).await;
    let written = written.unwrap();
    assert_eq!((written.artifacts, written.missing.len()), (1, 0));
    let again = Archive::open(&again).unwrap();
    let location = &archive.manifest().artifacts[0].location;
    assert_eq!(again.artifact(location).unwrap().unwrap(), b"content");
    let there = World::empty();
    again.import(&there.store, &there.artifacts).await.unwrap();
    assert_eq!(log(&*there.store).await, log(&*world.store).await);
    // They are asked for, or not; and what the file does not have is told.
    let bare = world.folder.path().join("bare");
    let log = export(&store, &archive, &run(), Contents::Log, &bare, false).await;
    assert_eq!(log.unwrap().artifacts, 0);
    let bare = Archive::open(&bare).unwrap();
    let more = world.folder.path().join("more");
    let told = export(&store, &bare, &run(), Contents::All, &more, false).await;
    assert_eq!(told.unwrap().missing, std::slice::from_ref(location));
}

#[tokio::test]
async fn an_artifact_that_cannot_be_read_is_no_artifact_that_is_gone() {
    let world = World::of(3, b"content").await;
    let folder = world.folder.path().join("artifacts");
    let kept = ArtifactStore::folder(&folder).unwrap();
    let location = kept.put("content".into()).await.unwrap().location;
    let (store, file) = (&world.store, world.file());
    let written = async |contents| export(store, &kept, &run(), contents, &file, true).await;
    assert_eq!(written(Contents::All).await.unwrap().artifacts, 1);
    fs::remove_file(&file).unwrap();
    let path = folder.join(&location);
    // Other bytes than those that the log speaks of, which no import would take.
    for (bytes, problem) in [
        (&b"contenT"[..], "its bytes are not those"),
        (b"", "its bytes are not those"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = written(Contents::All).await.unwrap_err().to_string();
        assert!(
            error.contains(&location) && error.contains(problem),
            "{error}"
        );
    }
    // Something is in the way.
    let parent = path.parent().unwrap();
    fs::remove_dir_all(parent).unwrap();
    fs::write(parent, "in the way").unwrap();
    let error = written(Contents::All).await.unwrap_err();
    assert!(matches!(error, ArchiveError::Artifact { .. }), "{error}");
    assert!(error.to_string().contains(&location), "{error}");
    assert!(!file.exists(), "nothing is left behind");
    // Whoever does not ask for it does not hear of it, and what is gone is gone.
    assert_eq!(written(Contents::Log).await.unwrap().artifacts, 0);
    fs::remove_file(parent).unwrap();
    assert_eq!(written(Contents::All).await.unwrap().missing, [location]);
}

/// Writes a zip file of these entries.
fn zip(path: &Path, entries: &[(&str, Vec<u8>)]) {
    let mut zip = ZipWriter::new(fs::File::create(path).unwrap());
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// The manifest of a run of this log, in one chunk.
fn manifest(log: &[u8], events: u64) -> Json {
    json!({"format": "shipsec-archive", "version": 1, "createdAt": "2025-10-16T09:12:03Z",
        "runs": [{"runId": "r", "status": "RUNNING", "startedAt": "2025-10-16T09:12:03.000001Z",
            "updatedAt": "2025-10-16T09:12:03.000001Z", "events": events, "chunks": [{"entry": "runs/r/1.jsonl",
            "first": 1, "events": events, "size": log.len(), "sha256": hex::encode(Sha256::digest(log))}]}],
        "artifacts": []})
}

#[tokio::test]
async fn hostile_files_are_refused_and_leave_nothing() {
    let whole: Vec<u8> = events(2, "sha256/aa/bb", "aabb", 1)
        .iter()
        .flat_map(|event| (serde_json::to_string(event).unwrap() + "\n").into_bytes())
        .collect();
    let text = String::from_utf8(whole.clone()).unwrap();
    let count = text.lines().count() as u64;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile");
    let tried = async |entries: &[(&str, Vec<u8>)]| -> String {
        zip(&path, entries);
        let there = World::empty();
        let done = match Archive::open(&path) {
            Ok(archive) => archive
                .import(&there.store, &there.artifacts)
                .await
                .map(drop),
            Err(error) => Err(error),
        };
        assert!(
            there
                .store
                .runs(&RunFilter::default())
                .await
                .unwrap()
                .is_empty()
                || done.is_ok()
        );
        done.map_or_else(
            |error| {
                error
                    .to_string()
                    .replace(&path.display().to_string(), "FILE")
            },
            |()| "fine".to_owned(),
        )
    };
    let of = |manifest: &Json, log: &[u8]| {
        [
            ("manifest.json", manifest.to_string().into_bytes()),
            ("runs/r/1.jsonl", log.to_vec()),
        ]
    };
    let mut said = vec![tried(&of(&manifest(&whole, count), &whole)).await];
    let mut altered = whole.clone();
    let at = altered.len() / 2;
    altered[at] ^= 1;
    said.push(tried(&of(&manifest(&whole, count), &altered)).await);
    let swapped: String = text.lines().rev().map(|line| format!("{line}\n")).collect();
    said.push(
        tried(&of(
            &manifest(swapped.as_bytes(), count),
            swapped.as_bytes(),
        ))
        .await,
    );
    said.push(tried(&of(&manifest(b"{\n", 1), b"{\n")).await);
    said.push(tried(&of(&manifest(&whole, count + 1), &whole)).await);
    let mut newer = manifest(&whole, count);
    newer["version"] = 2.into();
    said.push(tried(&of(&newer, &whole)).await);
    for version in [json!(0), json!(-1), json!("1"), Json::Null] {
        let mut none = manifest(&whole, count);
        none["version"] = version;
        said.push(tried(&of(&none, &whole)).await);
    }
    // A manifest that tells something else than the log.
    for (field, other) in [
        ("status", "COMPLETED"),
        ("workflowId", "another"),
        ("startedAt", "2024-10-16T09:12:03.000001Z"),
        ("updatedAt", "2026-10-16T09:12:03.000001Z"),
    ] {
        let mut lying = manifest(&whole, count);
        lying["runs"][0][field] = other.into();
        said.push(tried(&of(&lying, &whole)).await);
        let listed = Archive::open(&path)
            .unwrap()
            .runs(&RunFilter::default())
            .await;
        assert_eq!(listed.unwrap_err().kind(), StoreErrorKind::Corrupt);
    }
    let mut empty = manifest(&whole, 0);
    empty["runs"][0]["chunks"] = json!([]);
    said.push(tried(&of(&empty, &whole)[..1]).await);
    let mut bomb = manifest(&whole, count);
    bomb["runs"][0]["chunks"][0]["size"] = 10.into();
    said.push(tried(&of(&bomb, &vec![b' '; 50_000_000])).await);
    let mut extra = of(&manifest(&whole, count), &whole).to_vec();
    extra.push(("../../evil", b"x".to_vec()));
    said.push(tried(&extra).await);
    let mut outside = manifest(&whole, count);
    outside["artifacts"] = json!([{"location": "../../evil", "size": 1, "sha256": "00"}]);
    let mut entries = of(&outside, &whole).to_vec();
    entries.push(("artifacts/../../evil", b"x".to_vec()));
    said.push(tried(&entries).await);
    let mut endless = manifest(&whole, count);
    endless["runs"][0]["events"] = u64::MAX.into();
    endless["runs"][0]["chunks"][0]["events"] = u64::MAX.into();
    said.push(tried(&of(&endless, &whole)).await);
    let mut huge = manifest(&whole, count);
    let location = format!("sha256/aa/{}", "b".repeat(62));
    huge["artifacts"] = json!([{"location": location, "size": u64::MAX, "sha256": "00"}]);
    let mut entries = of(&huge, &whole).to_vec();
    let name = format!("artifacts/{location}");
    entries.push((&name, b"x".to_vec()));
    said.push(tried(&entries).await);
    let deep = format!(
        "{}{}\n",
        r#"{"runId":"r","sequence":1,"type":"T","deep":"#,
        "[".repeat(200_000)
    );
    said.push(tried(&of(&manifest(deep.as_bytes(), 1), deep.as_bytes())).await);
    said.push(tried(&[("manifest.json", b"[]".to_vec())]).await);
    said.push(tried(&[("other", b"x".to_vec())]).await);
    insta::assert_snapshot!(said.join("\n"));
    fs::write(&path, b"no zip").unwrap();
    assert!(!Archive::is_one(&path));
    assert!(matches!(
        Archive::open(&path),
        Err(ArchiveError::NoArchive { .. })
    ));
    // Cut off anywhere it is no archive, or a damaged one.
    let world = World::of(50, b"content").await;
    world.export(Contents::All).await;
    let bytes = fs::read(world.file()).unwrap();
    for cut in (0..bytes.len()).step_by(97) {
        fs::write(&path, &bytes[..cut]).unwrap();
        assert!(Archive::open(&path).is_err(), "cut off after {cut} bytes");
    }
}

/// A file of version 1 is read for ever.
#[tokio::test]
async fn the_first_version_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1.shipsec");
    if std::env::var_os("SHIPSEC_GOLDEN").is_some() {
        let world = World::of(4, b"golden").await;
        world.export(Contents::All).await;
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(world.file(), &path).unwrap();
    }
    let archive = Archive::open(&path).unwrap();
    let there = World::empty();
    archive
        .import(&there.store, &there.artifacts)
        .await
        .unwrap();
    let expected = World::of(4, b"golden").await;
    assert_eq!(log(&*there.store).await, log(&*expected.store).await);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_log_comes_back(lines in prop::collection::vec(("[a-c]{1,3}", any::<String>(), -9_i64..9), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::empty();
            let mut records = Vec::new();
            for (at, (node, message, number)) in lines.into_iter().enumerate() {
                let event = json!({"runId": "r", "sequence": at + 1, "type": "NODE_LOG", "level": "warn", "attempt": 1,
                    "timestamp": "2025-10-16T09:12:03Z", "nodeId": node, "counter": at + 1, "message": message,
                    "payload": {"stream": "log", "fields": {"number": number, "text": message}}});
                records.push(Event::from_json(&event.to_string()).unwrap().record);
            }
            let any = !records.is_empty();
            world.store.append(&run(), records).await.unwrap();
            if any {
                let archive = world.export(Contents::All).await;
                let there = World::empty();
                archive.import(&there.store, &there.artifacts).await.unwrap();
                assert_eq!(log(&*there.store).await, log(&*world.store).await);
            }
        });
    }
}
