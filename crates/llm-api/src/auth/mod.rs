//! Sign-in, the caller's own account, API keys, and the keys that verify tokens.

mod api_keys;
mod callback;
mod cookies;
mod guest_login;
mod jwks;
mod login;
mod logout;
mod me;
mod offered;
mod openid_configuration;
mod password;
mod refresh_token;
mod revoke;
mod sign_in;
mod upgrade;
mod validate;

use http_kit::routes;
use identity::Identity;
use utoipa_axum::router::OpenApiRouter;

/// Every route of sign-in and keys.
pub fn routes<S>(identity: Identity) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    OpenApiRouter::new()
        .routes(routes!(guest_login::create))
        .routes(routes!(login::login))
        .routes(routes!(sign_in::show::show, sign_in::submit::submit))
        .routes(routes!(callback::callback))
        .routes(routes!(sign_in::done::done))
        .routes(routes!(sign_in::setup::show, sign_in::setup::submit))
        .routes(routes!(sign_in::verify_email::show, sign_in::verify_email::submit))
        .routes(routes!(refresh_token::refresh))
        .routes(routes!(refresh_token::alias))
        .routes(routes!(logout::get, logout::post))
        .routes(routes!(revoke::revoke))
        .routes(routes!(upgrade::upgrade))
        .routes(routes!(password::change))
        .routes(routes!(me::get))
        .routes(routes!(validate::validate))
        .routes(routes!(api_keys::list::list, api_keys::create::create))
        .routes(routes!(api_keys::revoke::revoke))
        .routes(routes!(openid_configuration::get))
        .routes(routes!(jwks::get))
        .with_state(identity)
}
