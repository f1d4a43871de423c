//! The caller as a user: the profile, the settings, the memories.

mod me;
mod memories;
mod settings;

use app::{memories::Memories, settings::UserSettings};
use http_kit::routes;
use identity::Identity;
use utoipa_axum::router::OpenApiRouter;

/// Every route of the caller's own profile, settings and memories.
pub(crate) fn routes<S>(identity: Identity, settings: UserSettings, memories: Memories) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let profile = OpenApiRouter::new().routes(routes!(me::get)).with_state(identity);
    let settings = OpenApiRouter::new()
        .routes(routes!(settings::get::get, settings::update::update))
        .routes(routes!(settings::preferences::get, settings::preferences::update))
        .with_state(settings);
    let memories = OpenApiRouter::new()
        .routes(routes!(memories::list::list, memories::create::create, memories::delete_all::delete_all))
        .routes(routes!(memories::get::get, memories::update::update, memories::delete::delete))
        .with_state(memories);
    profile.merge(settings).merge(memories)
}
