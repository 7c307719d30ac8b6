//! What is said at the end of a run.

use std::{
    collections::HashMap,
    io::{self, Write},
    path::PathBuf,
};

use serde_json::Value as Json;
use shipsec_core::{
    NodeId,
    event::{Event, WorkflowStatus},
    run::{ArtifactView, NodeState, NodeView, PortOutput, RunOutputs, RunView},
};

use super::{describe, style};
use crate::text::{bytes, counted, duration, fit, millis, pad, pad_name, visible, width};

/// Nodes that are listed at most.
const MOST_NODES: usize = 40;
/// Outputs that are listed at most.
const MOST_OUTPUTS: usize = 20;
/// The longest output that is shown, in columns.
const LONGEST_OUTPUT: usize = 160;
/// Log lines of a failed node that are repeated.
pub(crate) const LAST_LINES: usize = 30;
/// Failed nodes whose log is repeated.
pub(crate) const MOST_LOGS: usize = 3;

/// The end of a run, and what the view alone does not know.
#[derive(Debug)]
pub(crate) struct Ending<'a> {
    pub(crate) view: &'a RunView,
    /// Artifacts, with a path by name where they have one.
    pub(crate) artifacts: Vec<(&'a ArtifactView, Option<PathBuf>)>,
    /// The last log lines of nodes that failed.
    pub(crate) logs: Vec<(NodeId, Vec<Event>)>,
    /// The arguments that name the store to other commands, with a space before each.
    pub(crate) place: String,
}

impl Ending<'_> {
    /// Says it.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.nodes(out)?;
        self.logs(out)?;
        self.outputs(out)?;
        self.artifacts(out)?;
        self.verdict(out)
    }

    /// All nodes of a small workflow; of a large one those that did not complete.
    fn notable(&self) -> impl Iterator<Item = &NodeView> {
        let all = self.view.nodes().len();
        let notable = move |node: &&NodeView| {
            all <= MOST_NODES || !matches!(node.state, NodeState::Completed | NodeState::Skipped)
        };
        self.view.nodes().map(|(_, node)| node).filter(notable)
    }

    fn nodes(&self, out: &mut impl Write) -> io::Result<()> {
        let count = self.notable().count();
        let rows: Vec<_> = self
            .notable()
            .take(MOST_NODES)
            .map(|node| (node, word(node)))
            .collect();
        let names = rows
            .iter()
            .map(|(node, _)| width(&visible(node.node_id.as_str())));
        let names = names.max().unwrap_or(0).min(40);
        let words = rows.iter().map(|(_, word)| width(word)).max().unwrap_or(0);
        for (node, word) in rows {
            let below = node
                .error
                .as_deref()
                .filter(|_| node.state == NodeState::Failed);
            let below = below.into_iter().flat_map(describe::fields);
            let colour = style::state_style(node.state);
            let took = match (node.started_at, node.duration_ms) {
                (Some(_), Some(took)) => millis(took),
                _ => String::new(),
            };
            let line = format!(
                "{colour}{}{colour:#} {}  {colour}{}{colour:#}  {took:>8}  {}",
                style::state_sign(node.state, 0),
                pad_name(&visible(node.node_id.as_str()), names),
                pad(&word, words),
                describe::node(node)
            );
            writeln!(out, "{}", line.trim_end())?;
            for field in below {
                writeln!(out, "    {field}")?;
            }
        }
        if count > MOST_NODES {
            writeln!(out, "  … and {} more", count - MOST_NODES)?;
        }
        writeln!(out)
    }

    fn logs(&self, out: &mut impl Write) -> io::Result<()> {
        for (node, events) in &self.logs {
            let bold = style::BOLD;
            let name = visible(node.as_str());
            if events.is_empty() {
                writeln!(
                    out,
                    "{bold}{name}{bold:#} logged nothing before it failed\n"
                )?;
                continue;
            }
            writeln!(out, "{bold}Log of {name}{bold:#}")?;
            for event in events {
                let colour = style::level_style(event.level);
                writeln!(out, "  {colour}{}{colour:#}", describe::event(event))?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    fn outputs(&self, out: &mut impl Write) -> io::Result<()> {
        let outputs = RunOutputs::from(self.view).outputs;
        let ports: Vec<(String, String)> = outputs
            .iter()
            .flat_map(|(node, ports)| ports.iter().map(move |(port, output)| (node, port, output)))
            .filter_map(|(node, port, output)| {
                Some((
                    format!("{}.{}", visible(node.as_str()), visible(port.as_str())),
                    shown(output)?,
                ))
            })
            .collect();
        if ports.is_empty() {
            return Ok(());
        }
        let bold = style::BOLD;
        writeln!(out, "{bold}Outputs{bold:#}")?;
        let names = ports
            .iter()
            .take(MOST_OUTPUTS)
            .map(|(name, _)| width(name))
            .max()
            .unwrap_or(0);
        for (name, value) in ports.iter().take(MOST_OUTPUTS) {
            writeln!(out, "  {}  {value}", pad(name, names.min(40)))?;
        }
        if ports.len() > MOST_OUTPUTS {
            let more = ports.len() - MOST_OUTPUTS;
            writeln!(
                out,
                "  … and {more} more: shipsec outputs {}{}",
                self.view.run_id, self.place
            )?;
        }
        writeln!(out)
    }

    fn artifacts(&self, out: &mut impl Write) -> io::Result<()> {
        if self.artifacts.is_empty() {
            return Ok(());
        }
        let bold = style::BOLD;
        writeln!(out, "{bold}Artifacts{bold:#}")?;
        let place = |artifact: &ArtifactView, path: &Option<PathBuf>| match path {
            Some(path) => visible(&path.display().to_string()).into_owned(),
            None => visible(&artifact.artifact.name).into_owned(),
        };
        let rows = self.artifacts.iter().take(MOST_OUTPUTS);
        let names = rows
            .clone()
            .map(|(artifact, path)| width(&place(artifact, path)))
            .max()
            .unwrap_or(0);
        for (artifact, path) in rows {
            writeln!(
                out,
                "  {}  {:>10}  {}",
                pad(&place(artifact, path), names),
                bytes(artifact.artifact.size),
                visible(&artifact.artifact.media_type)
            )?;
        }
        if self.artifacts.len() > MOST_OUTPUTS {
            let more = self.artifacts.len() - MOST_OUTPUTS;
            writeln!(
                out,
                "  … and {more} more: shipsec artifacts {}{}",
                self.view.run_id, self.place
            )?;
        }
        writeln!(out)
    }

    fn verdict(&self, out: &mut impl Write) -> io::Result<()> {
        let view = self.view;
        let colour = style::status_style(view.status).bold();
        let took = match (view.started_at, view.completed_at.or(view.updated_at)) {
            (Some(from), Some(to)) => duration(to.since(from)),
            _ => "no time".to_owned(),
        };
        let nodes = counted(view.nodes().len(), "node", "nodes");
        writeln!(
            out,
            "{colour}{}{colour:#} after {took}, {nodes}: {}",
            view.status,
            self.counts()
        )?;
        // The error of a node that is listed stands there.
        let listed = |id: &NodeId| {
            self.notable()
                .take(MOST_NODES)
                .any(|node| node.node_id == *id)
        };
        if let Some(failure) = &view.failure
            && !failure.node_id.as_ref().is_some_and(listed)
        {
            writeln!(out, "{}", visible(&failure.reason))?;
        }
        self.taken_over(out)?;
        if view.status != WorkflowStatus::Completed {
            let (run, place) = (&view.run_id, &self.place);
            writeln!(out, "the whole log: shipsec events {run}{place}")?;
        }
        Ok(())
    }

    /// What an earlier run gave.
    fn taken_over(&self, out: &mut impl Write) -> io::Result<()> {
        let nodes = self.view.nodes().map(|(_, node)| node);
        let taken: Vec<&NodeView> = nodes.filter(|node| node.reused_from.is_some()).collect();
        let Some(from) = taken.first().and_then(|node| node.reused_from.as_ref()) else {
            return Ok(());
        };
        let ids = taken.iter().take(MOST_NODES);
        let ids: Vec<_> = ids.map(|node| visible(node.node_id.as_str())).collect();
        let more = match taken.len().saturating_sub(MOST_NODES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let all = self.view.nodes().len();
        let (count, ids) = (taken.len(), ids.join(", "));
        writeln!(
            out,
            "{count} of {all} nodes taken over from run {from}: {ids}{more}"
        )
    }

    fn counts(&self) -> String {
        let counts = &self.view.counts;
        let nodes = self.view.nodes().map(|(_, node)| node);
        let handled = nodes.filter(|node| node.handled_by.is_some()).count();
        let parts: Vec<String> = [
            (counts.completed, "completed"),
            (counts.failed.saturating_sub(handled), "failed"),
            (handled, "failed and handled"),
            (counts.skipped, "skipped"),
            (counts.cancelled, "cancelled"),
            (self.view.nodes().len() - counts.finished(), "unfinished"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
        parts.join(", ")
    }
}

/// The state of a node, and the attempt that led to it where it was not the first.
fn word(node: &NodeView) -> String {
    let word = style::state_word(node.state);
    match node.attempt {
        0 | 1 => word.to_owned(),
        attempt => format!("{word} in attempt {attempt}"),
    }
}

/// Failed nodes whose failure nothing handled.
pub(crate) fn failed(view: &RunView) -> Vec<NodeId> {
    let unhandled = |node: &&NodeView| node.state == NodeState::Failed && node.handled_by.is_none();
    let nodes = view.nodes().map(|(_, node)| node).filter(unhandled);
    nodes
        .take(MOST_LOGS)
        .map(|node| node.node_id.clone())
        .collect()
}

/// The last log lines of some nodes, out of all events of a run.
#[derive(Debug)]
pub(crate) struct Tails(HashMap<NodeId, std::collections::VecDeque<Event>>);

impl Tails {
    /// Of these nodes.
    pub(crate) fn of(nodes: &[NodeId]) -> Self {
        Self(
            nodes
                .iter()
                .map(|node| (node.clone(), Default::default()))
                .collect(),
        )
    }

    /// Takes an event.
    pub(crate) fn event(&mut self, event: &Event) {
        use shipsec_core::event::EventKind;
        let said = match &event.kind {
            // That it failed in the end is told with the node.
            EventKind::NodeFailed(failed) => failed.will_retry,
            EventKind::NodeLog(_) => true,
            _ => event.level >= shipsec_core::event::Level::Warn,
        };
        if let (true, Some(node)) = (said, event.node_id())
            && let Some(tail) = self.0.get_mut(node)
        {
            if tail.len() == LAST_LINES {
                tail.pop_front();
            }
            tail.push_back(event.clone());
        }
    }

    /// The lines, node by node.
    pub(crate) fn lines(mut self, nodes: Vec<NodeId>) -> Vec<(NodeId, Vec<Event>)> {
        let lines = |node: NodeId| {
            let tail = self.0.remove(&node).unwrap_or_default();
            (node, tail.into())
        };
        nodes.into_iter().map(lines).collect()
    }
}

/// An output in one line; `None` where it says nothing.
fn shown(output: &PortOutput) -> Option<String> {
    Some(match output {
        PortOutput::Value { value, .. } => match value.json() {
            Ok(Json::Null) => return None,
            Ok(Json::String(text)) => fit(&visible(text), LONGEST_OUTPUT).into_owned(),
            Ok(json @ (Json::Array(_) | Json::Object(_))) => large(json),
            Ok(json) => json.to_string(),
            Err(error) => visible(&error.to_string()).into_owned(),
        },
        PortOutput::Reference { reference, .. } => format!("{} of JSON", bytes(reference.size)),
        PortOutput::Secret { name: Some(name) } => format!("secret {}", visible(name.as_str())),
        PortOutput::Secret { name: None } => "secret".to_owned(),
        PortOutput::Unreadable { message } => visible(message).into_owned(),
        _ => return None,
    })
}

/// A tree of JSON: a file by its name, what is short as it is, else how much it is.
fn large(json: &Json) -> String {
    let is_file = ["sha256", "location", "size"]
        .iter()
        .all(|key| json.get(key).is_some());
    if let (true, Some(name)) = (is_file, json.get("name").and_then(Json::as_str)) {
        return format!("file {}", visible(name));
    }
    let (count, one, many) = match json {
        Json::Array(items) => (items.len(), "item", "items"),
        Json::Object(fields) => (fields.len(), "field", "fields"),
        _ => (0, "", ""),
    };
    if count <= 16 {
        let text = json.to_string();
        if text.len() <= LONGEST_OUTPUT {
            return visible(&text).into_owned();
        }
    }
    counted(count, one, many)
}
