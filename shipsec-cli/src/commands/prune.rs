//! `shipsec prune`: removing runs, and artifacts that nothing refers to any more.

use std::time::Duration;

use shipsec_core::{
    event::WorkflowStatus,
    storage::{Retention, prune},
};

use crate::{
    args::{Format, PruneArgs},
    failure::Failure,
    json,
    text::{bytes, counted},
    workspace::{self, Access, Artifacts},
};

pub(crate) async fn run(args: &PruneArgs) -> Result<(), Failure> {
    let mut retention = Retention::older_than(age(&args.older_than)?);
    for status in &args.status {
        let parsed: Result<WorkflowStatus, _> =
            serde_json::from_value(status.to_uppercase().replace('-', "_").into());
        let parsed = parsed.ok().filter(|status| status.is_final());
        retention.status.push(parsed.ok_or_else(|| {
            Failure::unusable(format!(
                "--status {status:?}: expected COMPLETED, FAILED, CANCELLED, TIMED_OUT or TERMINATED"
            ))
        })?);
    }
    retention.keep = args.keep;
    retention.interrupted = args.interrupted;
    retention.dry_run = args.dry_run;
    let access = match args.dry_run {
        true => Access::Read,
        false => Access::Write,
    };
    // What no run of this store refers to is removed: a store that is not there, or not the one that
    // the artifacts belong to, would let all of them go. A store without more brings its own.
    if args.place.artifacts.is_some() && args.place.store.is_none() {
        return Err(Failure::unusable(
            "prune removes artifacts that no run of the store refers to: with --artifacts, name their \
             store with --store",
        ));
    }
    workspace::store(&args.place, Access::Read)?;
    let store = workspace::store(&args.place, access)?;
    let artifacts = Artifacts::there(&args.place)?;
    let pruned = prune(&store, &artifacts.store, &retention).await;
    let pruned = pruned.map_err(Failure::failed)?;
    if !args.dry_run {
        for run in &pruned.runs {
            artifacts.forget(run.as_str()).map_err(Failure::failed)?;
        }
    }
    if args.format == Format::Json {
        return json::print(&pruned);
    }
    for run in &pruned.runs {
        anstream::println!("{run}");
    }
    for run in &pruned.held {
        anstream::eprintln!("run {run} is held by a process: it stays");
    }
    let verb = if args.dry_run {
        "would be removed"
    } else {
        "removed"
    };
    let runs = counted(pruned.runs.len(), "run", "runs");
    let objects = counted(pruned.artifacts as usize, "artifact", "artifacts");
    anstream::println!("{runs} and {objects} ({}) {verb}", bytes(pruned.bytes));
    Ok(())
}

/// Reads an age such as `30d` or `12h`.
fn age(text: &str) -> Result<Duration, Failure> {
    let wrong = || {
        Failure::unusable(format!(
            "--older-than {text:?}: expected an age such as 30d, 2w, 12h or 90m"
        ))
    };
    let span: jiff::Span = text.parse().map_err(|_| wrong())?;
    // A day is 24 hours, wherever one is.
    let relative = jiff::SpanRelativeTo::days_are_24_hours();
    let duration = span.to_duration(relative).map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read() {
        let seconds = |text: &str| age(text).ok().map(|age| age.as_secs());
        assert_eq!(seconds("30d"), Some(30 * 24 * 3600));
        assert_eq!(seconds("2w"), Some(14 * 24 * 3600));
        assert_eq!(seconds("1d 12h"), Some(36 * 3600));
        assert_eq!(seconds("0s"), Some(0));
        for bad in ["", "30", "-1d", "soon", "1 month"] {
            assert_eq!(seconds(bad), None, "{bad:?}");
        }
    }
}
