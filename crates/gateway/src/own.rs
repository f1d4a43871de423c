//! What the gateway answers itself: who it is, and refusals.

use http_kit::{Anyone, Json, Service, routes};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

pub(crate) fn service() -> Service {
    Service::new("gateway", "jan_gateway", OpenApiRouter::new().routes(routes!(get)))
        .about("One door to every service.")
}

/// What the gateway says about itself.
#[derive(Serialize, ToSchema)]
struct Root {
    #[schema(example = "gateway")]
    service: &'static str,
    #[schema(example = "ok")]
    status: &'static str,
}

/// Names the gateway.
#[utoipa::path(
    get, path = "/", tag = "health", operation_id = "getRoot",
    responses((status = 200, description = "The gateway.", body = Root))
)]
async fn get(_: Anyone) -> Json<Root> {
    Json(Root { service: "gateway", status: "ok" })
}
