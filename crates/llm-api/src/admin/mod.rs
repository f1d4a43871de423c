//! What who administers the server does: users, and the log of acts.

mod audit_log;
mod users;

use axum::middleware::from_extractor;
use http_kit::Admin;
use identity::Identity;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Every route of administration.
pub(crate) fn routes<S>(identity: Identity) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    OpenApiRouter::new()
        .routes(routes!(users::list::list))
        .routes(routes!(users::get::get, users::update::update))
        .routes(routes!(users::activate::activate))
        .routes(routes!(users::activate::deactivate))
        .routes(routes!(audit_log::list))
        // Whatever a handler asks for: nobody else gets as far as a route that is here.
        .route_layer(from_extractor::<Admin>())
        .with_state(identity)
}
