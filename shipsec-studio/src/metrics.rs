//! What the API did, in the text format of OpenMetrics, which Prometheus reads.

use std::{sync::atomic::AtomicI64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// Media type of the text: OpenMetrics 1.0.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    /// As it was declared, so that ids make no series of their own.
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    pub(crate) streams: Gauge<i64, AtomicI64>,
    pub(crate) runs_started: Counter,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("shipsec_studio");
        let requests = Family::default();
        // From 0.5 ms to 16 s.
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.0005, 2.0, 16));
        let durations = Family::new_with_constructor(histogram);
        let (streams, runs_started) = (Gauge::default(), Counter::default());
        registry.register(
            "requests",
            "Requests by their outcome",
            Family::clone(&requests),
        );
        registry.register_with_unit(
            "request_duration",
            "Time until the head of the reply",
            Unit::Seconds,
            Family::clone(&durations),
        );
        registry.register(
            "event_streams",
            "Event streams that are open",
            Gauge::clone(&streams),
        );
        registry.register(
            "runs_started",
            "Runs started over the API",
            Counter::clone(&runs_started),
        );
        Self {
            registry,
            requests,
            durations,
            streams,
            runs_started,
        }
    }

    pub(crate) fn request(&self, method: &http::Method, route: &str, status: u16, took: Duration) {
        // Any text may be a method.
        let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
        let method = known.into_iter().find(|known| *known == method.as_str());
        let request = Request {
            method: method.unwrap_or("other").to_owned(),
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&request).inc();
        let route = Route {
            route: route.to_owned(),
        };
        self.durations
            .get_or_create(&route)
            .observe(took.as_secs_f64());
    }

    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
