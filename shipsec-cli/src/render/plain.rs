//! A line for each event.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use shipsec_core::{
    NodeId,
    event::{Event, EventKind, Timestamp},
    run::RunView,
};

use super::{describe, style};
use crate::calls::waiting;
use crate::text::{pad_name, visible, width};

/// Progress of one node is shown at most this often, in seconds of the log's own time.
const PROGRESS_EVERY: u64 = 2;

/// The widest column of node names.
const WIDEST: usize = 24;

/// The time with its unit, and the space behind it.
const BEFORE_NAMES: usize = 13;

/// Plain lines, each with the time since the start.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    started: Option<Timestamp>,
    names: usize,
    /// The arguments that name the store to other commands, with a space before each.
    place: String,
    shown: HashMap<NodeId, Timestamp>,
}

impl Plain {
    pub(super) fn new(place: &str) -> Self {
        Self {
            place: place.to_owned(),
            ..Self::default()
        }
    }

    /// What a run that goes on waits for already.
    pub(super) fn begin(&mut self, out: &mut dyn Write, view: &RunView) -> io::Result<()> {
        for node in waiting(view) {
            if let Some(asked) = &node.awaiting {
                let (id, title) = (visible(node.node_id.as_str()), visible(&asked.title));
                writeln!(out, "{id} waits for an answer: {title}")?;
                let run = &view.run_id;
                let how = describe::how_to_answer(run, &node.node_id, &asked.kind, &self.place);
                writeln!(out, "  {how}")?;
            }
        }
        Ok(())
    }

    /// What a run that was called has come to wait for.
    pub(super) fn called(
        &mut self,
        out: &mut dyn Write,
        view: &RunView,
        event: &Event,
    ) -> io::Result<()> {
        let (EventKind::NodeAwaitingInput(asked), Some(node)) = (&event.kind, event.node_id())
        else {
            return Ok(());
        };
        let started = *self.started.get_or_insert(event.timestamp);
        let caller = view
            .parent
            .as_ref()
            .and_then(|parent| parent.node_id.as_ref());
        let caller = caller.map_or("run".into(), |id| visible(id.as_str()));
        writeln!(
            out,
            "{:9.3} s  {}  node {} of run {} {}",
            event.timestamp.since(started).as_secs_f64(),
            pad_name(&caller, self.names),
            visible(node.as_str()),
            view.run_id,
            describe::event(event)
        )?;
        let how = describe::how_to_answer(&view.run_id, node, &asked.kind, &self.place);
        self.below(out, &how)
    }

    /// A line that belongs to the one above.
    fn below(&self, out: &mut dyn Write, text: &str) -> io::Result<()> {
        let indent = BEFORE_NAMES + self.names + 4;
        writeln!(out, "{:indent$}{text}", "")
    }

    pub(super) fn event(
        &mut self,
        out: &mut dyn Write,
        view: &RunView,
        event: &Event,
    ) -> io::Result<()> {
        let started = *self.started.get_or_insert(event.timestamp);
        if self.names == 0 {
            let actions = view
                .definition()
                .map_or(&[][..], |definition| &definition.actions);
            // Of a node that runs once for each item those are named.
            let names = view.nodes().take(1000).enumerate().map(|(place, (id, _))| {
                let action = actions.get(place).filter(|action| action.node == *id);
                let each = action.is_some_and(|action| action.for_each.is_some());
                width(&visible(id.as_str())) + if each { "[99]".len() } else { 0 }
            });
            self.names = names.max().unwrap_or(0).clamp(3, WIDEST);
        }
        if let (EventKind::NodeProgress(progress), Some(node)) = (&event.kind, event.node_id())
            && (progress.done.is_none() || progress.done != progress.total)
        {
            let last = self.shown.get(node);
            if last.is_some_and(|last| event.timestamp.since(*last).as_secs() < PROGRESS_EVERY) {
                return Ok(());
            }
            self.shown.insert(node.clone(), event.timestamp);
        }
        // Those the summary tells better.
        if matches!(&event.kind, EventKind::WorkflowStatus(payload) if payload.status.is_final()) {
            return Ok(());
        }
        let node = event
            .node_id()
            .map_or("run".into(), |id| visible(id.as_str()));
        let colour = style::level_style(event.level);
        writeln!(
            out,
            "{:9.3} s  {}  {colour}{}{colour:#}",
            event.timestamp.since(started).as_secs_f64(),
            pad_name(&node, self.names),
            describe::event(event)
        )?;
        for field in describe::fields_of(event) {
            self.below(out, &format!("{colour}{field}{colour:#}"))?;
        }
        if let (EventKind::NodeAwaitingInput(asked), Some(node)) = (&event.kind, event.node_id()) {
            let how = describe::how_to_answer(&view.run_id, node, &asked.kind, &self.place);
            self.below(out, &how)?;
        }
        Ok(())
    }
}
