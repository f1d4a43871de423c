//! `GET /.well-known/openid-configuration`: what those who verify our tokens need to know (`OpenID` Connect Discovery).
//!
//! It names what exists and nothing else. The sign-in page serves this server's own callback: there are no clients of others
//! to register, so no endpoint for them is named. `/auth/revoke` and `/auth/validate` speak JSON, where the standards'
//! endpoints take forms, and are not named either.

use axum::{extract::State, response::IntoResponse};
use http::header;
use http_kit::{Anyone, Json};
use identity::Identity;
use serde::Serialize;
use utoipa::ToSchema;

/// The discovery document.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenIdConfiguration {
    /// What tokens name as their issuer.
    #[schema(example = "http://127.0.0.1:8000")]
    issuer: String,
    /// Where the keys are that verify tokens.
    #[schema(example = "http://127.0.0.1:8000/.well-known/jwks.json")]
    jwks_uri: String,
    /// Empty: tokens are had at `/auth/login` and `/auth/guest-login`, which are no OAuth endpoints for other clients.
    response_types_supported: Vec<&'static str>,
    #[schema(example = json!(["public"]))]
    subject_types_supported: Vec<&'static str>,
    #[schema(example = json!(["RS256"]))]
    id_token_signing_alg_values_supported: Vec<&'static str>,
    /// What an access token says.
    claims_supported: Vec<&'static str>,
}

/// What verifies this server's tokens.
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "auth", operation_id = "getOpenIdConfiguration",
    responses((status = 200, description = "The discovery document.", body = OpenIdConfiguration))
)]
pub(crate) async fn get(_: Anyone, State(identity): State<Identity>) -> impl IntoResponse {
    let issuer = identity.issuer();
    let document = OpenIdConfiguration {
        issuer: issuer.to_owned(),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        response_types_supported: vec![],
        subject_types_supported: vec!["public"],
        id_token_signing_alg_values_supported: vec![identity::ALGORITHM],
        claims_supported: vec!["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "preferred_username", "roles"],
    };
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(document))
}
