//! `core.file.read`, `core.file.write` and `core.artifact.write`.

use std::fs;

use serde_json::{Value as Json, json};
use shipsec_core::{ErrorKind, event::EventKind};
use tempfile::TempDir;

use super::bench::{Bench, Ended};

async fn read(params: Json, path: &str) -> Ended {
    Bench::new()
        .run("core.file.read", params, json!({ "path": path }))
        .await
}

async fn write(params: Json, inputs: Json) -> Ended {
    Bench::new().run("core.file.write", params, inputs).await
}

fn folder() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir
        .path()
        .canonicalize()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    (dir, path)
}

#[tokio::test]
async fn a_file_is_read_as_text_json_or_artifact() {
    let (_dir, root) = folder();
    let path = format!("{root}/a.json");
    fs::write(&path, "\u{feff}{\"a\": \"ä\"}").unwrap();
    let ended = read(json!({}), &path).await;
    assert_eq!(ended.output("node", "text"), "\u{feff}{\"a\": \"ä\"}");
    assert_eq!(ended.output("node", "size"), 14);
    assert_eq!(ended.output("node", "path"), path);
    assert_eq!(ended.output("node", "json"), Json::Null);
    let ended = read(json!({ "readAs": "json", "root": root }), "a.json").await;
    assert_eq!(ended.output("node", "json"), json!({ "a": "ä" }));

    let bytes: Vec<u8> = (0..600_000_u32).map(|n| n as u8).collect();
    fs::write(format!("{root}/b.bin"), &bytes).unwrap();
    let params = json!({ "readAs": "artifact", "root": root, "maxBytes": 1 });
    let bench = Bench::new();
    let ended = bench
        .run("core.file.read", params, json!({ "path": "b.bin" }))
        .await;
    let file = ended.file("artifact");
    assert_eq!((file.name.as_str(), file.size), ("b.bin", 600_000));
    assert_eq!(bench.bytes(&file).await, bytes);
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let (_dir, root) = folder();
    fs::write(format!("{root}/large.txt"), "0123456789").unwrap();
    fs::write(format!("{root}/binary"), b"ab\xff\xfe").unwrap();
    for (params, path, kind, names) in [
        (json!({}), "none.txt", ErrorKind::NotFound, "none.txt"),
        (json!({}), ".", ErrorKind::Validation, "it is a folder"),
        (
            json!({ "maxBytes": 9 }),
            "large.txt",
            ErrorKind::Validation,
            "larger than 9 bytes",
        ),
        (
            json!({}),
            "binary",
            ErrorKind::Validation,
            "not UTF-8 from byte 2 on",
        ),
        (
            json!({ "readAs": "json" }),
            "large.txt",
            ErrorKind::Validation,
            "large.txt\" as JSON",
        ),
        (
            json!({}),
            "../../etc/passwd",
            ErrorKind::Permission,
            "leads out of the root",
        ),
        (
            json!({}),
            "/etc/passwd",
            ErrorKind::Permission,
            "leads out of the root",
        ),
        (
            json!({}),
            "a\u{1b}[31m",
            ErrorKind::NotFound,
            r"a\u{1b}[31m",
        ),
    ] {
        let mut params = params;
        params["root"] = root.clone().into();
        read(params, path).await.failed(kind, names);
    }
    let ended = read(json!({ "root": format!("{root}/none") }), "a").await;
    ended.failed(ErrorKind::NotFound, "root folder");
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_does_not_hold_the_run_up() {
    let (_dir, root) = folder();
    let socket = std::os::unix::net::UnixListener::bind(format!("{root}/socket")).unwrap();
    let ended = read(json!({}), &format!("{root}/socket")).await;
    ended.failed(ErrorKind::Validation, "not a plain file");
    drop(socket);
}

#[tokio::test]
async fn a_file_is_written_whole_and_leaves_nothing_beside_it() {
    let (_dir, root) = folder();
    let params = json!({ "root": root });
    let inputs = json!({ "path": "new/a.txt", "content": "ä\n" });
    let ended = write(params.clone(), inputs).await;
    assert_eq!(ended.output("node", "path"), format!("{root}/new/a.txt"));
    assert_eq!(ended.output("node", "size"), 3);
    assert_eq!(
        fs::read_to_string(format!("{root}/new/a.txt")).unwrap(),
        "ä\n"
    );
    let inputs = json!({ "path": "new/a.txt", "content": { "a": [1] } });
    write(params, inputs.clone()).await.output("node", "size");
    let text = fs::read_to_string(format!("{root}/new/a.txt")).unwrap();
    assert_eq!(text, "{\n  \"a\": [\n    1\n  ]\n}\n");
    let ended = write(json!({ "root": root, "pretty": false }), inputs).await;
    let written = fs::read(format!("{root}/new/a.txt")).unwrap();
    assert_eq!(written, b"{\"a\":[1]}\n");
    assert_eq!(
        ended.output("node", "sha256"),
        "af66e39a425017cd0ac450336908f445bbe0b84ff06991b9310eec01f6b485b5"
    );
    assert_eq!(fs::read_dir(format!("{root}/new")).unwrap().count(), 1);
}

#[tokio::test]
async fn an_artifact_is_written_byte_by_byte() {
    let (_dir, root) = folder();
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n / 7) as u8).collect();
    fs::write(format!("{root}/in.bin"), &bytes).unwrap();
    let config = |params: Json, inputs: Json| json!({ "config": { "params": params, "inputOverrides": inputs } });
    let nodes = json!([
        { "id": "read", "type": "core.file.read",
          "data": config(json!({ "readAs": "artifact", "root": root }), json!({ "path": "in.bin" })) },
        { "id": "node", "type": "core.file.write",
          "data": config(json!({ "root": root }), json!({ "path": "out.bin" })) },
    ]);
    let edges = json!([
        { "id": "e1", "source": "start", "target": "read" },
        { "id": "e2", "source": "read", "target": "node", "sourceHandle": "artifact", "targetHandle": "artifact" },
    ]);
    let ended = Bench::new().run_graph(nodes, edges).await;
    assert_eq!(ended.output("node", "size"), 300_000);
    assert_eq!(fs::read(format!("{root}/out.bin")).unwrap(), bytes);
}

#[tokio::test]
async fn what_cannot_be_written_is_named_and_stays_as_it_was() {
    let (_dir, root) = folder();
    fs::write(format!("{root}/there.txt"), "old").unwrap();
    fs::create_dir(format!("{root}/folder")).unwrap();
    for (params, path, kind, names) in [
        (
            json!({ "ifExists": "fail" }),
            "there.txt",
            ErrorKind::Validation,
            "there already",
        ),
        (json!({}), "folder", ErrorKind::Validation, "it is a folder"),
        (
            json!({}),
            "folder/",
            ErrorKind::Validation,
            "does not name a file",
        ),
        (
            json!({}),
            "there.txt/below",
            ErrorKind::Validation,
            "there.txt",
        ),
        (
            json!({ "createFolders": false }),
            "none/a.txt",
            ErrorKind::NotFound,
            "none",
        ),
        (
            json!({}),
            "../out.txt",
            ErrorKind::Permission,
            "leads out of the root",
        ),
        (
            json!({}),
            "/tmp/out.txt",
            ErrorKind::Permission,
            "leads out of the root",
        ),
    ] {
        let mut params = params;
        params["root"] = root.clone().into();
        let ended = write(params, json!({ "path": path, "content": "new" })).await;
        ended.failed(kind, names);
    }
    let nothing = write(json!({ "root": root }), json!({ "path": "a" })).await;
    nothing.failed(ErrorKind::Validation, "give one of content and artifact");
    assert_eq!(
        fs::read_to_string(format!("{root}/there.txt")).unwrap(),
        "old"
    );
    assert_eq!(
        fs::read_dir(&root).unwrap().count(),
        2,
        "nothing is left behind"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_replaced_file_keeps_its_mode_and_a_new_one_is_for_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, root) = folder();
    let mode = |name: &str| {
        let found = fs::metadata(format!("{root}/{name}")).unwrap();
        found.permissions().mode() & 0o777
    };
    fs::write(format!("{root}/beside"), "x").unwrap();
    fs::write(format!("{root}/script"), "x").unwrap();
    fs::set_permissions(format!("{root}/script"), fs::Permissions::from_mode(0o750)).unwrap();
    for name in ["script", "new"] {
        let ended = write(
            json!({ "root": root }),
            json!({ "path": name, "content": "y" }),
        )
        .await;
        ended.output("node", "size");
    }
    assert_eq!(mode("script"), 0o750);
    assert_eq!(mode("new"), mode("beside"));
}

#[tokio::test]
async fn an_artifact_keeps_text_or_json() {
    for (content, params, bytes, kind) in [
        (
            json!("# Ä"),
            json!({ "name": "a.md" }),
            "# Ä",
            "text/plain; charset=utf-8",
        ),
        (
            json!({ "a": 1 }),
            json!({ "name": "a.json" }),
            r#"{"a":1}"#,
            "application/json",
        ),
        (
            json!([1]),
            json!({ "name": "a.sarif", "mediaType": "application/sarif+json" }),
            "[1]",
            "application/sarif+json",
        ),
    ] {
        let bench = Bench::new();
        let inputs = json!({ "content": content });
        let ended = bench.run("core.artifact.write", params, inputs).await;
        let file = ended.file("artifact");
        assert_eq!(bench.bytes(&file).await, bytes.as_bytes());
        assert_eq!(file.media_type, kind);
        let kept = |e: &&shipsec_core::event::Event| matches!(e.kind, EventKind::NodeArtifact(_));
        assert_eq!(ended.events().iter().filter(kept).count(), 1);
    }
    let params = json!({ "name": "../a" });
    let ended = Bench::new()
        .run("core.artifact.write", params, json!({ "content": 1 }))
        .await;
    ended.failed(ErrorKind::Validation, "../a");
}
