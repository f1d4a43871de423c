//! The caller's conversations.

mod branches;
mod bulk_delete;
mod create;
mod delete;
mod delete_all;
mod export;
mod get;
mod items;
pub(crate) mod list;
mod replace;
mod update;

use app::turns::Turns;
use http_kit::routes;
use utoipa_axum::router::OpenApiRouter;

/// Every route of conversations, their items and branches.
pub(crate) fn routes<S>(turns: Turns) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let conversations = turns.conversations().clone();
    let answered = OpenApiRouter::new()
        .routes(routes!(items::edit::edit, items::edit::alias))
        .routes(routes!(items::regenerate::regenerate))
        .with_state(turns);
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create, delete_all::delete_all))
        .routes(routes!(bulk_delete::bulk_delete))
        .routes(routes!(get::get, update::update, replace::replace, delete::delete))
        .routes(routes!(export::export))
        .routes(routes!(items::list::list, items::add::add))
        .routes(routes!(items::get::get, items::rate::rate, items::delete::delete))
        .routes(routes!(items::by_call::get, items::finish_call::finish))
        .routes(routes!(branches::list::list, branches::create::create))
        .routes(routes!(branches::get::get, branches::delete::delete))
        .routes(routes!(branches::activate::activate))
        .with_state(conversations)
        .merge(answered)
}
