//! The service's table of contents: every route, one line each.

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{State, root, sample};

pub(crate) fn all() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(root::get)).routes(routes!(sample::get::get))
}
