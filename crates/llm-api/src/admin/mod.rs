//! What who administers the server does: users, the texts of the prompt, and the log of acts.

mod audit_log;
mod prompt_templates;
mod users;

use app::prompt_templates::PromptTemplates;
use http_kit::routes;
use identity::Identity;
use utoipa_axum::router::OpenApiRouter;

/// Every route of administration.
pub(crate) fn routes<S>(identity: Identity, templates: PromptTemplates) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let templates = OpenApiRouter::new()
        .routes(routes!(prompt_templates::list::list, prompt_templates::create::create))
        .routes(routes!(prompt_templates::get::get, prompt_templates::update::update, prompt_templates::delete::delete))
        .routes(routes!(prompt_templates::versions::list))
        .routes(routes!(prompt_templates::preview::preview))
        .with_state(templates);
    OpenApiRouter::new()
        .routes(routes!(users::list::list))
        .routes(routes!(users::get::get, users::update::update))
        .routes(routes!(users::activate::activate))
        .routes(routes!(users::activate::deactivate))
        .routes(routes!(audit_log::list))
        .with_state(identity)
        .merge(templates)
}
