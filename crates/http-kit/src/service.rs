//! A service: its routes, what it says about itself, and which of its routes need no caller.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::extract::{MatchedPath, Request};
use bytes::Bytes;
use domain::{Error, Kind, scope::Key};
use http::Method;
use prometheus_client::registry::Registry;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    Access, ApiError, Edge, MountedService, RouteClass,
    context::Context,
    guard::GuardLayer,
    health::{self, ReadyCheck},
    metrics::Metrics,
    openapi::{self, Document},
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
    closed: &'static [(Method, &'static str)],
    limits: &'static [RouteLimits],
    classes: &'static [(&'static str, RouteClass)],
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
            closed: &[],
            limits: &[],
            classes: &[],
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

    /// Routes outside the document that need no caller, by verb and template. Those in it say so by their handlers.
    pub fn open(self, open: &'static [(Method, &'static str)]) -> Self {
        Self { open, ..self }
    }

    /// Operations that want a caller on this server although their handlers do not.
    pub fn closed(self, operations: &'static [(Method, &'static str)]) -> Self {
        Self { closed: operations, ..self }
    }

    /// The routes that allow more, or less, than [`RouteLimits::DEFAULT`].
    pub fn limits(self, limits: &'static [RouteLimits]) -> Self {
        Self { limits, ..self }
    }

    /// Which routes count together against a caller's rate: those that begin with a text, the first that fits. All that
    /// are not named are [`RouteClass::Other`].
    pub fn classes(self, classes: &'static [(&'static str, RouteClass)]) -> Self {
        Self { classes, ..self }
    }

    /// Metrics of the service's own, shown beside those of its requests.
    pub fn metrics(self, registry: Registry) -> Self {
        Self { registry, ..self }
    }

    /// The service's document, without mounting it.
    pub fn document(self) -> OpenApi {
        let (_, document) = with_shared_routes(self.router, self.health, self.ready).split_for_parts();
        openapi::complete(document, self.name, self.about, self.closed)
    }

    /// Puts the edge around the service.
    pub fn mount(self, edge: &Edge) -> MountedService {
        let (router, document) = with_shared_routes(self.router, self.health, self.ready).split_for_parts();
        let undocumented = [health::OPEN, openapi::OPEN, METRICS_OPEN, self.open].concat();
        let access = AccessTable::new(&document, self.closed, &undocumented);
        let document = Document::new(document, self.name, self.about, self.closed);
        let metrics = Arc::new(Metrics::new(self.metrics_prefix, self.registry));
        let mut router = router.merge(openapi::routes(document.clone()));
        if !edge.has_metrics_apart() {
            router = router.merge(crate::metrics::routes(Arc::clone(&metrics)));
        }
        let mount = Arc::new(Mount {
            name: self.name,
            edge: edge.clone(),
            metrics,
            document,
            access,
            limits: self.limits,
            classes: self.classes,
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
pub(crate) const METRICS_OPEN: &[(Method, &str)] = &[(Method::GET, "/metrics")];

fn with_shared_routes(router: OpenApiRouter, health: &'static str, ready: ReadyCheck) -> OpenApiRouter {
    router.merge(health::routes(health, ready))
}

/// A mounted service's constants.
pub(crate) struct Mount {
    name: &'static str,
    pub(crate) edge: Edge,
    pub(crate) metrics: Arc<Metrics>,
    document: Document,
    access: AccessTable,
    limits: &'static [RouteLimits],
    classes: &'static [(&'static str, RouteClass)],
}

impl Mount {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn openapi(&self) -> &Bytes {
        self.document.text()
    }

    /// Who may call a route.
    pub(crate) fn access(&self, method: &Method, route: &str) -> Access {
        self.access.get(method, route)
    }

    pub(crate) fn limits(&self, route: &str) -> RouteLimits {
        self.limits.iter().find(|limits| limits.path == route).copied().unwrap_or(RouteLimits::DEFAULT)
    }

    /// Which routes a route counts with.
    pub(crate) fn class(&self, route: &str) -> RouteClass {
        let found = self.classes.iter().find(|(begin, _)| route.starts_with(begin));
        found.map_or(RouteClass::Other, |(_, class)| *class)
    }
}

/// Who may call which route, by template and verb.
struct AccessTable(HashMap<String, Vec<(Method, Access)>>);

impl AccessTable {
    /// What the operations of a document say, before its captures are respelt, and what is open beside them.
    fn new(document: &OpenApi, closed: &[(Method, &str)], open: &[(Method, &str)]) -> Self {
        let mut table: HashMap<String, Vec<(Method, Access)>> = HashMap::new();
        for (path, item) in &document.paths.paths {
            let row = table.entry(path.clone()).or_default();
            row.extend(
                openapi::operations(&mut item.clone()).map(|(method, operation)| (method, Access::of(operation))),
            );
        }
        for (method, path) in open {
            table.entry((*path).to_owned()).or_default().push((method.clone(), Access::Anyone));
        }
        for (method, path) in closed {
            let row = table.entry((*path).to_owned()).or_default();
            row.retain(|(verb, _)| verb != method);
            row.push((method.clone(), Access::Caller(Key::Any)));
        }
        Self(table)
    }

    /// `HEAD` is as open as `GET`.
    fn get(&self, method: &Method, route: &str) -> Access {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        let row = self.0.get(route).map(Vec::as_slice).unwrap_or_default();
        row.iter().find(|(verb, _)| verb == method).map_or(Access::UNSAID, |(_, access)| *access)
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
