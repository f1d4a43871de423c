//! `GET /.well-known/jwks.json`: the keys that verify access tokens (RFC 7517).

use axum::{extract::State, response::IntoResponse};
use http::header;
use http_kit::{Anyone, Json};
use identity::{Identity, Jwk};
use serde::Serialize;
use utoipa::ToSchema;

/// How long others may keep the keys. A new server's key is published before its first token goes out, so this is how
/// long others may refuse its tokens.
const CACHE: &str = "public, max-age=300";

/// Public keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct JsonWebKeySet {
    /// One for each server on this database.
    keys: Vec<JsonWebKey>,
}

/// A public RSA key.
#[derive(Serialize, ToSchema)]
pub(crate) struct JsonWebKey {
    #[schema(example = "RSA")]
    kty: String,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    key_use: String,
    #[schema(example = "RS256")]
    alg: String,
    /// The name that tokens carry.
    #[schema(example = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")]
    kid: String,
    /// The modulus, in base64url.
    n: String,
    /// The exponent, in base64url.
    #[schema(example = "AQAB")]
    e: String,
}

impl From<Jwk> for JsonWebKey {
    fn from(Jwk { kty, key_use, alg, kid, n, e }: Jwk) -> Self {
        Self { kty, key_use, alg, kid, n, e }
    }
}

/// The keys that verify access tokens.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "auth", operation_id = "getJwks",
    responses((status = 200, description = "The keys of every server on this database.", body = JsonWebKeySet))
)]
pub(crate) async fn get(_: Anyone, State(identity): State<Identity>) -> impl IntoResponse {
    let keys = identity.public_keys().into_iter().map(JsonWebKey::from).collect();
    ([(header::CACHE_CONTROL, CACHE)], Json(JsonWebKeySet { keys }))
}
