//! Runs in files, and runs that are removed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime},
};

use serde_json::{Value as Json, json};

use crate::support::{Desk, behind_start};

/// A run that stores an artifact and gives an output too large for an event.
fn run(desk: &Desk, logs: u32) -> String {
    run_at(desk, logs, &[])
}

/// The same where these arguments say.
fn run_at(desk: &Desk, logs: u32, place: &[&str]) -> String {
    let emit = json!({"logs": logs, "artifactBytes": 500, "outputBytes": 100_000});
    desk.graph("graph.json", &behind_start(&[("emit", "dev.emit", emit)]));
    desk.shipsec(&[&["run", "graph.json"], place].concat())
        .ends(0);
    let runs = desk.shipsec(&[&["runs", "--format", "json"], place].concat());
    let runs = runs.ends(0).json();
    runs[0]["runId"].as_str().unwrap().to_owned()
}

#[test]
fn a_run_goes_elsewhere_in_a_file() {
    let desk = Desk::new();
    let a = run(&desk, 1);
    let b = run(&desk, 2);
    for (run, file) in [(&a, "a.shipsec"), (&b, "b.shipsec")] {
        let said = desk.shipsec(&["export", run, "-o", file]).ends(0);
        assert!(said.out.starts_with("1 run, "), "{}", said.out);
        assert!(said.out.contains("2 artifacts"), "{}", said.out);
    }
    let again = desk.shipsec(&["export", &a, "-o", "a.shipsec"]).ends(2);
    assert!(again.err.contains("exists already"), "{}", again.err);
    desk.shipsec(&["export", &a, "-o", "a.shipsec", "--force"])
        .ends(0);

    // Elsewhere there is nothing but the files.
    let there = Desk::new();
    for file in ["a.shipsec", "b.shipsec"] {
        fs::copy(desk.path().join(file), there.path().join(file)).unwrap();
    }
    let events = there.shipsec(&["events", "a.shipsec"]).ends(0);
    assert_eq!(events.out, desk.shipsec(&["events", &a]).ends(0).out);
    let diff = there
        .shipsec(&["diff", "a.shipsec", "b.shipsec", "--format", "json"])
        .ends(0)
        .json();
    assert_eq!(diff["counts"]["logs"], 1, "{diff}");
    let replayed = there
        .shipsec(&["replay", "a.shipsec", "--at", "3", "--format", "json"])
        .ends(0)
        .json();
    assert!(replayed.to_string().contains(&a), "{replayed}");
    let get = [
        "artifacts",
        "a.shipsec",
        "--get",
        "emitted.txt",
        "-o",
        "from",
    ];
    there.shipsec(&get).ends(0);
    assert_eq!(fs::read(there.path().join("from")).unwrap().len(), 500);
    // A file is written from a file, whole, and without what nobody asks for.
    let said = there.shipsec(&["export", "a.shipsec", "-o", "again.shipsec"]);
    assert!(said.ends(0).out.contains("2 artifacts"));
    let get = &["artifacts", "again.shipsec", "--get", "emitted.txt", "-o"][..];
    there.shipsec(&[get, &["again"]].concat()).ends(0);
    assert_eq!(fs::read(there.path().join("again")).unwrap().len(), 500);
    let bare = ["-o", "bare.shipsec", "--with", "none"];
    let said = there.shipsec(&[&["export", "a.shipsec"], &bare[..]].concat());
    assert!(said.ends(0).out.contains("0 artifacts"));
    assert!(!there.path().join(".shipsec").exists());
    let imported = there.shipsec(&["import", "a.shipsec"]).ends(0);
    assert_eq!(imported.out, format!("imported run {a}\n"));
    let known = there.shipsec(&["import", "a.shipsec"]).ends(0);
    assert_eq!(
        known.out,
        format!("run {a} is here already, and the same\n")
    );
    assert_eq!(
        there.shipsec(&["outputs", &a]).ends(0).json(),
        desk.shipsec(&["outputs", &a]).ends(0).json()
    );
    there
        .shipsec(&["artifacts", &a, "--get", "emitted.txt", "-o", "got"])
        .ends(0);
    assert_eq!(fs::read(there.path().join("got")).unwrap().len(), 500);

    there.write(
        "broken.shipsec",
        &fs::read(there.path().join("a.shipsec")).unwrap()[..900],
    );
    let broken = there
        .shipsec(&["diff", "a.shipsec", "broken.shipsec"])
        .ends(2);
    assert!(
        broken.err.contains("broken.shipsec is no archive of runs"),
        "{}",
        broken.err
    );
    there.shipsec(&["import", "nowhere.shipsec"]).ends(2);
}

#[test]
fn imports_at_once_leave_the_run_whole() {
    let desk = Desk::new();
    let id = run(&desk, 2_000);
    desk.shipsec(&["export", &id, "-o", "a.shipsec"]).ends(0);
    let import = || {
        let mut import = desk.command(&["import", "a.shipsec", "--store", "there.db"]);
        import.stdout(Stdio::piped()).stderr(Stdio::piped());
        import.spawn().unwrap()
    };
    let mut imported = 0;
    for import in [import(), import(), import()] {
        let done = import.wait_with_output().unwrap();
        let (out, err) = (
            String::from_utf8(done.stdout).unwrap(),
            String::from_utf8(done.stderr).unwrap(),
        );
        match done.status.code() {
            Some(0) => imported += usize::from(out.starts_with("imported")),
            _ => assert!(err.contains(&format!("run {id} is run by import")), "{err}"),
        }
    }
    assert_eq!(imported, 1);
    let there = desk.shipsec(&["events", &id, "--store", "there.db"]);
    assert_eq!(
        there.ends(0).out,
        desk.shipsec(&["events", &id]).ends(0).out
    );
}

/// The files in a folder and below.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let all = entries.map(|entry| entry.unwrap().path());
    all.flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    })
    .collect()
}

/// As if what a folder holds had been written two hours ago.
fn age(folder: &Path) {
    let then = SystemTime::now() - Duration::from_secs(7200);
    for path in files(folder) {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(then).unwrap();
    }
}

#[test]
fn old_runs_are_removed() {
    let desk = Desk::new();
    let (a, b) = (run(&desk, 1), run(&desk, 2));
    let young = desk.shipsec(&["prune", "--older-than", "1d"]).ends(0);
    assert_eq!(young.out, "0 runs and 0 artifacts (0 B) removed\n");
    let told = desk.shipsec(&[
        "prune",
        "--older-than",
        "0s",
        "--keep",
        "1",
        "--dry-run",
        "--format",
        "json",
    ]);
    assert_eq!(told.ends(0).json()["runs"], json!([a]));
    let done = desk
        .shipsec(&["prune", "--older-than", "0s", "--keep", "1"])
        .ends(0);
    assert!(
        done.out.starts_with(&format!("{a}\n1 run and ")),
        "{}",
        done.out
    );
    desk.shipsec(&["status", &a]).ends(2);
    assert!(!desk.path().join(".shipsec/runs").join(&a).exists());
    // What it stored is younger than an hour: it may belong to a run that goes on.
    assert!(!files(&desk.path().join(".shipsec/artifacts")).is_empty());
    let rest = desk.shipsec(&["events", &b]).ends(0);
    let rest: Vec<Json> = rest.lines();
    assert!(rest.len() > 4);
    // A store that is not there, or not that of the artifacts, would let every artifact go.
    for bad in [
        &["--store", "typo.db", "--artifacts", ".shipsec/artifacts"][..],
        &["--store", "typo.db"],
        &["--artifacts", ".shipsec/artifacts"],
        &["--artifacts", "other"],
    ] {
        desk.shipsec(&[&["prune", "--older-than", "0s"], bad].concat())
            .ends(2);
    }
    assert!(!desk.path().join("typo.db").exists());
    for bad in [
        ["--older-than", "soon", "--keep", "0"],
        ["--older-than", "1d", "--status", "RUNNING"],
    ] {
        desk.shipsec(&[&["prune"], &bad[..]].concat()).ends(2);
    }
}

#[test]
fn each_store_keeps_and_prunes_its_own_artifacts() {
    let desk = Desk::new();
    let here = run(&desk, 1);
    let there = run_at(&desk, 1, &["--store", "other.db"]);
    let [own, others, imported] = [".shipsec/artifacts", "other.db.artifacts", "b.db.artifacts"]
        .map(|folder| desk.path().join(folder));
    assert_eq!((files(&own).len(), files(&others).len()), (2, 2));
    // Every command finds them by the store.
    let get = ["artifacts", &there, "--get", "emitted.txt", "-o", "got"];
    desk.shipsec(&[&get[..], &["--store", "other.db"]].concat())
        .ends(0);
    let export = ["export", &there, "-o", "other.shipsec"];
    let said = desk.shipsec(&[&export[..], &["--store", "sqlite:other.db"]].concat());
    assert!(said.ends(0).out.contains("2 artifacts"));
    desk.shipsec(&["import", "other.shipsec", "--store", "b.db"])
        .ends(0);
    assert_eq!(files(&imported).len(), 2);
    desk.shipsec(&["rerun", &there, "--cached", "--store", "other.db"])
        .ends(0);

    for folder in [&own, &others, &imported] {
        age(folder);
    }
    let mut prune = desk.command(&["prune", "--older-than", "0s", "--dry-run"]);
    prune.env("SHIPSEC_STORE", "empty.db");
    assert!(!prune.status().unwrap().success());
    assert!(!desk.path().join("empty.db.artifacts").exists());
    let done = desk
        .shipsec(&["prune", "--older-than", "0s", "--store", "other.db"])
        .ends(0);
    assert!(done.out.contains("2 runs and 2 artifacts"), "{}", done.out);
    assert_eq!(files(&others).len(), 0);
    // The same bytes stay where another store has runs that refer to them.
    assert_eq!((files(&own).len(), files(&imported).len()), (2, 2));
    desk.shipsec(&["artifacts", &here, "--get", "emitted.txt", "-o", "got"])
        .ends(0);
    desk.shipsec(&["prune", "--older-than", "0s"]).ends(0);
    assert_eq!((files(&own).len(), files(&imported).len()), (0, 2));
}
