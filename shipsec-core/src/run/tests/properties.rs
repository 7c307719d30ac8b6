//! Hostile logs: whatever they say, in whatever order, the rules hold.

use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value as Json, json};

use super::log::{completed, definition, event, failed, run, started};
use crate::{
    event::{Event, Timestamp},
    run::{Applied, NodeCounts, NodeState, NodeView, RunView},
    schedule::EdgeState,
};

const NODES: [&str; 5] = ["a", "b", "c", "ghost", ""];
const STATUSES: [&str; 9] = [
    "QUEUED",
    "RUNNING",
    "RUNNING",
    "AWAITING_INPUT",
    "COMPLETED",
    "FAILED",
    "CANCELLED",
    "TERMINATED",
    "STALE",
];

fn payload(kind: usize, extra: usize) -> (&'static str, Json) {
    match kind {
        0 => ("NODE_STARTED", started()),
        1 => ("NODE_LOG", json!({"stream": "stdout"})),
        2 => ("NODE_PROGRESS", json!({"done": extra, "unit": "x"})),
        3 => ("NODE_PROGRESS", json!({})),
        4 => (
            "NODE_ARTIFACT",
            json!({"artifactId": "a", "name": "n", "mediaType": "m", "size": 1, "sha256": "s",
                   "location": "l"}),
        ),
        5 => (
            "NODE_AWAITING_INPUT",
            json!({"requestId": "q", "kind": "k", "title": "t"}),
        ),
        6 => ("NODE_COMPLETED", completed()),
        7 => (
            "NODE_COMPLETED",
            json!({"outputs": {}, "activePorts": ["p"], "durationMs": 0.1}),
        ),
        8 => ("NODE_FAILED", failed(extra.is_multiple_of(2))),
        9 => (
            "NODE_SKIPPED",
            json!({"reason": "upstream-failed", "cause": "a"}),
        ),
        10 => ("NODE_CANCELLED", json!({"reason": "r"})),
        11 => ("SOMETHING_NEW", json!([extra])),
        12 => {
            let edges = [
                ["1", "a", "b", "success", "p"],
                ["2", "a", "c", "error", ""],
                ["3", "b", "nowhere", "finally", ""],
                ["4", "nowhere", "b", "success", ""],
            ];
            // Also a definition that names a node twice.
            let nodes = if extra.is_multiple_of(2) {
                &["a", "b", "c"][..]
            } else {
                &["b", "b", "a"]
            };
            (
                "WORKFLOW_STATUS",
                json!({"status": "RUNNING", "definition": definition(nodes, &edges)}),
            )
        }
        _ => (
            "WORKFLOW_STATUS",
            json!({"status": STATUSES[extra % STATUSES.len()]}),
        ),
    }
}

pub(super) fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = (
        0_usize..15,
        0_usize..18,
        0_usize..5,
        0_u32..4,
        -9_000_i64..9_000,
    );
    prop::collection::vec(one, 0..80).prop_map(|picks| {
        let made = |(at, (kind, extra, node, attempt, micros)): (usize, _)| {
            // Final statuses are rare, so that most of a log is not after its end.
            let extra = if extra > 9 { extra % 4 } else { extra };
            let (kind, payload) = payload(kind, extra);
            event(at as u64 + 1, micros, kind, NODES[node], attempt, payload)
        };
        picks.into_iter().enumerate().map(made).collect()
    })
}

pub(super) fn text(view: &RunView) -> String {
    serde_json::to_string(view).unwrap()
}

fn recounted(view: &RunView) -> NodeCounts {
    let mut counts = NodeCounts::default();
    for (_, node) in view.nodes() {
        *counts.of(node.state) += 1;
    }
    counts
}

/// What must not change any more once a node has ended. A definition that comes late may still
/// tell what it ran.
fn end(node: &NodeView) -> NodeView {
    let mut end = node.clone();
    end.component = None;
    end.log_counts = Default::default();
    end.artifacts = 0;
    end
}

proptest! {
    #[test]
    fn any_log_folds_by_the_rules(events in events(), cut in 0_usize..80) {
        let whole = RunView::from_events(run(), &events);
        prop_assert_eq!(whole.sequence, events.len() as u64);
        let cut = cut.min(events.len());
        let mut view = RunView::from_events(run(), &events[..cut]);
        let frame = view.clone();
        let at_cut = text(&view);

        // What is not the next event changes nothing.
        for event in &events[..cut] {
            prop_assert_eq!(view.apply(event), Applied::Duplicate);
        }
        for event in events.iter().skip(cut + 1) {
            prop_assert_eq!(view.apply(event), Applied::Gap { expected: cut as u64 + 1 });
        }
        prop_assert_eq!(&text(&view), &at_cut);

        for event in &events[cut..] {
            let before = view.clone();
            prop_assert_eq!(view.apply(event), Applied::Taken);
            for (id, node) in before.nodes() {
                let now = view.node(id.as_str()).unwrap();
                prop_assert!(now.attempt >= node.attempt);
                if node.state.is_final() {
                    prop_assert_eq!(end(now), end(node));
                }
            }
            for (was, is) in before.edges().zip(view.edges()) {
                prop_assert!(was.state == EdgeState::Open || was == is);
            }
            if before.status.is_final() {
                prop_assert_eq!(view.status, before.status);
                prop_assert_eq!(view.completed_at, before.completed_at);
            }
            prop_assert_eq!(view.updated_at, Some(event.timestamp));
            prop_assert_eq!(recounted(&view), view.counts);
            if view.status.is_final() {
                prop_assert_eq!(view.counts.finished(), view.nodes().len());
            }
            let waits = |node: &NodeView| node.state == NodeState::AwaitingInput;
            prop_assert!(view.nodes().all(|(_, node)| waits(node) == node.awaiting.is_some()));
        }
        prop_assert_eq!(text(&view), text(&whole));
        prop_assert_eq!(text(&frame), at_cut);
        prop_assert_eq!(&view, &whole);
    }

    #[test]
    fn a_log_that_was_stored_folds_to_the_same_bytes(events in events()) {
        let stored: Vec<Event> = events
            .iter()
            .map(|event| serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap())
            .collect();
        let (live, replayed) =
            (RunView::from_events(run(), &events), RunView::from_events(run(), &stored));
        prop_assert_eq!(text(&live), text(&replayed));
    }

    #[test]
    fn no_clock_changes_a_state(events in events(), clocks in prop::collection::vec(any::<i64>(), 80)) {
        let mut other = events.clone();
        for (event, clock) in other.iter_mut().zip(clocks) {
            event.record.timestamp = Timestamp::from_micros(clock);
        }
        let timeless = |events: &[Event]| {
            let view = RunView::from_events(run(), events);
            let mut json = serde_json::to_value(&view).unwrap();
            forget_times(&mut json);
            json
        };
        prop_assert_eq!(timeless(&events), timeless(&other));
    }
}

fn forget_times(json: &mut Json) {
    match json {
        Json::Object(fields) => {
            fields.retain(|name, _| !name.ends_with("At") && name != "durationMs");
            fields.values_mut().for_each(forget_times);
        }
        Json::Array(items) => items.iter_mut().for_each(forget_times),
        _ => {}
    }
}
