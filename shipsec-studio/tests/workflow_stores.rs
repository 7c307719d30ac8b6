//! The contract of a store of workflows, held by each that ships.

use std::sync::Arc;

use serde_json::json;
use shipsec_core::{
    WorkflowId,
    workflow::{Graph, WorkflowSource as _},
};
use shipsec_studio::{
    Expected, MemoryWorkflows, WorkflowFolder, WorkflowStore, WorkflowStoreError,
};

type Store = Arc<dyn WorkflowStore>;

fn id(text: &str) -> WorkflowId {
    WorkflowId::new(text)
}

fn graph(name: &str) -> Graph {
    serde_json::from_value(json!({ "name": name })).unwrap()
}

async fn put(store: &Store, workflow: &str, name: &str) -> u32 {
    let workflow = id(workflow);
    let put = store.put(&workflow, graph(name), name, Expected::Anything);
    put.await.unwrap().version
}

async fn numbers(store: &Store, workflow: &str) -> Vec<u32> {
    let versions = store.versions(&id(workflow)).await.unwrap();
    versions
        .into_iter()
        .map(|version| version.version)
        .collect()
}

/// Versions go up from 1; what is the newest already adds none; every version can be had.
async fn versions_go_up(store: Store) {
    for (name, version) in [("one", 1), ("one", 1), ("two", 2), ("one", 3)] {
        assert_eq!(put(&store, "flow", name).await, version, "{name}");
    }
    assert_eq!(numbers(&store, "flow").await, [1, 2, 3]);
    for (version, name) in [(Some(1), "one"), (Some(2), "two"), (None, "one")] {
        let stored = store.get(&id("flow"), version).await.unwrap().unwrap();
        assert_eq!(
            (stored.graph.name.as_str(), stored.version.hash.as_str()),
            (name, name)
        );
    }
    assert_eq!(store.get(&id("flow"), Some(4)).await.unwrap(), None);
    assert_eq!(store.get(&id("other"), None).await.unwrap(), None);
    assert!(numbers(&store, "other").await.is_empty());
}

/// Whoever has not seen the newest version changes nothing.
async fn the_unexpected_is_refused(store: Store) {
    let put = async |name: &str, expected| match store
        .put(&id("flow"), graph(name), name, expected)
        .await
    {
        Ok(version) => Ok(version.version),
        Err(WorkflowStoreError::Conflict { newest, .. }) => {
            Err(newest.map(|newest| newest.version))
        }
        Err(error) => panic!("{error}"),
    };
    let seen = |version, hash: &str| Expected::Version(version, hash.to_owned());
    assert_eq!(put("one", seen(1, "one")).await, Err(None));
    assert_eq!(put("one", Expected::Something).await, Err(None));
    assert_eq!(put("one", Expected::Nothing).await, Ok(1));
    assert_eq!(put("two", Expected::Nothing).await, Err(Some(1)));
    assert_eq!(put("two", seen(1, "two")).await, Err(Some(1)));
    assert_eq!(put("two", seen(1, "one")).await, Ok(2));
    assert_eq!(put("three", seen(1, "one")).await, Err(Some(2)));
    let delete = store.delete(&id("flow"), seen(1, "one")).await;
    assert!(matches!(delete, Err(WorkflowStoreError::Conflict { .. })));
    assert_eq!(numbers(&store, "flow").await, [1, 2]);
    assert!(store.delete(&id("flow"), seen(2, "two")).await.unwrap());
    assert!(!store.delete(&id("flow"), Expected::Anything).await.unwrap());
    assert!(numbers(&store, "flow").await.is_empty());
}

/// Workflows are listed by id, in pages, each with its newest version.
async fn the_list_is_ordered(store: Store) {
    for workflow in ["c", "a", "d", "b", "B", "a.1"] {
        put(&store, workflow, "old").await;
        put(&store, workflow, "new").await;
    }
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        for entry in page {
            assert_eq!((entry.name.as_str(), entry.newest.version), ("new", 2));
            listed.push(entry.id.to_string());
        }
    }
    assert_eq!(listed, ["B", "a", "a.1", "b", "c", "d"]);
}

/// Many that put at once get versions without a gap or a double.
async fn many_put_at_once(store: Store) {
    let puts = (0..24).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { put(&store, "flow", &format!("n{n}")).await })
    });
    let mut versions = Vec::new();
    for task in puts.collect::<Vec<_>>() {
        versions.push(task.await.unwrap());
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=24).collect::<Vec<_>>());
    assert_eq!(numbers(&store, "flow").await, versions);
}

/// Of one that changes and one that removes the same version, one succeeds; whatever happens, versions
/// go up from 1.
async fn changes_and_removals_take_turns(store: Store) {
    for round in 0..20 {
        let workflow = format!("flow-{round}");
        put(&store, &workflow, "one").await;
        let seen = || Expected::Version(1, "one".to_owned());
        let (changing, removing) = (store.clone(), store.clone());
        let (change, remove) = (id(&workflow), id(&workflow));
        let change = tokio::spawn(async move {
            changing
                .put(&change, graph("two"), "two", seen())
                .await
                .is_ok()
        });
        let remove = tokio::spawn(async move { removing.delete(&remove, seen()).await.is_ok() });
        let done = (change.await.unwrap(), remove.await.unwrap());
        let left: &[u32] = match done {
            (true, false) => &[1, 2],
            (false, true) => &[],
            both => panic!("round {round}: {both:?}"),
        };
        assert_eq!(numbers(&store, &workflow).await, left);
    }
}

/// No id leads out of the store, or to what the API means otherwise.
async fn ids_are_checked(store: Store) {
    for bad in [
        "", ".", "..", "a/b", "../x", "/etc", "a b", "runs", "validate", "é", "a\n",
    ] {
        let bad = id(bad);
        let kept = store.put(&bad, graph("x"), "x", Expected::Anything).await;
        assert!(matches!(kept, Err(WorkflowStoreError::Id(_))), "{bad:?}");
        let gone = store.delete(&bad, Expected::Anything).await;
        assert!(matches!(gone, Err(WorkflowStoreError::Id(_))), "{bad:?}");
    }
    assert!(store.list(None, 10).await.unwrap().is_empty());
}

macro_rules! every_store {
    ($($case:ident),+) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(std::sync::Arc::new(super::MemoryWorkflows::new())).await;
            })+
        }
        mod folder {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let folder = tempfile::tempdir().unwrap();
                let store = super::WorkflowFolder::new(folder.path().join("workflows"));
                super::$case(std::sync::Arc::new(store)).await;
            })+
        }
    };
}

every_store!(
    versions_go_up,
    the_unexpected_is_refused,
    the_list_is_ordered,
    many_put_at_once,
    changes_and_removals_take_turns,
    ids_are_checked
);

#[tokio::test]
async fn a_damaged_file_is_named_and_strange_ones_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store: Store = Arc::new(WorkflowFolder::new(folder.path()));
    put(&store, "flow", "one").await;
    let path = |name: &str| folder.path().join("flow").join(name);
    for strange in ["notes.txt", "0.json", "x.json", "+2.json", ".tmp123"] {
        std::fs::write(path(strange), "strange").unwrap();
    }
    std::fs::create_dir(folder.path().join(".removed-x")).unwrap();
    std::fs::write(folder.path().join("file"), "no folder").unwrap();
    assert_eq!(numbers(&store, "flow").await, [1]);
    assert_eq!(store.list(None, 10).await.unwrap().len(), 1);
    std::fs::write(path("2.json"), "{\"format\":2}").unwrap();
    let error = store.get(&id("flow"), None).await.unwrap_err().to_string();
    assert!(error.contains("2.json cannot be read"), "{error}");
    put(&store, "other", "two").await;
    assert_eq!(store.list(None, 10).await.unwrap().len(), 1);
    let first = store.get(&id("flow"), Some(1)).await.unwrap().unwrap();
    assert_eq!(first.graph.name, "one");

    // What is no workflow is not removed, and what stands beside one stays.
    std::fs::create_dir_all(folder.path().join("src/deep")).unwrap();
    std::fs::write(folder.path().join("src/deep/main.rs"), "code").unwrap();
    for (workflow, was_there) in [("src", false), ("file", false), ("other", true)] {
        let removed = store.delete(&id(workflow), Expected::Anything).await;
        assert_eq!(removed.unwrap(), was_there, "{workflow}");
    }
    assert!(folder.path().join("src/deep/main.rs").exists());
    assert!(folder.path().join("file").exists());
    assert!(!folder.path().join("other").exists());
    std::fs::remove_file(path("2.json")).unwrap();
    assert!(store.delete(&id("flow"), Expected::Anything).await.unwrap());
    assert!(path("notes.txt").exists());
    assert_eq!(store.get(&id("flow"), None).await.unwrap(), None);
}

#[tokio::test]
async fn workflows_call_those_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let workflows = WorkflowFolder::new(folder.path());
    let store: Store = Arc::new(workflows.clone());
    put(&store, "flow", "old").await;
    put(&store, "flow", "new").await;
    assert_eq!(workflows.graph(&id("flow")).await.unwrap().name, "new");
    let missing = workflows.graph(&id("other")).await.unwrap_err().to_string();
    assert!(missing.contains("there is no workflow other"), "{missing}");
}
