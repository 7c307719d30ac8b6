//! `shipsec export` and `shipsec import`: runs in files.

use shipsec_archive::{Archive, Contents, export as write};

use crate::{
    args::{ExportArgs, ImportArgs, Kept},
    failure::Failure,
    runs::Found,
    text::{bytes, counted, visible},
    workspace::{self, Access, Artifacts},
};

pub(crate) async fn export(args: &ExportArgs) -> Result<(), Failure> {
    let found = Found::by(&args.run).await?;
    let artifacts = Artifacts::open(&args.run.place, Access::Read);
    let artifacts = match artifacts {
        Ok(artifacts) => artifacts.store,
        // A run that stored nothing has no folder for it.
        Err(_) => shipsec_core::storage::ArtifactStore::memory(),
    };
    let contents = match args.with {
        Kept::All => Contents::All,
        Kept::Outputs => Contents::Outputs,
        Kept::None => Contents::Log,
    };
    let written = write(
        &found.store,
        &artifacts,
        &found.id,
        contents,
        &args.output,
        args.force,
    );
    let written = written.await.map_err(Failure::unusable)?;
    for location in &written.missing {
        let location = visible(location);
        anstream::eprintln!("artifact {location} is not there any more: left out");
    }
    let runs = counted(written.runs.len(), "run", "runs");
    let artifacts = counted(written.artifacts as usize, "artifact", "artifacts");
    anstream::println!(
        "{runs}, {} events, {artifacts}: {} in {}",
        written.events,
        bytes(written.bytes),
        args.output.display()
    );
    Ok(())
}

pub(crate) async fn import(args: &ImportArgs) -> Result<(), Failure> {
    let archive = Archive::open(&args.file).map_err(Failure::unusable)?;
    let store = workspace::store(&args.place, Access::Write)?;
    let artifacts = Artifacts::open(&args.place, Access::Write)?;
    let imported = archive.import(&store, &artifacts.store).await;
    let imported = imported.map_err(Failure::unusable)?;
    for run in &imported.runs {
        anstream::println!("imported run {run}");
    }
    for run in &imported.known {
        anstream::println!("run {run} is here already, and the same");
    }
    Ok(())
}
