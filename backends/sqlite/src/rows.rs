//! Records as rows, in both directions.

use std::{path::Path, sync::Arc};

use rusqlite::{Row, types::ValueRef};
use shipsec_core::{
    NodeId, RunId,
    event::{Event, EventKind, Level, NodeRef, Record, Timestamp},
    trace::{StoreError, StoreErrorKind},
};

pub(crate) const INSERT: &str = "
    INSERT INTO events (run, sequence, timestamp, type, level, node, attempt, counter, message, payload, extra)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (run, node, attempt, counter) DO NOTHING";

pub(crate) const SELECT: &str = "
    SELECT sequence, timestamp, type, level, node, attempt, counter, message, payload, extra
    FROM events WHERE run = (SELECT key FROM runs WHERE run_id = ?1) AND sequence > ?2
    ORDER BY sequence LIMIT ?3";

/// What of a record is text and must be made before the transaction.
pub(crate) struct Texts {
    pub(crate) payload: String,
    pub(crate) extra: Option<String>,
}

pub(crate) fn texts(record: &Record, path: &Path) -> Result<Texts, StoreError> {
    let failed = |error: serde_json::Error| {
        let message = format!(
            "trace store {}: event {} of node {} has no JSON: {error}",
            path.display(),
            record.kind.type_name(),
            record.node_id().map_or("-", NodeId::as_str)
        );
        StoreError::new(StoreErrorKind::Other, message)
    };
    let extra = record.extra.as_ref().map(serde_json::to_string).transpose();
    Ok(Texts {
        payload: serde_json::to_string(&record.kind).map_err(failed)?,
        extra: extra.map_err(failed)?,
    })
}

pub(crate) fn level_number(level: Level) -> i64 {
    match level {
        Level::Debug => 0,
        Level::Info => 1,
        Level::Warn => 2,
        Level::Error => 3,
    }
}

fn level(number: i64) -> Level {
    match number {
        0 => Level::Debug,
        2 => Level::Warn,
        3 => Level::Error,
        _ => Level::Info,
    }
}

/// Reads rows into events; the ids of nodes are shared between events.
pub(crate) struct Reader<'a> {
    run: &'a RunId,
    path: &'a Path,
    last_node: Option<NodeId>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(run: &'a RunId, path: &'a Path) -> Self {
        Self {
            run,
            path,
            last_node: None,
        }
    }

    pub(crate) fn event(&mut self, row: &Row<'_>) -> Result<Event, StoreError> {
        self.read(row).map_err(|error| match error {
            Unreadable::Row(error) => crate::error::store_error(self.path, "reading", &error),
            Unreadable::Event(error) => StoreError::new(
                StoreErrorKind::Corrupt,
                format!(
                    "trace store {}: an event of run {} cannot be read: {error}",
                    self.path.display(),
                    self.run
                ),
            ),
        })
    }

    fn read(&mut self, row: &Row<'_>) -> Result<Event, Unreadable> {
        let sequence = row.get::<_, i64>(0)?;
        let node = text(row.get_ref(4)?)?;
        let node = match (&self.last_node, node) {
            (_, "") => None,
            (Some(last), node) if *last == node => Some(last.clone()),
            (_, node) => {
                self.last_node = Some(NodeId::from(node));
                self.last_node.clone()
            }
        };
        let message = match row.get_ref(7)? {
            ValueRef::Null => None,
            value => Some(Arc::from(text(value)?)),
        };
        let mut extra = match row.get_ref(9)? {
            ValueRef::Null => None,
            value => Some(serde_json::from_str(text(value)?)?),
        };
        let kind =
            EventKind::from_wire(text(row.get_ref(2)?)?, text(row.get_ref(8)?)?, &mut extra)?;
        let record = Record {
            timestamp: Timestamp::from_micros(row.get(1)?),
            node: node.map(NodeRef::new),
            attempt: row.get(5)?,
            counter: row.get(6)?,
            level: level(row.get(3)?),
            message,
            kind,
            extra,
        };
        Ok(Event {
            run_id: self.run.clone(),
            sequence: u64::try_from(sequence).unwrap_or(0),
            record,
        })
    }
}

enum Unreadable {
    Row(rusqlite::Error),
    Event(serde_json::Error),
}

impl From<rusqlite::Error> for Unreadable {
    fn from(error: rusqlite::Error) -> Self {
        Self::Row(error)
    }
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::Event(error)
    }
}

fn text(value: ValueRef<'_>) -> Result<&str, Unreadable> {
    value
        .as_str()
        .map_err(|error| Unreadable::Row(error.into()))
}
