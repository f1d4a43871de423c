//! Sign-in, the caller's own account, API keys, and the keys that verify tokens.

mod api_keys;
mod guest_login;
mod jwks;
mod me;
mod openid_configuration;

use http::Method;
use identity::Identity;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes that need no caller: one makes a caller, the others hold what is public by its nature.
pub const OPEN: &[(Method, &str)] = &[
    (Method::POST, "/auth/guest-login"),
    (Method::GET, "/.well-known/openid-configuration"),
    (Method::GET, "/.well-known/jwks.json"),
];

/// Every route of sign-in and keys.
pub fn routes<S>(identity: Identity) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    OpenApiRouter::new()
        .routes(routes!(guest_login::create))
        .routes(routes!(me::get))
        .routes(routes!(api_keys::list::list, api_keys::create::create))
        .routes(routes!(api_keys::revoke::revoke))
        .routes(routes!(openid_configuration::get))
        .routes(routes!(jwks::get))
        .with_state(identity)
}
