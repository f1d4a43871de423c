//! A service: its routes, what it says about itself, and which of its routes need no caller.

use std::{sync::Arc, time::Duration};

use axum::extract::{MatchedPath, Request};
use domain::{Error, Kind};
use http::Method;
use prometheus_client::registry::Registry;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    ApiError, Edge, MountedService,
    context::Context,
    guard::GuardLayer,
    health::{self, ReadyCheck},
    metrics::Metrics,
    openapi,
};

/// What a route allows beyond the usual.
#[derive(Clone, Copy, Debug)]
pub struct RouteLimits {
    /// The route's template, as in the document.
    pub path: &'static str,
    /// Most bytes of a body.
    pub body: u64,
    /// The time from the body's end until the answer begins.
    pub answer_within: Duration,
}

impl RouteLimits {
    /// What a route allows that is not listed (contract 6.5).
    pub const DEFAULT: Self = Self { path: "", body: 1024 * 1024, answer_within: Duration::from_mins(1) };
}

/// A service before it is mounted.
#[must_use]
pub struct Service {
    name: &'static str,
    metrics_prefix: &'static str,
    about: &'static str,
    health: &'static str,
    ready: ReadyCheck,
    router: OpenApiRouter,
    open: &'static [(Method, &'static str)],
    self_guarded: &'static [(Method, &'static str)],
    limits: &'static [RouteLimits],
    registry: Registry,
}

impl Service {
    /// A service with its documented routes. `name` is as in `template-api`, `metrics_prefix` as in `jan_template_api`.
    pub fn new(name: &'static str, metrics_prefix: &'static str, router: OpenApiRouter) -> Self {
        Self {
            name,
            metrics_prefix,
            about: "",
            health: r#"{"status":"ok"}"#,
            ready: health::always(),
            router,
            open: &[],
            self_guarded: &[],
            limits: &[],
            registry: Registry::default(),
        }
    }

    /// What the service is for, in a sentence or two of Markdown: the head of its document.
    pub fn about(self, text: &'static str) -> Self {
        Self { about: text, ..self }
    }

    /// What `/healthz` answers, as JSON.
    pub fn health(self, json: &'static str) -> Self {
        Self { health: json, ..self }
    }

    /// What `/readyz` asks, such as whether the database answers.
    pub fn ready<F, R>(self, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        Self { ready: Arc::new(move || Box::pin(check())), ..self }
    }

    /// The routes that need no caller, by verb and template. Every other route does.
    pub fn open(self, open: &'static [(Method, &'static str)]) -> Self {
        Self { open, ..self }
    }

    /// The routes that are not open but whose handlers judge the credentials themselves, because other ones count there
    /// than elsewhere.
    pub fn self_guarded(self, routes: &'static [(Method, &'static str)]) -> Self {
        Self { self_guarded: routes, ..self }
    }

    /// The routes that allow more, or less, than [`RouteLimits::DEFAULT`].
    pub fn limits(self, limits: &'static [RouteLimits]) -> Self {
        Self { limits, ..self }
    }

    /// Metrics of the service's own, shown beside those of its requests.
    pub fn metrics(self, registry: Registry) -> Self {
        Self { registry, ..self }
    }

    /// The service's document, without mounting it.
    pub fn document(self) -> OpenApi {
        let (_, document) = with_shared_routes(self.router, self.health, self.ready).split_for_parts();
        openapi::complete(document, self.name, self.about, self.open)
    }

    /// Puts the edge around the service.
    pub fn mount(self, edge: &Edge) -> MountedService {
        let (router, document) = with_shared_routes(self.router, self.health, self.ready).split_for_parts();
        let document = openapi::complete(document, self.name, self.about, self.open);
        let metrics = Arc::new(Metrics::new(self.metrics_prefix, self.registry));
        let router = router.merge(openapi::routes(&document)).merge(
            axum::Router::new()
                .route("/metrics", axum::routing::get(crate::metrics::show))
                .with_state(Arc::clone(&metrics)),
        );
        let mount = Arc::new(Mount {
            name: self.name,
            edge: edge.clone(),
            metrics,
            document,
            unguarded: [health::OPEN, openapi::OPEN, METRICS_OPEN, self.open, self.self_guarded].concat(),
            limits: self.limits,
        });
        // The order matters: what is set after the guard is not behind it, so that an unknown path and a wrong verb are
        // told apart from a missing credential.
        let router = router
            .route_layer(GuardLayer(Arc::clone(&mount)))
            .method_not_allowed_fallback(method_not_allowed)
            .fallback(|| async { ApiError::from(route_not_found()) });
        MountedService { mount, router }
    }
}

/// Open because the handler itself decides who may see it.
const METRICS_OPEN: &[(Method, &str)] = &[(Method::GET, "/metrics")];

fn with_shared_routes(router: OpenApiRouter, health: &'static str, ready: ReadyCheck) -> OpenApiRouter {
    router.merge(health::routes(health, ready))
}

/// A mounted service's constants.
pub(crate) struct Mount {
    name: &'static str,
    pub(crate) edge: Edge,
    pub(crate) metrics: Arc<Metrics>,
    document: OpenApi,
    unguarded: Vec<(Method, &'static str)>,
    limits: &'static [RouteLimits],
}

impl Mount {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn openapi(&self) -> &OpenApi {
        &self.document
    }

    /// Whether a route's handler runs without a caller. `HEAD` is as open as `GET`.
    pub(crate) fn is_unguarded(&self, method: &Method, route: &str) -> bool {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.unguarded.iter().any(|(verb, path)| *path == route && verb == method)
    }

    pub(crate) fn limits(&self, route: &str) -> RouteLimits {
        self.limits.iter().find(|limits| limits.path == route).copied().unwrap_or(RouteLimits::DEFAULT)
    }
}

pub(crate) fn route_not_found() -> Error {
    Error::not_found("route_not_found", "There is no such route.")
}

/// The router adds `Allow`.
async fn method_not_allowed(request: Request) -> ApiError {
    let extensions = request.extensions();
    if let (Ok(context), Some(route)) = (Context::of(extensions), extensions.get::<MatchedPath>()) {
        context.set_route(route.clone());
    }
    Error::new(Kind::MethodNotAllowed, "method_not_allowed", "This path does not have this method.").into()
}
