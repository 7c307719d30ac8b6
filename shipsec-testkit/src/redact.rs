//! Events as text that is the same each time.

use shipsec_core::event::{Event, EventKind};

/// One line an event: sequence, type, node and attempt, message. Times and ids are left out, so
/// that a snapshot holds whenever the run took place.
///
/// Nodes that run at the same time may end in either order; hold the clock, or let a snapshot have
/// no such nodes.
pub fn trace_lines(events: &[Event]) -> String {
    let mut text = String::new();
    for event in events {
        let node = event
            .node_id()
            .map(|node| format!(" {node}#{}", event.attempt))
            .unwrap_or_default();
        let more = match &event.kind {
            EventKind::WorkflowStatus(payload) => format!(" {}", payload.status),
            EventKind::NodeSkipped(payload) => {
                let reason = serde_json::to_string(&payload.reason).unwrap_or_default();
                format!(" {} by {}", reason.trim_matches('"'), payload.cause)
            }
            EventKind::NodeFailed(payload) => {
                format!(" {} retry={}", payload.error.kind, payload.will_retry)
            }
            _ => String::new(),
        };
        let message = event
            .message
            .as_deref()
            .map(|text| format!(": {text}"))
            .unwrap_or_default();
        text.push_str(&format!(
            "{} {}{node}{more}{message}\n",
            event.sequence,
            event.kind.type_name()
        ));
    }
    text
}
