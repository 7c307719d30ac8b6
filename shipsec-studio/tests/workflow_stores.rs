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
    let hash = |hash: &str| Expected::Hash(hash.to_owned());
    assert_eq!(put("one", hash("one")).await, Err(None));
    assert_eq!(put("one", Expected::Nothing).await, Ok(1));
    assert_eq!(put("two", Expected::Nothing).await, Err(Some(1)));
    assert_eq!(put("two", hash("one")).await, Ok(2));
    assert_eq!(put("three", hash("one")).await, Err(Some(2)));
    let delete = store.delete(&id("flow"), hash("one")).await;
    assert!(matches!(delete, Err(WorkflowStoreError::Conflict { .. })));
    assert_eq!(numbers(&store, "flow").await, [1, 2]);
    assert!(store.delete(&id("flow"), hash("two")).await.unwrap());
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

/// No id leads out of the store, or to what the API means otherwise.
async fn ids_are_checked(store: Store) {
    for bad in [
        "", ".", "..", "a/b", "../x", "/etc", "a b", "runs", "validate", "é", "a\n",
    ] {
        let kept = store
            .put(&id(bad), graph("x"), "x", Expected::Anything)
            .await;
        assert!(matches!(kept, Err(WorkflowStoreError::Id(_))), "{bad:?}");
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
    let first = store.get(&id("flow"), Some(1)).await.unwrap().unwrap();
    assert_eq!(first.graph.name, "one");
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
