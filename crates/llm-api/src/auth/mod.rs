//! Sign-in, the caller's own account, API keys, and the keys that verify tokens.

mod api_keys;
mod callback;
mod guest_login;
mod jwks;
mod login;
mod logout;
mod me;
mod offered;
mod openid_configuration;
mod refresh_token;
mod revoke;
mod sign_in;
mod upgrade;

use http::Method;
use identity::Identity;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes that need no caller: some make a caller, the others hold what is public by its nature.
pub const OPEN: &[(Method, &str)] = &[
    (Method::POST, "/auth/guest-login"),
    (Method::GET, "/auth/login"),
    (Method::GET, "/auth/authorize"),
    (Method::POST, "/auth/authorize"),
    (Method::GET, "/auth/callback"),
    (Method::GET, "/auth/done"),
    (Method::GET, "/auth/setup"),
    (Method::POST, "/auth/setup"),
    (Method::GET, "/.well-known/openid-configuration"),
    (Method::GET, "/.well-known/jwks.json"),
];

/// The routes that renew or end a session. They judge credentials themselves: a refresh token counts, and so does an
/// access token whose session is over already.
pub(crate) const OF_SESSIONS: &[(Method, &str)] = &[
    (Method::POST, "/auth/refresh-token"),
    (Method::POST, "/auth/refresh"),
    (Method::GET, "/auth/logout"),
    (Method::POST, "/auth/logout"),
    (Method::POST, "/auth/revoke"),
];

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
        .routes(routes!(refresh_token::refresh))
        .routes(routes!(refresh_token::alias))
        .routes(routes!(logout::get, logout::post))
        .routes(routes!(revoke::revoke))
        .routes(routes!(upgrade::upgrade))
        .routes(routes!(me::get))
        .routes(routes!(api_keys::list::list, api_keys::create::create))
        .routes(routes!(api_keys::revoke::revoke))
        .routes(routes!(openid_configuration::get))
        .routes(routes!(jwks::get))
        .with_state(identity)
}
