//! Gives requests' spans their names on the way out: `POST /v1/chat/completions` (OpenTelemetry's convention for
//! servers). A request's route is known only after its span has begun, and a span that has begun keeps its name.

use std::time::Duration;

use opentelemetry::{Key, trace::SpanKind};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};

const ROUTE: Key = Key::from_static_str("http.route");
const METHOD: Key = Key::from_static_str("http.request.method");

/// An exporter before which spans get their names.
#[derive(Debug)]
pub(super) struct Named<E>(pub(super) E);

impl<E: SpanExporter> SpanExporter for Named<E> {
    fn export(&self, mut batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        batch.iter_mut().for_each(name);
        self.0.export(batch)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn name(span: &mut SpanData) {
    if span.span_kind != SpanKind::Server {
        return;
    }
    let attribute = |key: &Key| span.attributes.iter().find(|pair| pair.key == *key).map(|pair| pair.value.as_str());
    if let (Some(method), Some(route)) = (attribute(&METHOD), attribute(&ROUTE)) {
        span.name = format!("{method} {route}").into();
    }
}
