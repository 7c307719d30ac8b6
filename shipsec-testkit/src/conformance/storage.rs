//! The contract of an [`ArtifactStore`], over whatever object store.

use bytes::Bytes;
use futures::{TryStreamExt as _, stream};
use shipsec_core::storage::{ArtifactStore, StorageError};

/// SHA-256 of "abc": the test vector of FIPS 180-2, appendix B.1.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// Bytes are kept under the hash of their content, once, and come back as they were.
pub async fn bytes_are_kept_under_their_hash(store: ArtifactStore) {
    let stored = store.put(Bytes::from_static(b"abc")).await.expect("put");
    assert_eq!((stored.sha256.as_str(), stored.size), (ABC, 3));
    assert_eq!(
        stored.location,
        format!("sha256/{}/{}", &ABC[..2], &ABC[2..])
    );
    assert_eq!(
        store.put(Bytes::from_static(b"abc")).await.expect("put"),
        stored
    );
    let streamed = stream::iter(["a", "b", "c"].map(|piece| Ok(Bytes::from(piece))));
    assert_eq!(store.put_stream(streamed).await.expect("put"), stored);
    assert_eq!(store.get_bytes(&stored.location).await.expect("get"), "abc");
}

/// What is larger than one part is stored whole.
pub async fn many_parts_make_one_artifact(store: ArtifactStore) {
    let piece = Bytes::from(vec![7_u8; 1024 * 1024]);
    let mut writer = store.writer();
    for _ in 0..20 {
        writer.write(&piece).await.expect("write");
    }
    let stored = writer.finish().await.expect("finish");
    assert_eq!(stored.size, 20 * 1024 * 1024);
    let back = store.get_bytes(&stored.location).await.expect("get");
    assert!(back.len() == 20 * 1024 * 1024 && back.iter().all(|byte| *byte == 7));
}

/// Any part of what is kept can be read by itself.
pub async fn a_part_can_be_read(store: ArtifactStore) {
    let bytes: Vec<u8> = (0..=255).collect();
    let stored = store.put(bytes.clone().into()).await.expect("put");
    for range in [0..1, 0..256, 100..200, 255..256] {
        let part = store.get_range(&stored.location, range.clone()).await;
        let part: Vec<Bytes> = part.expect("get").try_collect().await.expect("read");
        let expected = &bytes[range.start as usize..range.end as usize];
        assert_eq!(part.concat(), expected, "{range:?}");
    }
    assert!(store.get_range(&stored.location, 300..400).await.is_err());
    let missing = stored.location.replace(&stored.sha256[60..], "0000");
    let missing = store.get_range(&missing, 0..1).await;
    assert!(missing.is_err_and(|error| error.is_not_found()));
}

/// A stream that fails leaves nothing behind.
pub async fn a_failed_stream_keeps_nothing(store: ArtifactStore) {
    let broken = stream::iter([
        Ok(Bytes::from_static(b"abc")),
        Err(std::io::Error::other("cut")),
    ]);
    assert!(matches!(
        store.put_stream(broken).await,
        Err(StorageError::Source(_))
    ));
    let location = format!("sha256/{}/{}", &ABC[..2], &ABC[2..]);
    assert!(store.get_bytes(&location).await.is_err());
}

/// Only what the storage itself named can be read through it.
pub async fn no_path_leads_out(store: ArtifactStore) {
    for path in [
        "",
        "..",
        "../x",
        "/etc/passwd",
        "sha256/../../x",
        "sha256/ab/cd",
        "incoming/x",
        "sha256/AB/00",
    ] {
        assert!(
            matches!(
                store.get_bytes(path).await,
                Err(StorageError::BadLocation(_))
            ),
            "{path}"
        );
    }
}

/// Many writers of the same bytes get in nobody's way.
pub async fn writers_of_the_same_bytes_agree(store: ArtifactStore) {
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(
                async move { store.put(Bytes::from(vec![1; 100_000])).await.expect("put") },
            )
        })
        .collect();
    let mut first = None;
    for task in tasks {
        let stored = task.await.expect("a task of the suite");
        assert_eq!(*first.get_or_insert(stored.clone()), stored);
    }
}

/// Makes a test of each case. The argument is an async closure that gives a fresh storage and
/// whatever must live as long.
#[macro_export]
macro_rules! artifact_store_conformance {
    ($factory:expr) => {
        $crate::artifact_store_conformance! { @cases $factory,
            bytes_are_kept_under_their_hash, many_parts_make_one_artifact,
            a_part_can_be_read,
            a_failed_stream_keeps_nothing, no_path_leads_out, writers_of_the_same_bytes_agree
        }
    };
    (@cases $factory:expr, $($case:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let factory = $factory;
                let (store, _keep) = factory().await;
                $crate::conformance::storage::$case(store).await;
            }
        )+
    };
}
