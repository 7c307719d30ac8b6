//! `shipsec export` and `shipsec import`: runs in files.

use shipsec_archive::{Archive, ArchiveError, Contents, Source, export as write};

use crate::{
    args::{ExportArgs, ImportArgs, Kept},
    failure::Failure,
    runs::Found,
    text::{bytes, counted, visible},
    workspace::{self, Access, Artifacts},
};

pub(crate) async fn export(args: &ExportArgs) -> Result<(), Failure> {
    let found = Found::by(&args.run).await?;
    let contents = match args.with {
        Kept::All => Contents::All,
        Kept::Outputs => Contents::Outputs,
        Kept::None => Contents::Log,
    };
    let here;
    let artifacts: Source<'_> = match &found.archive {
        Some(archive) => archive.into(),
        None => {
            here = match args.with {
                Kept::None => Artifacts::nothing(),
                Kept::All | Kept::Outputs => Artifacts::there(&args.run.place)?,
            };
            (&here.store).into()
        }
    };
    let written = write(
        &found.store,
        artifacts,
        &found.id,
        contents,
        &args.output,
        args.force,
    );
    let written = written.await.map_err(|error| match error {
        ArchiveError::Exists(path) => Failure::unusable(format!(
            "{} exists already: choose another name, or replace it with --force",
            path.display()
        )),
        error => Failure::unusable(error),
    })?;
    for location in &written.missing {
        let location = visible(location);
        match found.archive {
            Some(_) => anstream::eprintln!("artifact {location} is not in the file: left out"),
            None => anstream::eprintln!("artifact {location} is not there any more: left out"),
        }
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
