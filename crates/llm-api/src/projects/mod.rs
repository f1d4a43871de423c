//! The caller's projects.

mod conversations;
mod create;
mod delete;
mod get;
mod list;
mod update;
mod view;

use app::{conversations::Conversations, projects::Projects};
use http_kit::routes;
use utoipa_axum::router::OpenApiRouter;

/// Every route of projects.
pub(crate) fn routes<S>(projects: Projects, conversations: Conversations) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let of_projects = OpenApiRouter::new().routes(routes!(conversations::list)).with_state(conversations);
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, update::update, delete::delete))
        .with_state(projects)
        .merge(of_projects)
}
