//! A run at one moment: for a terminal as a pure function of what is known and the size of the
//! screen, and as plain lines.

use std::io::{self, Write};

use shipsec_core::{
    NodeId,
    event::{Event, Timestamp},
    run::{RunView, replay::Playback},
};

use super::{
    describe,
    frame::{LOG_LINES, Line, LogLine, Moment, frame},
    style,
};
use crate::text::{duration, visible, width};

/// What the keys do, in one line.
const HELP: &str = "space play  ←→ event  ↑↓ node  n/p change  +/- speed  g gaps  home end  q quit";

/// The fewest rows that also show the event and the keys.
const ROOMY: usize = 8;

/// What is shown of one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// The state.
    pub(crate) view: &'a RunView,
    /// Of the workflow.
    pub(crate) title: &'a str,
    /// The last events, this moment's at the end.
    pub(crate) events: &'a [Event],
    /// The last sequence number of the log.
    pub(crate) last: u64,
    /// When the run started, and where its clock is.
    pub(crate) times: Option<(Timestamp, Timestamp)>,
    /// The node that somebody looks at.
    pub(crate) chosen: Option<&'a NodeId>,
    /// Turns what runs.
    pub(crate) tick: usize,
}

impl Scene<'_> {
    /// The picture for a screen: at most `rows` lines, each at most `columns` wide.
    pub(crate) fn picture(&self, playback: &Playback, columns: usize, rows: usize) -> Vec<String> {
        let mut below = vec![self.bar(playback, columns)];
        if rows >= ROOMY {
            below.insert(0, Line::new(columns).add(style::BOLD, &self.event()).text);
            below.push(Line::new(columns).add(style::DIM, HELP).text);
        }
        let mut lines = self.frame(columns, rows.saturating_sub(below.len()));
        // What is below stays in its place.
        lines.resize(rows.saturating_sub(below.len()), String::new());
        lines.append(&mut below);
        lines.truncate(rows);
        lines
    }

    fn frame(&self, columns: usize, rows: usize) -> Vec<String> {
        let logs: Vec<LogLine> = self.events.iter().flat_map(LogLine::of).collect();
        let logs = &logs[logs.len().saturating_sub(LOG_LINES)..];
        let chosen = self.chosen.and_then(|chosen| {
            let mut nodes = self.view.nodes();
            nodes.position(|(id, _)| id == chosen)
        });
        let moment = Moment {
            columns,
            rows,
            now: self.times.map_or_else(Timestamp::default, |(_, now)| now),
            tick: self.tick,
            chosen,
        };
        frame(self.view, self.title, logs.iter(), None, moment)
    }

    /// `event 17/120  +1.2 s  probe: scanned 89/127 hosts`
    fn event(&self) -> String {
        let mut text = format!("event {}/{}", self.view.sequence, self.last);
        if let Some((started, now)) = self.times {
            text.push_str(&format!("  +{}", duration(now.since(started))));
        }
        match self.events.last() {
            Some(event) => {
                let node = event.node_id();
                let node = node.map_or("run".into(), |id| visible(id.as_str()));
                text.push_str(&format!("  {node}: {}", describe::event(event)));
            }
            None => text.push_str("  before the first event"),
        }
        text
    }

    /// Whether it plays, how, and how far it is.
    fn bar(&self, playback: &Playback, columns: usize) -> String {
        const WIDEST: usize = 40;
        let state = match playback.is_playing() {
            true => "▶ playing",
            false => "‖ paused",
        };
        let mut line = Line::new(columns).add(style::BOLD, state);
        let mut add = |text: String| {
            let room = line.room;
            let rest = std::mem::replace(&mut line, Line::new(0));
            line = match width(&text) < room {
                true => rest.add(style::PLAIN, &text),
                false => rest,
            };
        };
        add(format!("  {}", playback.speed()));
        if let Some(gap) = playback.longest_gap() {
            add(format!("  gaps ≤ {}", duration(gap)));
        }
        if let Some(node) = self.chosen {
            add(format!("  node {}", visible(node.as_str())));
        }
        let cells = line.room.saturating_sub(2).min(WIDEST);
        if cells < 8 {
            return line.text;
        }
        let share = u128::from(self.view.sequence) * cells as u128 / u128::from(self.last.max(1));
        let full = usize::try_from(share).unwrap_or(cells).min(cells);
        let played = format!("  {}", "━".repeat(full));
        line.add(style::status_style(self.view.status), &played)
            .add(style::DIM, &"─".repeat(cells - full))
            .text
    }
}

/// Writes the state at a moment as plain lines.
pub(crate) fn state(out: &mut dyn Write, scene: &Scene<'_>) -> io::Result<()> {
    // As wide and as long as it is.
    for line in scene.frame(usize::MAX, usize::MAX) {
        writeln!(out, "{line}")?;
    }
    let bold = style::BOLD;
    writeln!(out, "{bold}{}{bold:#}", scene.event())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shipsec_core::{RunId, run::replay::Timeline};

    use super::*;

    fn log() -> Vec<Event> {
        let action = |id| {
            json!({"ref": id, "componentId": "dev.sleep", "componentVersion": "1.0.0",
                   "params": {}, "dependsOn": []})
        };
        let actions: Vec<_> = (0..20).map(|at| action(format!("n{at:02}"))).collect();
        let definition = json!({
            "version": 1, "workflowId": "w", "title": "Recon", "entrypoint": {"ref": "n00"},
            "nodes": {}, "edges": [], "dependencyCounts": {}, "config": {}, "actions": actions,
        });
        let started =
            json!({"componentId": "dev.sleep", "componentVersion": "1.0.0", "joinStrategy": "all"});
        let made = [
            (
                "WORKFLOW_STATUS",
                "",
                json!({"status": "RUNNING", "definition": definition}),
            ),
            ("NODE_STARTED", "n00", started.clone()),
            ("NODE_STARTED", "n01", started),
            ("NODE_LOG", "n01", json!({})),
        ];
        (1..)
            .zip(made)
            .map(|(sequence, (kind, node, payload))| {
                let mut event = json!({
                    "runId": "nightly", "sequence": sequence, "type": kind, "payload": payload,
                    "timestamp": format!("2026-01-01T00:00:0{sequence}Z"), "counter": sequence,
                    "message": "looks\u{1b}[2J around",
                });
                if !node.is_empty() {
                    event["nodeId"] = node.into();
                    event["attempt"] = 1.into();
                }
                serde_json::from_value(event).unwrap()
            })
            .collect()
    }

    /// Half of a log, paused, with a look at a node that has not started.
    fn picture(columns: usize, rows: usize) -> String {
        let (events, run) = (log(), RunId::parse("nightly").unwrap());
        let mut timeline = Timeline::new(run.clone());
        for event in &events {
            timeline.push(event);
        }
        let longest = std::time::Duration::from_secs(2);
        let mut playback = Playback::new().with_longest_gap(Some(longest));
        playback.jump(&timeline, 4);
        let chosen = NodeId::from("n17");
        let scene = Scene {
            view: &RunView::from_events(run, &events),
            title: "Recon",
            events: &events,
            last: 8,
            times: timeline.time_of(1).zip(playback.clock(&timeline)),
            chosen: Some(&chosen),
            tick: 0,
        };
        let lines = scene.picture(&playback, columns, rows);
        assert!(lines.len() <= rows, "{lines:#?}");
        let plain = lines
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string());
        let plain: Vec<String> = plain.map(|line| line.trim_end().to_owned()).collect();
        assert!(
            plain.iter().all(|line| width(line) <= columns),
            "{plain:#?}"
        );
        assert!(!plain.concat().contains(crate::text::is_unsafe));
        plain.join("\n")
    }

    #[test]
    fn a_picture_of_a_moment() {
        insta::assert_snapshot!(picture(100, 18));
    }

    #[test]
    fn the_chosen_node_is_seen_where_room_is_short() {
        let shown = picture(80, 10);
        assert!(shown.contains("· n17"), "{shown}");
        assert!(shown.contains("more:"), "{shown}");
    }

    #[test]
    fn no_screen_is_too_small() {
        for rows in 0..30 {
            for columns in [0, 1, 2, 5, 10, 40, 200] {
                picture(columns, rows);
            }
        }
    }
}
