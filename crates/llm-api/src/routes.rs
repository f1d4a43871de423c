//! The table of contents.

use std::time::Duration;

use app::{projects::Projects, settings::UserSettings};
use http_kit::{RouteClass, RouteLimits, routes};
use utoipa_axum::router::OpenApiRouter;

use crate::{State, admin, auth, chat, conversations, models, projects, sharing, users};

/// Every route of the service.
pub(crate) fn router(state: State) -> OpenApiRouter {
    let settings = UserSettings::new(state.turns.prompt().memories().people().clone(), state.models.clone());
    let users = users::routes(state.identity.clone(), settings, state.turns.prompt().memories().clone());
    let chat = OpenApiRouter::new().routes(routes!(chat::completions::create)).with_state(state.turns.clone());
    let models = OpenApiRouter::new()
        .routes(routes!(models::list::list))
        .routes(routes!(models::get::get))
        .with_state(state.models);
    let admin = admin::routes(state.identity.clone(), state.turns.prompt().templates().clone());
    let clock = state.identity.clock().clone();
    let projects = projects::routes(Projects::new(state.store, clock), state.turns.conversations().clone());
    let conversations = conversations::routes(state.turns);
    let sharing = sharing::routes(state.sharing);
    let mut router = auth::routes(state.identity)
        .merge(users)
        .merge(admin)
        .merge(chat)
        .merge(models)
        .merge(projects)
        .merge(conversations)
        .merge(sharing);
    chat::open_answers(router.get_openapi_mut());
    router
}

/// The routes that allow more than the usual (contract 6.5).
pub(crate) const LIMITS: &[RouteLimits] = &[
    RouteLimits { path: "/v1/chat/completions", body: LARGE, answer_within: ANSWER },
    RouteLimits { path: "/v1/conversations", body: LARGE, ..RouteLimits::DEFAULT },
    RouteLimits { path: "/v1/conversations/{conv_id}/items", body: LARGE, ..RouteLimits::DEFAULT },
    RouteLimits { path: "/v1/conversations/{conv_id}/items/{item_id}/edit", body: LARGE, answer_within: ANSWER },
    RouteLimits {
        path: "/v1/conversations/{conv_id}/items/{item_id}/regenerate",
        answer_within: ANSWER,
        ..RouteLimits::DEFAULT
    },
    RouteLimits { path: "/v1/conversations/{conv_id}/items/by-call-id/{call_id}", body: LARGE, ..RouteLimits::DEFAULT },
];

/// How long a model may take. Longer than a provider may, so that its own limit answers.
const ANSWER: Duration = Duration::from_secs(630);

/// Bytes of a body with messages in it.
const LARGE: u64 = 8 * 1024 * 1024;

/// Which routes count together against a caller's rate, by how their templates begin (contract 6.4).
pub(crate) const CLASSES: &[(&str, RouteClass)] = &[
    ("/v1/chat/completions", RouteClass::Chat),
    ("/v1/conversations/{conv_id}/items/{item_id}/regenerate", RouteClass::Chat),
    // It may ask the model, too.
    ("/v1/conversations/{conv_id}/items/{item_id}/edit", RouteClass::Chat),
    ("/auth/", RouteClass::Auth),
    ("/v1/share/", RouteClass::Share),
    ("/v1/public/", RouteClass::Share),
    ("/v1/conversations/share/", RouteClass::Share),
];
