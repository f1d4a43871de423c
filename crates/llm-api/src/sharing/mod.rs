//! Conversations for everybody who has the link: making shares, listing and ending them, and reading them.

mod create;
mod create_for_item;
mod image;
mod list;
mod open;
mod revoke;
mod show;
mod view;

use app::sharing::Sharing;
use http_kit::routes;
use utoipa_axum::router::OpenApiRouter;

/// Every route of sharing.
pub(crate) fn routes<S>(sharing: Sharing) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    OpenApiRouter::new()
        .routes(routes!(create::create))
        .routes(routes!(create_for_item::create))
        .routes(routes!(list::of_conversation))
        .routes(routes!(list::all))
        .routes(routes!(revoke::of_conversation))
        .routes(routes!(revoke::of_conversation_alias))
        .routes(routes!(revoke::any))
        .routes(routes!(show::show))
        .routes(routes!(show::alias))
        .routes(routes!(show::beside_conversations))
        .routes(routes!(image::get))
        .with_state(sharing)
}
