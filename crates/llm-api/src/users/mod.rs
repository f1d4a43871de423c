//! The caller as a user: the profile, and the settings.

mod me;
mod settings;

use app::settings::UserSettings;
use identity::Identity;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Every route of the caller's own profile and settings.
pub(crate) fn routes<S>(identity: Identity, settings: UserSettings) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let profile = OpenApiRouter::new().routes(routes!(me::get)).with_state(identity);
    let settings = OpenApiRouter::new()
        .routes(routes!(settings::get::get, settings::update::update))
        .routes(routes!(settings::preferences::get, settings::preferences::update))
        .with_state(settings);
    profile.merge(settings)
}
