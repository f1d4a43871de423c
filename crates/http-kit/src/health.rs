//! Whether the service lives, and whether it can serve: two questions with two answers.
//!
//! Living depends on nothing, so that a database's outage does not restart servers; being ready depends on what the
//! service named, and ends when the server begins to stop.

use std::{future::Future, pin::Pin, sync::Arc};

use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use domain::{Error, Kind};
use http::{Method, header};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use crate::{Anyone, ApiError, Json, context::Context, routes};

/// What a service asks to learn whether it can serve.
pub(crate) type ReadyCheck = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> + Send + Sync>;

/// A service that needs nothing.
pub(crate) fn always() -> ReadyCheck {
    Arc::new(|| Box::pin(async { Ok(()) }))
}

/// Probes come without credentials: an orchestrator has none. `/healthz` and `/readyz` say so themselves.
pub(crate) const OPEN: &[(Method, &str)] = &[
    (Method::GET, "/v1/healthz"),
    (Method::GET, "/healthcheck"),
    (Method::GET, "/v1/readyz"),
    (Method::GET, "/v1/version"),
];

/// Whether a path is a probe's, which is answered however busy the server is.
pub(crate) fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/v1/healthz" | "/healthcheck" | "/readyz" | "/v1/readyz")
}

#[derive(Clone)]
struct Health {
    json: &'static str,
    ready: ReadyCheck,
}

pub(crate) fn routes(json: &'static str, ready: ReadyCheck) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        // The reference's further spellings of the same.
        .route("/v1/healthz", get(healthz))
        .route("/healthcheck", get(healthz))
        .route("/health/auth", get(healthz))
        .route("/v1/readyz", get(readyz))
        .route("/v1/version", get(version))
        .with_state(Health { json, ready })
}

/// What `/healthz` and `/readyz` answer.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
struct Status {
    /// `ok`, `healthy` or `ready`.
    #[schema(example = "ok")]
    status: &'static str,
    /// The service's name, where it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'static str>,
}

/// Whether the service lives.
///
/// Depends on nothing but the process.
#[utoipa::path(
    get, path = "/healthz", tag = "health", operation_id = "healthz",
    responses((status = 200, description = "It lives.", body = Status))
)]
async fn healthz(_: Anyone, State(health): State<Health>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], health.json).into_response()
}

/// Whether the service can serve.
///
/// Depends on the database, and on the server not being about to stop.
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "readyz",
    responses(
        (status = 200, description = "It can.", body = Status),
        (status = 503, description = "It cannot, for now."),
    )
)]
async fn readyz(
    _: Anyone,
    State(health): State<Health>,
    Extension(context): Extension<Arc<Context>>,
) -> Result<Json<Status>, ApiError> {
    if context.service.edge.draining().is_cancelled() {
        let message = "The server is stopping.";
        return Err(Error::new(Kind::Unavailable(None), "service_unavailable", message).into());
    }
    (health.ready)().await?;
    Ok(Json(Status { status: "ready", service: None }))
}

/// Which server this is.
#[derive(Serialize)]
struct About {
    object: &'static str,
    service: &'static str,
    version: &'static str,
}

async fn version(Extension(context): Extension<Arc<Context>>) -> Json<About> {
    let service = context.service.name();
    Json(About { object: "version", service, version: env!("CARGO_PKG_VERSION") })
}
