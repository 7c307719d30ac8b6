//! Lines of a node's log.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value as Json;

use super::Context;
use crate::event::{EventKind, Level, LogPayload, Stream};

/// The longest message of an event, in bytes. What is longer is cut, and says so.
pub(crate) const MESSAGE_LIMIT: usize = 64 * 1024;

/// One line of a node's log on its way; dropping it without [`send`](Self::send) logs nothing.
#[derive(Debug)]
#[must_use = "a line is logged by `send`"]
pub struct LogLine<'a> {
    cx: &'a Context,
    level: Level,
    message: Arc<str>,
    payload: LogPayload,
}

impl<'a> LogLine<'a> {
    pub(super) fn new(cx: &'a Context, level: Level, message: impl AsRef<str>) -> Self {
        let message = shortened(message.as_ref());
        Self {
            cx,
            level,
            message,
            payload: LogPayload::default(),
        }
    }

    /// Adds a field. A value that has no JSON is logged as its error.
    pub fn field(mut self, key: impl Into<String>, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value)
            .unwrap_or_else(|error| Json::String(format!("(no JSON: {error})")));
        self.payload.fields.insert(key.into(), value);
        self
    }

    /// Says that a tool wrote the line.
    pub fn stream(mut self, stream: Stream) -> Self {
        self.payload.stream = stream;
        self
    }

    /// Logs the line. Never waits: where the store does not keep up, lines are left out, and an
    /// event of its own counts them.
    pub fn send(self) {
        self.cx.observe(
            self.level,
            Some(self.message),
            EventKind::NodeLog(Box::new(self.payload)),
        );
    }
}

/// Cuts a message that is longer than an event may carry, at a character's edge.
pub(crate) fn shortened(message: &str) -> Arc<str> {
    if message.len() <= MESSAGE_LIMIT {
        return message.into();
    }
    let end = message.floor_char_boundary(MESSAGE_LIMIT);
    format!(
        "{}… ({} bytes left out)",
        &message[..end],
        message.len() - end
    )
    .into()
}
