//! The table of contents.

use std::time::Duration;

use app::settings::UserSettings;
use http_kit::RouteLimits;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{State, admin, auth, chat, models, users};

/// Every route of the service.
pub(crate) fn router(state: State) -> OpenApiRouter {
    let settings = UserSettings::new(state.store, state.models.clone(), state.identity.clock().clone());
    let users = users::routes(state.identity.clone(), settings);
    let chat = OpenApiRouter::new().routes(routes!(chat::completions::create)).with_state(state.chat);
    let models = OpenApiRouter::new()
        .routes(routes!(models::list::list))
        .routes(routes!(models::get::get))
        .with_state(state.models);
    let admin = admin::routes(state.identity.clone());
    let mut router = auth::routes(state.identity).merge(users).merge(admin).merge(chat).merge(models);
    chat::open_answers(router.get_openapi_mut());
    router
}

/// The routes that allow more than the usual (contract 6.5).
pub(crate) const LIMITS: &[RouteLimits] = &[RouteLimits {
    path: "/v1/chat/completions",
    body: 8 * 1024 * 1024,
    // Longer than a provider may take, so that its own limit answers.
    answer_within: Duration::from_secs(630),
}];
