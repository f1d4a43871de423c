//! The service's table of contents: every route, one line each.

use http_kit::routes;
use utoipa_axum::router::OpenApiRouter;

use crate::{State, root, sample};

pub(crate) fn all() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(root::get)).routes(routes!(sample::get::get))
}
