//! What every log keeps to, whatever happened.

use std::collections::BTreeMap;

use shipsec_core::{
    NodeId,
    event::{Event, EventKind, Timestamp},
    run::RunView,
};

/// Holds the log of a run that has ended to the rules that all executors keep:
///
/// - sequence numbers from 1 without a gap or a duplicate, and the same of each producer's counter;
/// - attempts of a node follow one another; each begins with `NODE_STARTED`, ends exactly once, and
///   says nothing afterwards;
/// - every planned node has exactly one outcome;
/// - the log ends with the only `WORKFLOW_STATUS` that is final;
/// - time does not go backwards for any producer.
///
/// # Panics
///
/// When it does not, saying where.
pub fn assert_log_rules(events: &[Event]) {
    let Some(first) = events.first() else {
        panic!("the log is empty");
    };
    let mut counters: BTreeMap<(Option<&NodeId>, u32), u32> = BTreeMap::new();
    let mut clocks: BTreeMap<(Option<&NodeId>, u32), Timestamp> = BTreeMap::new();
    let mut nodes: BTreeMap<&NodeId, Vec<&Event>> = BTreeMap::new();
    for (event, expected) in events.iter().zip(1..) {
        assert_eq!(event.sequence, expected, "a gap or a duplicate");
        let counter = counters
            .entry((event.node_id(), event.attempt))
            .or_default();
        *counter += 1;
        assert_eq!(event.counter, *counter, "of its producer: {}", shown(event));
        let clock = clocks
            .entry((event.node_id(), event.attempt))
            .or_insert(event.timestamp);
        assert!(
            *clock <= event.timestamp,
            "time goes backwards: {}",
            shown(event)
        );
        *clock = event.timestamp;
        if let Some(node) = event.node_id() {
            nodes.entry(node).or_default().push(event);
        }
        if let EventKind::WorkflowStatus(payload) = &event.kind {
            let last = expected == events.len() as u64;
            assert_eq!(payload.status.is_final(), last, "{}", shown(event));
        }
    }
    for (node, events) in nodes {
        let mut attempts: BTreeMap<u32, Vec<&Event>> = BTreeMap::new();
        let mut newest = 0;
        for event in &events {
            if event.attempt > 0 {
                assert!(
                    event.attempt >= newest,
                    "of an older attempt: {}",
                    shown(event)
                );
                newest = event.attempt;
            }
            attempts.entry(event.attempt).or_default().push(event);
        }
        for (attempt, events) in attempts.iter().filter(|(attempt, _)| **attempt > 0) {
            let begins = matches!(events[0].kind, EventKind::NodeStarted(_));
            // One that was to follow another, and was cancelled before it began.
            let called_off = matches!(events[..], [Event { record, .. }]
                if *attempt > 1 && matches!(record.kind, EventKind::NodeCancelled(_)));
            if called_off {
                continue;
            }
            assert!(
                begins,
                "attempt {attempt} of {node} begins with {}",
                shown(events[0])
            );
            let (last, before) = events.split_last().unwrap_or((&events[0], &[]));
            assert!(
                ends(last),
                "attempt {attempt} of {node} ends with {}",
                shown(last)
            );
            let early = before.iter().find(|event| ends(event));
            assert!(early.is_none(), "attempt {attempt} of {node} ended twice");
            let again = before.iter().skip(1);
            let again = again.filter(|event| matches!(event.kind, EventKind::NodeStarted(_)));
            assert_eq!(again.count(), 0, "attempt {attempt} of {node} began twice");
        }
        let outcomes = events.iter().filter(|event| is_outcome(event)).count();
        assert_eq!(outcomes, 1, "outcomes of node {node}");
    }
    let view = RunView::from_events(first.run_id.clone(), events);
    assert_eq!(view.late_events, 0, "events that came too late to count");
    for (node, view) in view.nodes() {
        assert!(
            view.state.is_final(),
            "node {node} is {:?} at the end",
            view.state
        );
        assert_ne!(
            view.cancel_reason.as_deref(),
            Some("run-ended"),
            "node {node} has no outcome"
        );
    }
}

fn ends(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::NodeCompleted(_) | EventKind::NodeFailed(_) | EventKind::NodeCancelled(_)
    )
}

/// Whether it is the node's last word.
pub(crate) fn is_outcome(event: &Event) -> bool {
    match &event.kind {
        EventKind::NodeFailed(failed) => !failed.will_retry,
        EventKind::NodeSkipped(_) => true,
        _ => ends(event),
    }
}

fn shown(event: &Event) -> String {
    serde_json::to_string(event).unwrap_or_else(|_| event.id())
}
