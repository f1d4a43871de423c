//! `GET /`: which service this is.

use http_kit::{Anyone, Json};
use serde::Serialize;
use utoipa::ToSchema;

/// What the service says about itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct Root {
    #[schema(example = "template-api")]
    service: &'static str,
    #[schema(example = "ok")]
    status: &'static str,
}

/// Names the service.
#[utoipa::path(
    get, path = "/", tag = "health", operation_id = "getRoot",
    responses((status = 200, description = "The service.", body = Root))
)]
pub(crate) async fn get(_: Anyone) -> Json<Root> {
    Json(Root { service: "template-api", status: "ok" })
}
