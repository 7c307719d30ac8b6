//! What the library has to say beside the log of a run: that a store is away, for example.

use std::fmt::{self, Write as _};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

/// Passes on warnings of the library that belong to no node: what is said inside a node's span is
/// in the log already.
pub(crate) struct Notices(UnboundedSender<String>);

impl Notices {
    /// The layer, and where its notices arrive.
    pub(crate) fn new() -> (Self, UnboundedReceiver<String>) {
        let (send, receive) = unbounded_channel();
        (Self(send), receive)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Notices {
    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN || !metadata.target().starts_with("shipsec") {
            return;
        }
        let mut spans = cx.event_scope(event).into_iter().flatten();
        if spans.any(|span| span.metadata().target() == "shipsec::node") {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        // Nobody listens any more once the run is over.
        let _ = self.0.send(text.whole());
    }
}

#[derive(Default)]
struct Text {
    message: String,
    error: String,
}

impl Text {
    fn whole(self) -> String {
        match self.error.is_empty() {
            true => self.message,
            false => format!("{}: {}", self.message, self.error),
        }
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = match field.name() {
            "message" => &mut self.message,
            "error" => &mut self.error,
            _ => return,
        };
        let _ = write!(text, "{value:?}");
    }
}
