//! `shipsec diff`: what is different between two runs.

use std::{io::Write as _, process::ExitCode};

use shipsec_core::run::diff::{Class, DiffOptions, IgnoreRule, diff, references};

use crate::{
    args::{DiffArgs, DiffFormat, RunArg},
    failure::Failure,
    json,
    render::{changes_in_markdown, changes_in_text},
    runs::Found,
    workspace::{Access, Artifacts},
};

/// The largest output that is read from artifact storage to be compared in depth, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

pub(crate) async fn run(args: &DiffArgs) -> Result<ExitCode, Failure> {
    let fail_on: Result<Vec<Class>, _> = args.fail_on.iter().map(|name| name.parse()).collect();
    let fail_on = fail_on.map_err(|error| Failure::unusable(format!("--fail-on: {error}")))?;
    if fail_on.contains(&Class::Duration) && args.duration_threshold.is_none() {
        return Err(Failure::unusable(
            "--fail-on duration: durations are compared only with --duration-threshold PERCENT",
        ));
    }
    let mut options = DiffOptions::default();
    for path in &args.ignore {
        let rule: IgnoreRule = path
            .parse()
            .map_err(|error| Failure::unusable(format!("--ignore: {error}")))?;
        options = options.ignoring(rule);
    }
    if !args.volatile {
        options = options.without_volatile(&shipsec_components::registry());
    }
    if let Some(percent) = args.duration_threshold {
        options = options.with_durations(f64::from(percent) / 100.0);
    }
    let found = async |name: &str| {
        let run = RunArg {
            name: name.to_owned(),
            place: args.place.clone(),
        };
        Found::by(&run).await
    };
    let found = [found(&args.a).await?, found(&args.b).await?];
    let (a, b) = (found[0].view().await?, found[1].view().await?);
    let wanted = references(&a, &b);
    let here = match wanted.is_empty() {
        true => None,
        // Where both are files there need be none.
        false => Artifacts::open(&args.place, Access::Read).ok(),
    };
    for stored in wanted.into_iter().filter(|stored| stored.size <= LARGEST) {
        // What cannot be read any more is compared by its digest.
        let archives = found.iter().filter_map(|found| found.archive.as_ref());
        let mut texts = archives.filter_map(|archive| archive.artifact(&stored.location).ok()?);
        let text = match (texts.next(), &here) {
            (Some(text), _) => Some(text),
            (None, Some(here)) => {
                let text = here.store.get_bytes(&stored.location).await;
                text.ok().map(Vec::from)
            }
            (None, None) => None,
        };
        if let Some(value) = text.and_then(|text| serde_json::from_slice(&text).ok()) {
            options = options.with_value(stored.sha256, value);
        }
    }
    let diff = diff(&a, &b, &options);
    match args.format {
        DiffFormat::Json => json::print(&diff)?,
        DiffFormat::Text | DiffFormat::Markdown => {
            let mut text = Vec::new();
            match args.format {
                DiffFormat::Markdown => changes_in_markdown(&diff, &mut text),
                _ => changes_in_text(&diff, &mut text),
            }
            .map_err(Failure::failed)?;
            anstream::stdout()
                .write_all(&text)
                .map_err(Failure::writing)?;
        }
    }
    Ok(match diff.has(&fail_on) {
        true => ExitCode::from(1),
        false => ExitCode::SUCCESS,
    })
}
