//! One picture of a running run: a pure function of the view, the time and the size of the screen.

use anstyle::Style;
use shipsec_core::{
    event::{Event, EventKind, Level, Timestamp},
    run::{NodeState, NodeView, RunView},
};

use super::{describe, style};
use crate::text::{duration, fit, fit_name, millis, pad, pad_name, visible, width};

/// The widest column of node names.
const WIDEST: usize = 28;

/// Log lines that are shown at most.
pub(super) const LOG_LINES: usize = 5;

/// A line of some node's log, as the live view shows it.
#[derive(Debug, Clone)]
pub(super) struct LogLine {
    pub(super) node: String,
    pub(super) level: Level,
    pub(super) text: String,
}

impl LogLine {
    /// What an event says, where it is a line of a log, or worth some.
    pub(super) fn of(event: &Event) -> Vec<Self> {
        let shown = matches!(event.kind, EventKind::NodeLog(_) | EventKind::Unknown(_))
            || event.level >= Level::Warn;
        if !shown {
            return Vec::new();
        }
        let fields = describe::fields_of(event);
        let texts = std::iter::once(describe::event(event)).chain(fields);
        let line = |text| Self {
            node: visible(event.node_id().map_or("run", |id| id.as_str())).into_owned(),
            level: event.level,
            text,
        };
        texts.map(line).collect()
    }
}

/// The size of the screen, and what moves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) now: Timestamp,
    pub(super) tick: usize,
    /// The place of a node that somebody looks at.
    pub(super) chosen: Option<usize>,
}

/// A line that takes at most the columns of the screen.
pub(super) struct Line {
    pub(super) text: String,
    pub(super) room: usize,
}

impl Line {
    pub(super) fn new(columns: usize) -> Self {
        Self {
            text: String::new(),
            room: columns,
        }
    }

    pub(super) fn add(mut self, style: Style, text: &str) -> Self {
        let shown = fit(text, self.room);
        if !shown.is_empty() {
            self.text.push_str(&format!("{style}{shown}{style:#}"));
        }
        self.room -= width(&shown);
        self
    }
}

/// The lines of the picture: at most `rows`, each at most `columns` wide.
pub(super) fn frame<'a>(
    view: &RunView,
    title: &str,
    logs: impl ExactSizeIterator<Item = &'a LogLine>,
    note: Option<&str>,
    moment: Moment,
) -> Vec<String> {
    let Moment { columns, rows, .. } = moment;
    let mut lines = vec![head(view, title, moment)];
    let notes = usize::from(note.is_some());
    let for_logs = match rows {
        0..8 => 0,
        8..14 => 2,
        _ => LOG_LINES,
    };
    let log_lines = logs.len().min(for_logs);
    // A line keeps the log apart from the nodes.
    let below = notes + if log_lines > 0 { log_lines + 1 } else { 0 };
    let for_nodes = rows.saturating_sub(1 + below);
    nodes(view, for_nodes, moment, &mut lines);
    if log_lines > 0 {
        lines.push(
            Line::new(columns)
                .add(style::DIM, "┄".repeat(columns.min(40)).as_str())
                .text,
        );
        let skip = logs.len() - log_lines;
        for log in logs.skip(skip) {
            let line = Line::new(columns)
                .add(style::DIM, &format!("{} ", fit_name(&log.node, WIDEST)))
                .add(style::level_style(log.level), &log.text);
            lines.push(line.text);
        }
    }
    if let Some(note) = note {
        lines.push(
            Line::new(columns)
                .add(style::level_style(Level::Warn), note)
                .text,
        );
    }
    lines.truncate(rows);
    lines
}

fn head(view: &RunView, title: &str, moment: Moment) -> String {
    let elapsed = view.started_at.map_or_else(String::new, |started| {
        format!("  {}", duration(moment.now.since(started)))
    });
    Line::new(moment.columns)
        .add(style::BOLD, title)
        .add(
            style::status_style(view.status),
            &format!("  {}", view.status),
        )
        .add(
            style::PLAIN,
            &format!("  {}/{}", view.counts.finished(), view.nodes().len()),
        )
        .add(style::PLAIN, &elapsed)
        .add(style::DIM, &format!("  {}", view.run_id))
        .text
}

/// How much a node wants to be seen, the least first.
fn rank(node: &NodeView) -> u8 {
    match node.state {
        NodeState::AwaitingInput => 0,
        NodeState::Running => 1,
        NodeState::Retrying => 2,
        NodeState::Failed => 3,
        NodeState::Cancelled => 4,
        NodeState::Completed => 6,
        NodeState::Skipped => 7,
        _ => 5,
    }
}

fn nodes(view: &RunView, room: usize, moment: Moment, lines: &mut Vec<String>) {
    let all = view.nodes().len();
    if room == 0 || all == 0 {
        return;
    }
    let mut shown: Vec<(usize, &NodeView)> = if all <= room {
        view.nodes().map(|(_, node)| node).enumerate().collect()
    } else {
        // Those that move, and those that failed, before those that wait or are done.
        let mut ranked: Vec<_> = view.nodes().map(|(_, node)| node).enumerate().collect();
        let best = room - 1;
        if best < ranked.len() && best > 0 {
            let key = |(place, node): &(usize, &NodeView)| {
                (Some(*place) != moment.chosen, rank(node), *place)
            };
            ranked.select_nth_unstable_by_key(best - 1, key);
        }
        ranked.truncate(best);
        ranked
    };
    shown.sort_unstable_by_key(|(place, _)| *place);
    let names = shown
        .iter()
        .map(|(_, node)| width(&visible(node.node_id.as_str())));
    let names = names.max().unwrap_or(0).min(WIDEST).min(moment.columns / 3);
    let words = shown.iter().map(|(_, node)| width(&word(node)));
    let words = words.max().unwrap_or(0);
    for (place, node) in &shown {
        let name = match Some(*place) == moment.chosen {
            true => style::CHOSEN,
            false => style::PLAIN,
        };
        lines.push(node_line(node, name, names, words, moment));
    }
    if shown.len() < all {
        let counts = &view.counts;
        let hidden = |state, count: usize| {
            count - shown.iter().filter(|(_, node)| node.state == state).count()
        };
        let rest: Vec<String> = [
            (NodeState::Running, counts.running),
            (NodeState::Retrying, counts.retrying),
            (NodeState::AwaitingInput, counts.awaiting_input),
            (NodeState::Failed, counts.failed),
            (NodeState::Completed, counts.completed),
            (NodeState::Skipped, counts.skipped),
            (NodeState::Cancelled, counts.cancelled),
            (NodeState::Pending, counts.pending),
        ]
        .into_iter()
        .map(|(state, count)| (state, hidden(state, count)))
        .filter(|(_, hidden)| *hidden > 0)
        .map(|(state, hidden)| format!("{hidden} {}", style::state_word(state)))
        .collect();
        let text = format!("  … and {} more: {}", all - shown.len(), rest.join(", "));
        lines.push(Line::new(moment.columns).add(style::DIM, &text).text);
    }
}

/// The state, and the attempt where it is not the first.
fn word(node: &NodeView) -> String {
    let word = style::state_word(node.state);
    match node.attempt {
        0 | 1 => word.to_owned(),
        attempt => format!("{word}, attempt {attempt}"),
    }
}

fn node_line(
    node: &NodeView,
    emphasis: Style,
    names: usize,
    words: usize,
    moment: Moment,
) -> String {
    let colour = style::state_style(node.state);
    let sign = style::state_sign(node.state, moment.tick);
    let name = pad_name(&visible(node.node_id.as_str()), names);
    let time = match (node.state, node.started_at, node.duration_ms) {
        (NodeState::Running | NodeState::AwaitingInput, Some(started), _) => {
            duration(moment.now.since(started))
        }
        (NodeState::Retrying, _, _) => node.retry_at.map_or_else(String::new, |at| {
            format!("in {}", duration(at.since(moment.now)))
        }),
        (_, Some(_), Some(took)) => millis(took),
        _ => String::new(),
    };
    let line = Line::new(moment.columns)
        .add(colour, &format!("{sign} "))
        .add(emphasis, &name)
        .add(colour, &format!("  {}", pad(&word(node), words)))
        .add(style::DIM, &format!("  {time:>8}"));
    let line = bar(node, line);
    let about = describe::node(node);
    match about.is_empty() {
        true => line.text,
        false => line.add(style::PLAIN, &format!("  {about}")).text,
    }
}

/// A bar for what is counted.
fn bar(node: &NodeView, line: Line) -> Line {
    const CELLS: u64 = 12;
    let counted = node
        .progress
        .as_deref()
        .filter(|_| node.state == NodeState::Running);
    let Some((done, total)) = counted.and_then(|progress| progress.done.zip(progress.total)) else {
        return line;
    };
    if total == 0 || line.room < 60 {
        return line;
    }
    let full = u128::from(done.min(total)) * u128::from(CELLS) / u128::from(total);
    let cells: String = (0..u128::from(CELLS))
        .map(|at| if at < full { '━' } else { '─' })
        .collect();
    line.add(
        style::state_style(NodeState::Running),
        &format!("  {cells}"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shipsec_core::{RunId, event::Event};

    use super::*;

    /// A run of these nodes, each with the events that happened to it.
    fn view(nodes: usize) -> RunView {
        let ids: Vec<_> = (0..nodes).map(|at| format!("n{at:02}")).collect();
        let run = "0199aaaa-0000-7000-8000-000000000000";
        let actions: Vec<_> = ids
            .iter()
            .map(|id| json!({"ref": id, "componentId": "dev.sleep", "componentVersion": "1.0.0", "params": {}, "dependsOn": []}))
            .collect();
        let metadata: serde_json::Map<_, _> = ids
            .iter()
            .map(|id| (id.clone(), json!({"ref": id})))
            .collect();
        let definition = json!({"version": 1, "workflowId": "w", "title": "Recon", "entrypoint": {"ref": "n00"},
            "nodes": metadata, "edges": [], "dependencyCounts": {}, "actions": actions,
            "config": {"failurePolicy": "finish"}});
        let started =
            json!({"componentId": "dev.sleep", "componentVersion": "1.0.0", "joinStrategy": "all"});
        let mut events = vec![
            json!({"type": "WORKFLOW_STATUS", "payload": {"status": "RUNNING", "definition": definition}}),
        ];
        for (at, id) in ids.iter().enumerate().take(6) {
            events.push(
                json!({"type": "NODE_STARTED", "nodeId": id, "attempt": 1, "payload": started}),
            );
            let (kind, payload) = match at {
                0 => ("NODE_COMPLETED", json!({"outputs": {}, "durationMs": 12.0})),
                1 => (
                    "NODE_PROGRESS",
                    json!({"done": 89, "total": 127, "unit": "hosts"}),
                ),
                2 => (
                    "NODE_FAILED",
                    json!({"willRetry": true, "retryAt": "2026-01-01T00:00:04Z",
                    "error": {"kind": "NetworkError", "message": "no route", "retryable": true}}),
                ),
                3 => (
                    "NODE_FAILED",
                    json!({"willRetry": false,
                    "error": {"kind": "NotFoundError", "message": "no\u{1b}[2J such host", "retryable": false}}),
                ),
                4 => (
                    "NODE_AWAITING_INPUT",
                    json!({"requestId": "1", "kind": "approval", "title": "Go on?"}),
                ),
                _ => ("NODE_CANCELLED", json!({"reason": "interrupted"})),
            };
            events.push(json!({"type": kind, "nodeId": id, "attempt": 1, "payload": payload}));
        }
        let events: Vec<Event> = (1..)
            .zip(events)
            .map(|(sequence, mut event)| {
                event["runId"] = run.into();
                event["sequence"] = sequence.into();
                event["timestamp"] = "2026-01-01T00:00:00Z".into();
                serde_json::from_value(event).unwrap()
            })
            .collect();
        RunView::from_events(RunId::parse(run).unwrap(), &events)
    }

    fn picture(nodes: usize, columns: usize, rows: usize) -> String {
        let logs = vec![
            LogLine {
                node: "n01".into(),
                level: Level::Info,
                text: "scanning".into()
            };
            LOG_LINES
        ];
        let moment = Moment {
            columns,
            rows,
            now: "2026-01-01T00:00:02.5Z".parse().unwrap(),
            tick: 3,
            chosen: None,
        };
        let lines = frame(
            &view(nodes),
            "Recon",
            logs.iter(),
            Some("interrupted"),
            moment,
        );
        assert!(lines.len() <= rows, "{lines:#?}");
        let plain: Vec<_> = lines
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect();
        assert!(
            plain.iter().all(|line| width(line) <= columns),
            "{plain:#?}"
        );
        plain.join("\n")
    }

    #[test]
    fn a_picture_of_every_state() {
        insta::assert_snapshot!(picture(8, 100, 23));
    }

    #[test]
    fn what_moves_and_what_failed_is_seen_where_room_is_short() {
        insta::assert_snapshot!(picture(40, 80, 13));
    }

    #[test]
    fn no_screen_is_too_small() {
        for rows in 0..30 {
            for columns in [0, 1, 2, 5, 10, 40, 200] {
                picture(10, columns, rows);
            }
        }
    }
}
