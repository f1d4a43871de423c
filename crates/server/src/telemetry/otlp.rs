//! Traces to a collector, by OTLP over HTTP.
//!
//! Spans gather in a bounded queue that a thread of the library empties; beyond the bound they are dropped, never waited
//! for. They leave through the same client as everything else.

use std::{fmt, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Limited};
use opentelemetry::{KeyValue, propagation::TextMapPropagator, trace::TracerProvider};
use opentelemetry_http::{HeaderExtractor, HeaderInjector, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use outbound::Trust;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tracing::{Span, Subscriber, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, registry::LookupSpan};

use super::{headers, named::Named};
use crate::config::TelemetryOptions;

/// The longest wait for the collector, once for each batch.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest wait for the last batch.
const LAST_BATCH: Duration = Duration::from_secs(3);
/// Most bytes of a collector's answer that are read.
const MAX_ANSWER: usize = 64 * 1024;

/// The target of requests' spans.
pub(super) const TARGET: &str = "trace";

/// Traces on their way to a collector.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Traces as configured; none without an endpoint. Needs a runtime around it.
    pub(crate) fn start(options: &TelemetryOptions, client: &outbound::Client) -> anyhow::Result<Option<Self>> {
        let Some(endpoint) = &options.otlp_endpoint else { return Ok(None) };
        let headers = match &options.otlp_headers {
            Some(text) => headers(text).map_err(anyhow::Error::msg)?,
            None => Vec::new(),
        };
        let sender = Sender { client: client.clone(), runtime: Handle::current(), headers };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(TIMEOUT)
            .with_http_client(sender)
            .build()?;
        let mut resource = Resource::builder_empty().with_service_name(options.service_name.clone()).with_attributes([
            KeyValue::new("service.namespace", "jan"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ]);
        if let Some(environment) = &options.environment {
            resource = resource.with_attribute(KeyValue::new("deployment.environment.name", environment.clone()));
        }
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(options.sample_ratio)));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.build())
            .with_sampler(sampler)
            .with_batch_exporter(Named(exporter))
            .build();
        client.announce_with(name_trace);
        Ok(Some(Self(provider)))
    }

    /// Makes spans traces. Events within a span are noted in it.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("jan-server"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
    }

    /// Sends what is left. Blocks, while the runtime must go on.
    pub(crate) fn close(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_BATCH) {
            tracing::warn!(%error, "The last traces were not sent");
        }
    }
}

/// A request's span, part of the trace that the request names (`traceparent`, W3C Trace Context). Path and query stay
/// out: they may hold what a trace should not.
pub(crate) fn request_span(method: &Method, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = method.as_str(),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method.as_str(),
        http.route = Empty,
        http.response.status_code = Empty,
        request_id = Empty,
    );
    let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    // A span that nobody records takes no parent.
    _ = span.set_parent(parent);
    span
}

/// Names the current trace to the server that a request goes to.
fn name_trace(headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut HeaderInjector(headers));
}

/// Sends batches through the process's client.
struct Sender {
    client: outbound::Client,
    /// The library calls from a thread of its own.
    runtime: Handle,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl Sender {
    async fn send(client: outbound::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = client.send(Trust::Operator, request.map(outbound::Body::from)).await?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}

impl HttpClient for Sender {
    fn send_bytes<'a, 'sending>(
        &'a self,
        mut request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'sending>>
    where
        'a: 'sending,
        Self: 'sending,
    {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        let client = self.client.clone();
        // The time-out is made where the runtime is, not on this thread.
        let sending = async move { tokio::time::timeout(TIMEOUT, Self::send(client, request)).await };
        let sending = TaskTracker::new().spawn_on(sending, &self.runtime);
        Box::pin(async { sending.await?? })
    }
}
