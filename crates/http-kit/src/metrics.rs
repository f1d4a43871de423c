//! A service's numbers for Prometheus, under the names of the contract's section 12.
//!
//! Labels are bounded: a route's template, never a path; a model that exists, never what a client calls one.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{MatchedPath, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use domain::Error;
use http::{Extensions, header};
use prometheus_client::{
    encoding::{EncodeLabel, EncodeLabelSet, LabelSetEncoder, prometheus_text},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use crate::{ApiError, MaybeCaller, PeerAddr, context::Context, request_log::Outcome};

/// Seconds; from a health check to a long answer of a model.
const BUCKETS: [f64; 16] =
    [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// The numbers of one service.
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
}

impl Metrics {
    /// The request metrics under `prefix`, such as `jan_llm_api`, added to what `registry` holds.
    pub(crate) fn new(prefix: &str, mut registry: Registry) -> Self {
        let requests = Family::default();
        let seconds = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        registry.register(format!("{prefix}_requests"), "Requests that were answered", requests.clone());
        registry.register(
            format!("{prefix}_request_duration_seconds"),
            "Time from a request's arrival to the end of its answer",
            seconds.clone(),
        );
        Self { registry: Mutex::new(registry), requests, seconds }
    }

    pub(crate) fn observe(&self, context: &Context, outcome: &Outcome) {
        let fields = context.fields();
        let labels = Labels {
            method: method_label(&context.method),
            endpoint: context.matched_path().cloned().map(Endpoint),
            status: outcome.status,
            model: fields.model.clone(),
            stream: fields.stream,
        };
        drop(fields);
        self.requests.get_or_create(&labels).inc();
        self.seconds.get_or_create(&labels).observe(outcome.total.as_secs_f64());
    }

    /// The numbers in Prometheus' text format.
    ///
    /// # Errors
    /// `internal_error` when a metric cannot be written.
    pub fn text(&self) -> Result<String, Error> {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        prometheus_text::encode(&mut text, &registry).map_err(Error::internal)?;
        Ok(text)
    }
}

/// A client can send any word as a method; only known ones become labels.
fn method_label(method: &http::Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Labels {
    method: &'static str,
    endpoint: Option<Endpoint>,
    status: u16,
    model: Option<Arc<str>>,
    stream: Option<bool>,
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let endpoint = self.endpoint.as_ref().map_or("unmatched", |endpoint| endpoint.0.as_str());
        ("method", self.method).encode(encoder.encode_label())?;
        ("endpoint", endpoint).encode(encoder.encode_label())?;
        ("status", self.status).encode(encoder.encode_label())?;
        if let Some(model) = &self.model {
            ("model", &**model).encode(encoder.encode_label())?;
        }
        if let Some(stream) = self.stream {
            ("stream", if stream { "true" } else { "false" }).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

/// A route's template, shared with the router.
#[derive(Clone, Debug)]
struct Endpoint(MatchedPath);

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Endpoint {}

impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

/// `GET /metrics`: for whoever asks from this machine itself, not through a proxy, and for administrators. For anybody
/// else there is no such route (`security.md` H3).
pub(crate) async fn show(
    State(metrics): State<Arc<Metrics>>,
    MaybeCaller(caller): MaybeCaller,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, ApiError> {
    let is_local = extensions.get::<PeerAddr>().is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
    let is_forwarded =
        ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name));
    let is_admin = caller.is_some_and(|caller| caller.is_admin());
    if !is_admin && (!is_local || is_forwarded) {
        return Err(crate::service::route_not_found().into());
    }
    Ok(([(header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], metrics.text()?).into_response())
}
