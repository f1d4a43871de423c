//! What every request passes, from the outside in. One service and no stack of layers: the order below is the order of
//! things, and each request pays for one allocation and one future.
//!
//! 1. The request gets its id; identity headers from outside are dropped.
//! 2. A panic further in becomes a 500, and a request that ends in whatever way is logged and counted.
//! 3. The path gets its one spelling.
//! 4. `OPTIONS` is answered; beyond the bound of requests in flight the answer is 503, beyond an address's allowance 429.
//! 5. The router finds the route: unknown paths are 404 and known paths with another verb 405, for anybody, since the
//!    routes are no secret.
//! 6. The guard of each route (`guard.rs`) wants a caller who may, as the route says (`access.rs`), bounds how often
//!    the caller may come, the body, and the time until the answer begins.
//! 7. On the way out: the error envelope, the headers every answer has, the count of bytes.

use std::{
    any::Any,
    borrow::Cow,
    convert::Infallible,
    future::Future,
    net::IpAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as TaskContext, Poll},
};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use domain::{Clock, Error};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tower::Service as _;
use tracing::{Instrument, Span};

use crate::{
    ApiError, Authenticator, ForwardedHeader, Idempotency, PeerAddr, RateLimitOptions, RequestId, TrustedProxies,
    body::EdgeBody,
    context::Context,
    cors::{self, Cors},
    error, path,
    rate_limits::{self, RateLimits},
    record::Record,
    request_id,
    service::Mount,
};

/// What an operator may choose about the edge.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct EdgeOptions {
    /// Origins whose pages may read answers: exact origins, `loopback` for this machine's, or `*` for all.
    pub allowed_origins: Vec<String>,
    /// Requests served at a time; beyond them the answer is 503. Health checks are not counted.
    pub max_in_flight: usize,
    /// Seconds a body may take, besides a second for each 64 KiB of it.
    pub body_grace: u64,
    /// Proxies before this server, as addresses and ranges: what they say about where a request comes from is believed.
    /// Nobody else is. Without them the client's address is that of the connection.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: TrustedProxies,
    /// The header in which they say so; the other one is not looked at, since they pass it on as the client sent it.
    pub forwarded_header: ForwardedHeader,
}

impl Default for EdgeOptions {
    fn default() -> Self {
        Self {
            allowed_origins: vec![cors::LOOPBACK.to_owned()],
            max_in_flight: 4_096,
            body_grace: 30,
            trusted_proxies: TrustedProxies::default(),
            forwarded_header: ForwardedHeader::default(),
        }
    }
}

/// What all services of a process share at their edge.
#[derive(Clone)]
pub struct Edge {
    shared: Arc<Shared>,
    span: Option<MakeSpan>,
    limits: Option<Arc<RateLimits>>,
    idempotency: Option<Idempotency>,
    metrics_apart: bool,
}

/// Makes a request's span from its verb and headers, such as one whose parent `traceparent` names.
///
/// The edge fills in the fields `otel.name`, `otel.status_code`, `http.route`, `http.response.status_code` and
/// `request_id`, if the span declares them.
pub type MakeSpan = fn(&Method, &HeaderMap) -> Span;

struct Shared {
    options: EdgeOptions,
    cors: Cors,
    authenticator: Arc<dyn Authenticator>,
    clock: Clock,
    in_flight: AtomicUsize,
    draining: CancellationToken,
    closing: CancellationToken,
}

impl Edge {
    /// An edge. `draining` makes the services not ready; `closing` ends the streams that are left.
    pub fn new(
        options: EdgeOptions,
        authenticator: Arc<dyn Authenticator>,
        clock: Clock,
        draining: CancellationToken,
        closing: CancellationToken,
    ) -> Self {
        let cors = Cors::new(&options.allowed_origins);
        let in_flight = AtomicUsize::new(0);
        let shared = Shared { options, cors, authenticator, clock, in_flight, draining, closing };
        Self { shared: Arc::new(shared), span: None, limits: None, idempotency: None, metrics_apart: false }
    }

    /// An edge that puts a span around each request, from its head to the end of its answer. Without this no request
    /// pays for one.
    #[must_use]
    pub fn with_span(self, make: MakeSpan) -> Self {
        Self { span: Some(make), ..self }
    }

    /// An edge that bounds how often callers may come.
    #[must_use]
    pub fn with_limits(self, options: &RateLimitOptions) -> Self {
        Self { limits: Some(Arc::new(RateLimits::new(options))), ..self }
    }

    /// An edge that does a request with an `Idempotency-Key` once.
    #[must_use]
    pub fn with_idempotency(self, keys: Idempotency) -> Self {
        Self { idempotency: Some(keys), ..self }
    }

    pub(crate) fn idempotency(&self) -> Option<&Idempotency> {
        self.idempotency.as_ref()
    }

    /// An edge whose services do not show their numbers themselves: [`metrics::service`](crate::metrics::service) does.
    #[must_use]
    pub fn with_metrics_apart(self) -> Self {
        Self { metrics_apart: true, ..self }
    }

    pub(crate) fn has_metrics_apart(&self) -> bool {
        self.metrics_apart
    }

    /// The proxies before this server.
    pub fn trusted_proxies(&self) -> &TrustedProxies {
        &self.shared.options.trusted_proxies
    }

    /// The client's address; none for what did not come over a network, or through a proxy that names nobody.
    fn client(&self, request: &Request<Body>) -> Option<IpAddr> {
        let PeerAddr(peer) = request.extensions().get()?;
        let EdgeOptions { trusted_proxies, forwarded_header, .. } = &self.shared.options;
        trusted_proxies.client(peer.ip(), *forwarded_header, request.headers())
    }

    /// Counts a request for its caller, if there are limits.
    pub(crate) fn admit(&self, context: &Context) -> Result<(), Error> {
        self.limits.as_ref().map_or(Ok(()), |limits| limits.admit(context, &self.shared.clock))
    }

    /// Requests being served now, streams included.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::Relaxed)
    }

    /// Counts one more request that is being served, until it [leaves](Self::leave); says whether there is a place for it.
    pub(crate) fn enter(&self) -> bool {
        self.shared.in_flight.fetch_add(1, Ordering::Relaxed) < self.shared.options.max_in_flight
    }

    /// Counts a request that entered no longer.
    pub(crate) fn leave(&self) {
        self.shared.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn options(&self) -> &EdgeOptions {
        &self.shared.options
    }

    pub(crate) fn authenticator(&self) -> &dyn Authenticator {
        &*self.shared.authenticator
    }

    /// Whether a request's `Origin` is one that the operator listed; `*` lists none.
    pub(crate) fn lists_origin(&self, headers: &HeaderMap) -> bool {
        self.shared.cors.lists(headers)
    }

    pub(crate) fn draining(&self) -> &CancellationToken {
        &self.shared.draining
    }

    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.shared.closing
    }
}

/// A service with the edge around it: call it with a request, whoever accepted that.
#[derive(Clone)]
pub struct MountedService {
    pub(crate) mount: Arc<Mount>,
    pub(crate) router: axum::Router,
}

impl tower::Service<Request<Body>> for MountedService {
    type Response = Response<EdgeBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.answer(request, None)
    }
}

impl MountedService {
    /// The service's name, such as `llm-api`.
    pub fn name(&self) -> &'static str {
        self.mount.name()
    }

    /// The service's document, as served at `/openapi.json`.
    pub fn openapi(&self) -> &Bytes {
        self.mount.openapi()
    }

    /// Serves a request. With a `refusal` no route is asked: the answer is that error, with everything about it that
    /// answers of the service have. The gateway refuses so what it has no service for.
    pub fn answer(
        &self,
        request: Request<Body>,
        refusal: Option<Error>,
    ) -> <Self as tower::Service<Request<Body>>>::Future {
        Box::pin(self.clone().serve(request, refusal))
    }

    async fn serve(
        mut self,
        mut request: Request<Body>,
        refusal: Option<Error>,
    ) -> Result<Response<EdgeBody>, Infallible> {
        let edge = self.mount.edge.clone();
        let id = RequestId::from_headers(request.headers(), &edge.shared.clock);
        discard_identity(request.headers_mut());
        let origin = edge.shared.cors.grant(request.headers());
        let from_page = request.headers().contains_key(header::ORIGIN);
        let version = asked_version(request.headers());
        let client = edge.client(&request);
        let context = Arc::new(Context::new(id, request.method().clone(), client, Arc::clone(&self.mount)));
        let span = edge.span.map_or_else(Span::none, |make| make(request.method(), request.headers()));
        let mut record = Record::new(Arc::clone(&context), span.clone());

        let admitted = admit(&edge, &mut request, &mut record);
        let mut response = match admitted.and_then(|answer| refused(answer, refusal)) {
            Ok(Some(answer)) => answer,
            Err(error) => ApiError::from(error).into_response(),
            Ok(None) => {
                request.extensions_mut().insert(Arc::clone(&context));
                match AssertUnwindSafe(self.router.call(request).instrument(span)).catch_unwind().await {
                    Ok(Ok(response)) => response,
                    Ok(Err(never)) => match never {},
                    Err(panic) => ApiError::from(panicked(&*panic)).into_response(),
                }
            }
        };

        if let Some(ApiError(error)) = response.extensions_mut().remove::<ApiError>() {
            error::render(&mut response, &error, &context.request_id);
            if context.method == Method::HEAD {
                *response.body_mut() = Body::empty();
            }
        }
        dress(response.headers_mut(), &context, origin, from_page);
        if let Some(name) = version {
            response.headers_mut().insert(name, HeaderValue::from_static("v1"));
        }
        record.head(&response);
        let is_stream = crate::sse::is_stream(response.headers());
        Ok(response.map(|body| EdgeBody::new(body, record, is_stream)))
    }
}

/// Whether a request goes on to the router (`None`), is answered here, or is refused.
fn admit(edge: &Edge, request: &mut Request<Body>, record: &mut Record) -> Result<Option<Response>, Error> {
    path::check_length(request.uri())?;
    if let Cow::Owned(normal) = path::normalize(request.uri().path())? {
        path::respell(request, &normal)?;
    }
    if request.method() == Method::OPTIONS {
        let mut response = StatusCode::NO_CONTENT.into_response();
        Cors::allow(response.headers_mut());
        return Ok(Some(response));
    }
    if !crate::health::is_probe(request.uri().path()) {
        record.enter(edge)?;
        if let Some(limits) = &edge.limits {
            limits.admit_address(record.context(), &edge.shared.clock)?;
        }
    }
    Ok(None)
}

/// The refusal, unless the request was answered before it came to that.
fn refused(answer: Option<Response>, refusal: Option<Error>) -> Result<Option<Response>, Error> {
    match (answer, refusal) {
        (None, Some(error)) => Err(error),
        (answer, _) => Ok(answer),
    }
}

/// Drops the headers by which services elsewhere name a caller (contract 0.4.7): here only credentials do.
fn discard_identity(headers: &mut HeaderMap) {
    const NAMES: [&str; 7] = [
        "x-principal-id",
        "x-auth-method",
        "x-scopes",
        "x-gateway-auth",
        "x-consumer-id",
        "x-consumer-username",
        "x-credential-identifier",
    ];
    let names_a_caller = |name: &HeaderName| {
        let name = name.as_str();
        name.starts_with("x-") && (name.starts_with("x-user-") || NAMES.contains(&name))
    };
    if headers.keys().any(names_a_caller) {
        let found: Vec<HeaderName> = headers.keys().filter(|name| names_a_caller(name)).cloned().collect();
        for name in found {
            headers.remove(name);
        }
    }
}

/// The header by which a client names the API's version, if it does. There is one version; it is said in return.
fn asked_version(headers: &HeaderMap) -> Option<HeaderName> {
    const NAMES: [HeaderName; 2] = [HeaderName::from_static("api-version"), HeaderName::from_static("x-api-version")];
    NAMES.into_iter().find(|name| headers.contains_key(name))
}

/// The headers that every answer has.
fn dress(headers: &mut HeaderMap, context: &Context, origin: Option<HeaderValue>, from_page: bool) {
    const AUTH_METHOD: HeaderName = HeaderName::from_static("x-auth-method");
    headers.insert(request_id::HEADER, context.request_id.to_header());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(caller) = context.caller() {
        // How the caller was known, never who it is: identity stays out of answers (`security.md` H6).
        headers.insert(AUTH_METHOD, HeaderValue::from_static(caller.method.as_str()));
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
    if let Some(standing) = context.standing() {
        rate_limits::show(headers, standing);
    }
    if from_page {
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    if let Some(origin) = origin {
        Cors::expose(headers, origin);
    } else if context.method == Method::OPTIONS {
        headers.remove(header::ACCESS_CONTROL_ALLOW_METHODS);
        headers.remove(header::ACCESS_CONTROL_ALLOW_HEADERS);
        headers.remove(header::ACCESS_CONTROL_MAX_AGE);
    }
}

#[cold]
fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::internal(format!("a handler panicked: {text}"))
}
