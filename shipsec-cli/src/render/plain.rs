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
use crate::text::{pad, visible, width};

/// Progress of one node is shown at most this often, in seconds of the log's own time.
const PROGRESS_EVERY: u64 = 2;

/// The widest column of node names.
const WIDEST: usize = 24;

/// Plain lines, each with the time since the start.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    started: Option<Timestamp>,
    names: usize,
    shown: HashMap<NodeId, Timestamp>,
}

impl Plain {
    pub(super) fn event(
        &mut self,
        out: &mut dyn Write,
        view: &RunView,
        event: &Event,
    ) -> io::Result<()> {
        let started = *self.started.get_or_insert(event.timestamp);
        if self.names == 0 {
            let names = view
                .nodes()
                .take(1000)
                .map(|(id, _)| width(&visible(id.as_str())));
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
            pad(&node, self.names),
            describe::event(event)
        )
    }
}
