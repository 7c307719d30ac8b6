//! `tracing` events inside a node's span become lines of the node's log.

use std::{cell::RefCell, fmt};

use serde_json::{Map, Value as Json};
use tracing::{
    Event, Level as TracingLevel, Span, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{Layer, layer::Context as LayerContext, registry::LookupSpan};

use super::Context;
use crate::event::{EventKind, Level, LogPayload};

thread_local! {
    /// The context whose span is being made on this thread.
    static OPENING: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// A layer that turns `tracing` events inside a node's span into `NODE_LOG`. A host adds it to its
/// subscriber; events outside of nodes pass by it.
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt as _;
///
/// let subscriber = tracing_subscriber::registry().with(shipsec_core::context::NodeLogLayer::new());
/// # let _ = subscriber;
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct NodeLogLayer(());

impl NodeLogLayer {
    /// The layer.
    pub fn new() -> Self {
        Self::default()
    }
}

/// The span of one attempt. It costs next to nothing where nobody subscribes.
pub(crate) fn node_span(cx: &Context) -> Span {
    if !tracing::enabled!(target: "shipsec::node", tracing::Level::ERROR) {
        return Span::none();
    }
    OPENING.with_borrow_mut(|opening| *opening = Some(cx.clone()));
    let span = tracing::error_span!(
        target: "shipsec::node",
        "node",
        run = %cx.run_id(),
        node = %cx.node_id(),
        attempt = cx.attempt(),
    );
    OPENING.with_borrow_mut(Option::take);
    span
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for NodeLogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: LayerContext<'_, S>) {
        if attributes.metadata().target() != "shipsec::node" {
            return;
        }
        if let (Some(node), Some(span)) = (OPENING.with_borrow(Clone::clone), cx.span(id)) {
            span.extensions_mut().replace(node);
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: LayerContext<'_, S>) {
        let Some(scope) = cx.event_scope(event) else {
            return;
        };
        let node = scope
            .into_iter()
            .find_map(|span| span.extensions().get::<Context>().cloned());
        let Some(node) = node else { return };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = match *event.metadata().level() {
            TracingLevel::ERROR => Level::Error,
            TracingLevel::WARN => Level::Warn,
            TracingLevel::INFO => Level::Info,
            _ => Level::Debug,
        };
        fields
            .rest
            .insert("target".into(), event.metadata().target().into());
        let payload = LogPayload {
            fields: fields.rest,
            ..LogPayload::default()
        };
        let message = super::log::shortened(&fields.message);
        node.observe(level, Some(message), EventKind::NodeLog(Box::new(payload)));
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: Map<String, Json>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Json) {
        match (field.name(), value) {
            ("message", Json::String(text)) => self.message = text,
            ("message", other) => self.message = other.to_string(),
            (name, value) => {
                self.rest.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}
