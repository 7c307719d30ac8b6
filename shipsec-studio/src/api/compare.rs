//! What is different between two runs.

use axum::extract::State;
use schemars::JsonSchema;
use shipsec_core::run::diff::{DiffOptions, IgnoreRule, RunDiff, diff as compare, references};

use super::inspect::{latest, run_id};
use crate::{
    Problem,
    extract::{InQuery, Reply},
    studio::Studio,
};

/// How much of what artifact storage keeps is read to be compared in depth, in bytes.
const MOST: u64 = 128 * 1024 * 1024;

/// What may be ignored at once: each change is held against each of them.
const RULES: usize = 100;

/// Which runs, and how to compare them.
#[derive(Debug, Default, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(crate) struct DiffQuery {
    /// The first run.
    a: String,
    /// The second run.
    b: String,
    /// What is not compared: `NODE/PORT/…`, with `*` for one token and `**` for any number. May be
    /// repeated, up to 100 times.
    #[schemars(default, length(max = 100))]
    ignore: Vec<String>,
    /// Tells nodes whose duration differs by more than so many percent.
    #[schemars(default)]
    duration_threshold: Option<u16>,
    /// Compares also what components declare to differ from run to run.
    #[schemars(default)]
    volatile: bool,
}

impl DiffQuery {
    /// A form has no lists; its fields are read one by one.
    fn read(fields: Vec<(String, String)>) -> Result<Self, Problem> {
        let mut query = Self::default();
        let (mut a, mut b) = (None, None);
        for (name, value) in fields {
            let unfit = |expected: &str| {
                Problem::invalid(format!("{name} is {value:?}: expected {expected}"))
            };
            match name.as_str() {
                "a" => a = Some(value),
                "b" => b = Some(value),
                "ignore" => query.ignore.push(value),
                "durationThreshold" => {
                    let percent = value
                        .parse()
                        .map_err(|_| unfit("a percentage up to 65535"))?;
                    query.duration_threshold = Some(percent);
                }
                "volatile" => {
                    query.volatile = value.parse().map_err(|_| unfit("true or false"))?;
                }
                _ => {
                    return Err(Problem::invalid(format!(
                        "there is no parameter {name:?}: expected a, b, ignore, durationThreshold, \
                         volatile"
                    )));
                }
            }
        }
        let given = |run: Option<String>, name: &str| {
            run.ok_or_else(|| Problem::invalid(format!("{name} is missing: give the id of a run")))
        };
        (query.a, query.b) = (given(a, "a")?, given(b, "b")?);
        Ok(query)
    }
}

pub(crate) async fn diff(
    State(studio): State<Studio>,
    InQuery(fields): InQuery<Vec<(String, String)>>,
) -> Result<Reply<RunDiff>, Problem> {
    let query = DiffQuery::read(fields)?;
    let (a, b) = (run_id(&query.a)?, run_id(&query.b)?);
    let (a, b) = (latest(&studio, &a).await?, latest(&studio, &b).await?);
    if query.ignore.len() > RULES {
        return Err(Problem::invalid(format!(
            "ignore is there {} times: expected at most {RULES}",
            query.ignore.len()
        )));
    }
    let mut options = DiffOptions::default();
    for rule in query.ignore.iter().filter(|rule| !rule.is_empty()) {
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
    let mut left = MOST;
    for stored in references(&a, &b) {
        // What is too large, or gone, is compared by its digest.
        if stored.size <= left
            && let Ok(text) = studio.host.artifacts.get_bytes(&stored.location).await
            && let Ok(value) = serde_json::from_slice(&text)
        {
            left -= stored.size;
            options = options.with_value(stored.sha256, value);
        }
    }
    let compared = studio.work(move || compare(&a, &b, &options)).await?;
    Ok(Reply(compared))
}
