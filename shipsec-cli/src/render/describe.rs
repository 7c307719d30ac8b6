//! An event in words.

use serde_json::Value as Json;
use shipsec_core::{
    NodeId, RunId,
    event::{
        ErrorPayload, Event, EventKind, Level, ProgressPayload, SkipReason, StopCause,
        WorkflowStatus,
    },
    run::{NodeState, NodeView},
};

use crate::text::{bytes, duration, millis, visible};

/// What an event says, in one line that is safe to show. Every event has one, also of a type that
/// this version does not know.
pub(super) fn event(event: &Event) -> String {
    let message = || event.message.as_deref().map(visible);
    match &event.kind {
        EventKind::WorkflowStatus(payload) => match (payload.stopping, message()) {
            (Some(StopCause::TimedOut), _) => "run is stopped: it took too long".to_owned(),
            (Some(_), Some(why)) => format!("run is stopped: {why}"),
            (Some(_), None) => "run is stopped".to_owned(),
            (None, Some(message)) if payload.status == WorkflowStatus::Running => {
                format!("run {}: {message}", payload.status)
            }
            (None, _) => format!("run {}", payload.status),
        },
        EventKind::NodeStarted(payload) => {
            let component = visible(payload.component.component_id.as_str());
            match event.attempt {
                0 | 1 => format!("started {component}"),
                attempt => format!("started {component}, attempt {attempt}"),
            }
        }
        EventKind::NodeLog(payload) => {
            let mut text = message().unwrap_or_default().into_owned();
            for (key, value) in &payload.fields {
                let value = match value {
                    Json::String(text) => text.clone(),
                    other => other.to_string(),
                };
                text.push_str(&format!(" {}={}", visible(key), visible(&value)));
            }
            levelled(event.level, text)
        }
        EventKind::NodeProgress(payload) => {
            let text = progress(payload, message().as_deref());
            levelled(event.level, text)
        }
        EventKind::NodeArtifact(payload) => {
            format!(
                "stored {} ({})",
                visible(&payload.name),
                bytes(payload.size)
            )
        }
        EventKind::NodeAwaitingInput(payload) => {
            format!("waits for an answer: {}", visible(&payload.title))
        }
        EventKind::NodeCompleted(payload) => match &payload.reused_from {
            Some(run) => format!("taken over from run {run}"),
            None => format!("completed in {}", millis(payload.duration_ms)),
        },
        EventKind::NodeFailed(payload) => {
            let error = &payload.error;
            if payload.interrupted {
                return format!("interrupted: {}", visible(&error.message));
            }
            let mut text = format!("failed: {}: {}", error.kind, visible(&error.message));
            if payload.will_retry {
                text.push_str(&match payload.retry_at {
                    Some(at) => {
                        format!("; next attempt in {}", duration(at.since(event.timestamp)))
                    }
                    None => "; another attempt follows".to_owned(),
                });
            } else if let Some(handler) = &payload.handled_by {
                text.push_str(&format!("; handled by {}", visible(handler.as_str())));
            }
            text
        }
        EventKind::NodeSkipped(payload) => format!(
            "skipped: {} ({})",
            reason(payload.reason),
            visible(payload.cause.as_str())
        ),
        EventKind::NodeCancelled(payload) => format!("cancelled: {}", visible(&payload.reason)),
        EventKind::NodeInputReceived(payload) => match &payload.by {
            Some(by) => format!("answered by {}", visible(by)),
            None => "answered".to_owned(),
        },
        EventKind::NodeChildStarted(payload) => format!(
            "calls workflow {} as run {}",
            visible(payload.workflow_id.as_str()),
            payload.run_id
        ),
        other => match message() {
            Some(message) => format!("{}: {message}", visible(other.type_name())),
            None => visible(other.type_name()).into_owned(),
        },
    }
}

/// What is wrong with each field, of an event or a node that failed because of some.
pub(super) fn fields(error: &ErrorPayload) -> impl Iterator<Item = String> {
    const MOST: usize = 20;
    let all = error.field_errors.iter();
    let all = all.flat_map(|(field, all)| all.iter().map(move |message| (field, message)));
    let count = all.clone().count();
    let shown = all
        .take(MOST)
        .map(|(field, message)| format!("{}: {}", visible(field), visible(message)));
    let more = (count > MOST).then(|| format!("… and {} more", count - MOST));
    shown.chain(more)
}

/// Those of an event.
pub(super) fn fields_of(event: &Event) -> Vec<String> {
    match &event.kind {
        EventKind::NodeFailed(failed) => fields(&failed.error).collect(),
        _ => Vec::new(),
    }
}

/// How to answer what a node waits for.
pub(super) fn how_to_answer(run: &RunId, node: &NodeId, kind: &str, place: &str) -> String {
    let (node, how) = (
        visible(node.as_str()),
        match kind {
            "approval" => "--approve, or --reject",
            "form" => "--set FIELD=VALUE",
            _ => "--json VALUE",
        },
    );
    format!("answer with: shipsec answer {run} {node}{place} {how}")
}

fn levelled(level: Level, text: String) -> String {
    match level {
        Level::Info => text,
        level => format!("{level}: {text}"),
    }
}

fn progress(payload: &ProgressPayload, message: Option<&str>) -> String {
    if let Some(message) = message {
        return message.to_owned();
    }
    amounts(payload.done, payload.total, payload.unit.as_deref())
        .unwrap_or_else(|| "working".to_owned())
}

/// `89/127 hosts`, `70%`, `89 hosts`.
fn amounts(done: Option<u64>, total: Option<u64>, unit: Option<&str>) -> Option<String> {
    let done = done?;
    Some(match (total, unit) {
        (Some(_), Some("%")) => format!("{done}%"),
        (Some(total), Some(unit)) => format!("{done}/{total} {}", visible(unit)),
        (Some(total), None) => format!("{done}/{total}"),
        (None, Some(unit)) => format!("{done} {}", visible(unit)),
        (None, None) => done.to_string(),
    })
}

/// Why a node was skipped.
fn reason(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::BranchNotTaken => "branch not taken",
        SkipReason::UpstreamSkipped => "what it needs was skipped",
        SkipReason::UpstreamFailed => "what it needs failed",
        SkipReason::NoFailureToHandle => "no failure to handle",
        SkipReason::LostRace => "another node was first",
        _ => "for a reason that this version does not know",
    }
}

/// How a node is doing, for its line in a live view or at the end.
pub(super) fn node(node: &NodeView) -> String {
    match node.state {
        NodeState::Running => node
            .progress
            .as_deref()
            .map_or_else(String::new, |progress| {
                let message = progress.message.as_deref().map(visible);
                let amounts = amounts(progress.done, progress.total, progress.unit.as_deref());
                match (message, amounts) {
                    (Some(message), _) => message.into_owned(),
                    (None, Some(amounts)) => amounts,
                    (None, None) => String::new(),
                }
            }),
        NodeState::AwaitingInput => node
            .awaiting
            .as_deref()
            .map_or_else(String::new, |awaiting| {
                visible(&awaiting.title).into_owned()
            }),
        NodeState::Retrying | NodeState::Failed => {
            let error = node.error.as_deref();
            let mut text = error.map_or_else(String::new, |error| {
                format!("{}: {}", error.kind, visible(&error.message))
            });
            if let Some(handler) = &node.handled_by {
                text.push_str(&format!(" (handled by {})", visible(handler.as_str())));
            }
            text
        }
        NodeState::Completed => match &node.reused_from {
            Some(run) => format!("taken over from run {run}"),
            None => String::new(),
        },
        NodeState::Skipped => {
            let cause = node.skip_cause.as_ref();
            let cause = cause.map_or_else(String::new, |cause| {
                format!(" ({})", visible(cause.as_str()))
            });
            let why = node.skip_reason.map_or("", reason);
            format!("{why}{cause}")
        }
        NodeState::Cancelled => node
            .cancel_reason
            .as_deref()
            .map_or_else(String::new, |reason| visible(reason).into_owned()),
        _ => String::new(),
    }
}
