//! What is different between two runs.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use shipsec_core::run::diff::{DiffOptions, IgnoreRule, RunDiff, diff as compare, references};

use super::inspect::{latest, run_id};
use crate::{
    Problem,
    extract::{InQuery, Reply},
    studio::Studio,
};

/// The largest output that is read from artifact storage to be compared in depth, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Which runs, and how to compare them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffQuery {
    /// The first run.
    a: String,
    /// The second run.
    b: String,
    /// What is not compared, separated by commas: `NODE/PORT/…`, with `*` for one token and `**` for
    /// any number.
    ignore: Option<String>,
    /// Tells nodes whose duration differs by more than so many percent.
    duration_threshold: Option<u16>,
    /// Compares also what components declare to differ from run to run.
    #[serde(default)]
    volatile: bool,
}

pub(crate) async fn diff(
    State(studio): State<Studio>,
    InQuery(query): InQuery<DiffQuery>,
) -> Result<Reply<RunDiff>, Problem> {
    let (a, b) = (run_id(&query.a)?, run_id(&query.b)?);
    let (a, b) = (latest(&studio, &a).await?, latest(&studio, &b).await?);
    let mut options = DiffOptions::default();
    let rules = query.ignore.as_deref().unwrap_or_default();
    for rule in rules
        .split(',')
        .map(str::trim)
        .filter(|rule| !rule.is_empty())
    {
        let rule: IgnoreRule = rule
            .parse()
            .map_err(|error| Problem::invalid(format!("ignore: {error}")))?;
        options = options.ignoring(rule);
    }
    if !query.volatile {
        options = options.without_volatile(&studio.host.registry);
    }
    if let Some(percent) = query.duration_threshold {
        options = options.with_durations(f64::from(percent) / 100.0);
    }
    for stored in references(&a, &b) {
        // What is too large, or gone, is compared by its digest.
        if stored.size <= LARGEST
            && let Ok(text) = studio.host.artifacts.get_bytes(&stored.location).await
            && let Ok(value) = serde_json::from_slice(&text)
        {
            options = options.with_value(stored.sha256, value);
        }
    }
    let compared = tokio::task::spawn_blocking(move || compare(&a, &b, &options)).await;
    Ok(Reply(compared.map_err(Problem::internal)?))
}
