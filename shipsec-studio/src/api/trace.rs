//! Events page by page.

use std::collections::BTreeSet;

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{
    Map, Value as Json,
    value::{RawValue, to_raw_value},
};
use shipsec_core::event::{Event, Level};

use super::inspect::run_id;
use crate::{
    Problem,
    extract::{InPath, InQuery, Reply},
    studio::Studio,
};

/// Events that are read at once: few, as each may be large, and many may ask at once.
const PAGE: usize = 512;
/// Bytes of events after which a page ends, unless it has a single one.
const LARGE: usize = 8 * 1024 * 1024;
/// Events that one request looks at, at most, where few fit.
const LOOKED_AT: u64 = 100_000;

/// Which events.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TraceQuery {
    /// Only events after this sequence number.
    #[serde(default)]
    after: u64,
    /// How many at most; large events make a page end sooner.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1, max = 10_000))]
    limit: u32,
    /// Only events of these types, separated by commas.
    types: Option<String>,
    /// Only events of this node, items of it included.
    node: Option<String>,
    /// Only events of this level, or a graver one.
    level: Option<Level>,
    /// Only events with this text in their message; case does not matter.
    text: Option<String>,
}

fn thousand() -> u32 {
    1000
}

/// Events of a run.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TracePage {
    /// Those that fit, in the order of the log.
    #[schemars(with = "Vec<EventDocument>")]
    events: Vec<Box<RawValue>>,
    /// Sequence number of the last event that was looked at: `after` of the next page.
    cursor: u64,
    /// Sequence number of the last event of the log.
    last_sequence: u64,
    /// Whether the log has nothing after `cursor` now.
    done: bool,
}

/// An event.
#[derive(JsonSchema)]
#[schemars(rename = "Event", rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "it only describes what events look like on the wire"
)]
struct EventDocument {
    /// The run and the sequence number.
    id: String,
    /// The run.
    run_id: String,
    /// Its number in the log of the run, from 1 without a gap.
    sequence: u64,
    /// Its number among the events of its producer: the run, or an attempt of a node.
    counter: u32,
    /// What happened, for example `NODE_STARTED`. There may be types that this version does not know.
    r#type: String,
    /// How grave it is: `debug`, `info`, `warn`, `error`.
    level: String,
    /// When it was recorded (RFC 3339). The sequence is what orders.
    timestamp: String,
    /// The node that it is about.
    #[schemars(default)]
    node_id: Option<String>,
    /// Which attempt of it, from 1.
    #[schemars(default)]
    attempt: Option<u32>,
    /// A sentence for people.
    #[schemars(default)]
    message: Option<String>,
    /// What the type says beside that.
    #[schemars(default)]
    payload: Map<String, Json>,
}

/// What fits.
struct Wanted {
    types: Option<BTreeSet<String>>,
    node: Option<String>,
    level: Option<Level>,
    text: Option<String>,
}

impl Wanted {
    fn everything(&self) -> bool {
        self.types.is_none() && self.node.is_none() && self.level.is_none() && self.text.is_none()
    }

    fn has(&self, event: &Event) -> bool {
        let is_of = |wanted: &String| {
            let node = event.node.as_ref().map(|node| node.id.as_str());
            let rest = node.and_then(|node| node.strip_prefix(wanted.as_str()));
            rest.is_some_and(|rest| {
                rest.is_empty() || (rest.starts_with('[') && rest.ends_with(']'))
            })
        };
        let says = |text: &String| {
            let message = event.message.as_deref().unwrap_or_default();
            message.to_lowercase().contains(text)
        };
        self.level.is_none_or(|level| event.level >= level)
            && self
                .types
                .as_ref()
                .is_none_or(|types| types.contains(event.kind.type_name()))
            && self.node.as_ref().is_none_or(is_of)
            && self.text.as_ref().is_none_or(says)
    }
}

pub(crate) async fn page(
    State(studio): State<Studio>,
    InPath(run): InPath<String>,
    InQuery(query): InQuery<TraceQuery>,
) -> Result<Reply<TracePage>, Problem> {
    let run = run_id(&run)?;
    let limit = match query.limit {
        1..=10_000 => query.limit as usize,
        other => {
            return Err(Problem::invalid(format!(
                "limit is {other}: expected 1 to 10000"
            )));
        }
    };
    let wanted = Wanted {
        types: query
            .types
            .map(|types| types.split(',').map(|one| one.trim().to_owned()).collect()),
        node: query.node,
        level: query.level,
        text: query
            .text
            .filter(|text| !text.is_empty())
            .map(|text| text.to_lowercase()),
    };
    let store = &studio.host.store;
    if store.read(&run, 0, 1).await?.is_empty() {
        return Err(Problem::unknown_run(&run));
    }
    let (mut events, mut cursor) = (Vec::new(), query.after);
    let mut bytes = 0;
    while events.len() < limit && bytes < LARGE && cursor - query.after < LOOKED_AT {
        let size = match wanted.everything() {
            true => (limit - events.len()).min(PAGE),
            false => PAGE,
        };
        let page = store.read(&run, cursor, size).await?;
        if page.is_empty() {
            break;
        }
        for event in page {
            cursor = event.sequence;
            if wanted.has(&event) {
                let event = to_raw_value(&event).map_err(Problem::internal)?;
                bytes += event.get().len();
                events.push(event);
                if events.len() == limit || bytes >= LARGE {
                    break;
                }
            }
        }
    }
    // There is one, so that this tells the last one without waiting.
    let last_sequence = store.wait_beyond(&run, 0).await?;
    let cursor = cursor.min(last_sequence);
    Ok(Reply(TracePage {
        events,
        cursor,
        last_sequence,
        done: cursor == last_sequence,
    }))
}
