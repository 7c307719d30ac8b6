//! `shipsec artifacts`.

use std::{
    io::{IsTerminal as _, Write},
    path::Path,
};

use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use shipsec_core::run::{ArtifactView, RunView};

use crate::{
    args::{Format, RunArg},
    failure::Failure,
    json,
    runs::Found,
    text::{bytes, pad, visible, width},
    workspace::{Access, Artifacts},
};

pub(crate) async fn artifacts(
    run: &RunArg,
    get: Option<(&str, &Path)>,
    format: Format,
) -> Result<(), Failure> {
    let found = Found::by(run).await?;
    let view = found.view().await?;
    let Some((name, file)) = get else {
        let all: Vec<_> = view.artifacts().collect();
        return match format {
            Format::Json => json::print(&all),
            Format::Text => table(&all),
        };
    };
    let artifact = find(&view, name)?;
    let storage = match &found.archive {
        Some(archive) => Artifacts::of_archive(archive, &artifact.artifact.location).await?,
        None => Artifacts::open(&run.place, Access::Read)?,
    };
    if file != Path::new("-") {
        return write_file(&storage, artifact, file).await;
    }
    let mut out = std::io::stdout().lock();
    if out.is_terminal() {
        return Err(Failure::unusable(
            "the bytes of an artifact are not for a terminal: name a file with -o, or pipe them",
        ));
    }
    copy(&storage, artifact, &mut out, Failure::writing).await?;
    out.flush().map_err(Failure::writing)
}

/// By id, else the last one with that name: of several attempts the newest counts.
fn find<'v>(view: &'v RunView, name: &str) -> Result<&'v ArtifactView, Failure> {
    let by_id = view
        .artifacts()
        .find(|one| one.artifact.artifact_id == name);
    let by_name = || {
        view.artifacts()
            .filter(|one| one.artifact.name == name)
            .last()
    };
    by_id.or_else(by_name).ok_or_else(|| {
        let mut message = format!("run {} has no artifact {name:?}", view.run_id);
        if view.artifacts().len() > 0 {
            message.push_str("; it has:");
        }
        for one in view.artifacts().take(20) {
            message.push_str(&format!(
                "\n  {}  {}",
                one.artifact.artifact_id, one.artifact.name
            ));
        }
        Failure::Unusable(message)
    })
}

/// Writes beside the file first, so that a file under that name is whole.
async fn write_file(
    storage: &Artifacts,
    artifact: &ArtifactView,
    file: &Path,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("{}: {error}", file.display()));
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut part =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    copy(storage, artifact, part.as_file_mut(), failed).await?;
    part.persist(file).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Copies the bytes, and checks that they are those that the log speaks of.
async fn copy(
    storage: &Artifacts,
    artifact: &ArtifactView,
    out: &mut impl Write,
    failed: impl Fn(std::io::Error) -> Failure,
) -> Result<(), Failure> {
    let wanted = &artifact.artifact;
    let mut chunks = storage
        .store
        .get(&wanted.location)
        .await
        .map_err(Failure::failed)?;
    let mut hash = Sha256::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(Failure::failed)?;
        hash.update(&chunk);
        out.write_all(&chunk).map_err(&failed)?;
    }
    if hex::encode(hash.finalize()) == wanted.sha256 {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "artifact {} ({}) is damaged: its bytes do not have the SHA-256 that the log gives",
        wanted.artifact_id, wanted.name
    )))
}

fn table(all: &[&ArtifactView]) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    if all.is_empty() {
        return writeln!(out, "no artifacts").map_err(Failure::writing);
    }
    let rows: Vec<[String; 5]> =
        std::iter::once(["ID", "NAME", "TYPE", "SIZE", "NODE"].map(str::to_owned))
            .chain(all.iter().map(|one| {
                [
                    one.artifact.artifact_id.to_string(),
                    visible(&one.artifact.name).into_owned(),
                    visible(&one.artifact.media_type).into_owned(),
                    bytes(one.artifact.size),
                    visible(one.node_id.as_str()).into_owned(),
                ]
            }))
            .collect();
    let widths: Vec<usize> = (0..5)
        .map(|column| {
            rows.iter()
                .map(|row| width(&row[column]))
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in &rows {
        let cells: Vec<_> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| pad(cell, *width))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end()).map_err(Failure::writing)?;
    }
    Ok(())
}
