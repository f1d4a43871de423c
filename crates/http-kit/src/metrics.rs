//! A service's numbers for Prometheus, under the names of the contract's section 12.
//!
//! Labels are bounded: a route's template, never a path; a model that exists, never what a client calls one.

use std::{
    collections::HashMap,
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use axum::{
    Router,
    extract::{MatchedPath, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::get,
};
use domain::Error;
use http::{Extensions, header};
use prometheus_client::{
    encoding::{EncodeLabel, EncodeLabelSet, LabelSetEncoder, prometheus_text},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    Admin, ApiError, MountedService, Service, client_addr, context::Context, request_log::Outcome,
    service::METRICS_OPEN,
};

/// Seconds; from a health check to a long answer of a model.
const BUCKETS: [f64; 16] =
    [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// The numbers of one service.
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
    /// The same numbers: one look-up for each request, by a hash that is quick rather than hard to foresee, since nobody
    /// outside chooses labels.
    by_kind: RwLock<HashMap<Labels, Arc<Numbers>, foldhash::fast::RandomState>>,
    refused: Family<[(&'static str, &'static str); 1], Counter>,
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
        let refused = Family::default();
        registry.register(
            format!("{prefix}_rate_limited"),
            "Requests that were refused because their caller or address had too many, by limit",
            refused.clone(),
        );
        Self { registry: Mutex::new(registry), requests, seconds, by_kind: RwLock::default(), refused }
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
        let numbers = self.of(labels);
        numbers.requests.inc();
        numbers.seconds.observe(outcome.total.as_secs_f64());
    }

    fn of(&self, labels: Labels) -> Arc<Numbers> {
        if let Some(known) = self.by_kind.read().unwrap_or_else(PoisonError::into_inner).get(&labels) {
            return Arc::clone(known);
        }
        let numbers = Arc::new(Numbers {
            requests: self.requests.get_or_create_owned(&labels),
            seconds: self.seconds.get_or_create_owned(&labels),
        });
        self.by_kind.write().unwrap_or_else(PoisonError::into_inner).insert(labels, Arc::clone(&numbers));
        numbers
    }

    /// Counts a request that a limit refused.
    pub(crate) fn refused(&self, limit: &'static str) {
        self.refused.get_or_create(&[("limit", limit)]).inc();
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

/// The numbers of one kind of request.
struct Numbers {
    requests: Counter,
    seconds: Histogram,
}

/// A client can send any word as a method; only known ones become labels.
const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

pub(crate) fn is_known(method: &http::Method) -> bool {
    KNOWN.contains(&method.as_str())
}

fn method_label(method: &http::Method) -> &'static str {
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

/// `/metrics` of a service's own.
pub(crate) fn routes(metrics: Arc<Metrics>) -> Router {
    Router::new().route("/metrics", get(show)).with_state(metrics)
}

/// `GET /metrics`: for whoever asks from this machine itself, not through a proxy, and for administrators. For anybody
/// else there is no such route (`security.md` H3).
async fn show(
    State(metrics): State<Arc<Metrics>>,
    admin: Result<Admin, ApiError>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, ApiError> {
    if admin.is_err() && !client_addr::is_of_this_machine(&extensions, &headers) {
        return Err(crate::service::route_not_found().into());
    }
    Ok(shown(metrics.text()?))
}

/// The numbers of all of `services` at `/metrics`, for whoever can reach it: to be served where only the operator can,
/// with an edge that [has metrics apart](crate::Edge::with_metrics_apart).
pub fn service(services: &[MountedService]) -> Service {
    let all: Arc<[Arc<Metrics>]> = services.iter().map(|service| Arc::clone(&service.mount.metrics)).collect();
    let router = Router::new().route("/metrics", get(show_all)).with_state(all);
    Service::new("metrics", "jan_metrics", OpenApiRouter::from(router)).open(METRICS_OPEN)
}

async fn show_all(State(all): State<Arc<[Arc<Metrics>]>>) -> Result<Response, ApiError> {
    let texts: Vec<String> = all.iter().map(|metrics| metrics.text()).collect::<Result<_, _>>()?;
    Ok(shown(texts.concat()))
}

fn shown(text: String) -> Response {
    ([(header::CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], text).into_response()
}
