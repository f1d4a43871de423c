//! `POST /auth/api-keys`: make a key (E09).

use axum::response::IntoResponse;
use domain::scope::KeysManage;
use http::StatusCode;
use http_kit::{Caller, Json, Result};
use identity::NewKey;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    life::{self, ExpiresIn},
    view::View,
};
use crate::acting::Acting;

/// What the key is to be.
#[derive(Deserialize, ToSchema)]
#[schema(as = CreateApiKey)]
pub(crate) struct Request {
    /// What its owner calls it, 1 to 100 characters.
    #[schema(example = "laptop", min_length = 1, max_length = 100)]
    name: String,
    /// How long it is to be good: a text such as `720h`, or a whole number of seconds (of nanoseconds from 10^9 on).
    /// The longest that the server allows when not given.
    expires_in: Option<ExpiresIn>,
    /// The same, in days.
    #[schema(example = 30, minimum = 1)]
    expires_in_days: Option<i64>,
    /// What it is to be limited to; no limit when empty.
    #[schema(nullable, example = json!(["keys:manage"]))]
    scopes: Option<Vec<String>>,
}

/// Make an API key.
///
/// An API key may do this only with the scope `keys:manage`, and only for scopes of its own.
#[utoipa::path(
    post, path = "/auth/api-keys", tag = "auth", operation_id = "createApiKey",
    request_body = Request,
    responses(
        (status = 201, description = "The key.", body = View,
            links(("revoke" = (operation_id = "revokeApiKey", parameters(("id" = "$response.body#/id")))))),
        (status = 400, description = "A field cannot be granted, or there are too many keys (`api_key_limit_reached`)."),
        (status = 403, description = "The API key may not manage keys, or not give these scopes (`insufficient_scope`); \
            or guests have no keys here (`guest_not_allowed`)."),
    )
)]
pub(crate) async fn create(
    caller: Caller<KeysManage>,
    Acting(identity): Acting,
    Json(request): Json<Request>,
) -> Result<impl IntoResponse> {
    let life = life::read(request.expires_in, request.expires_in_days)?;
    let scopes = request.scopes.unwrap_or_default();
    let wish = NewKey { name: request.name, life: life.duration, scopes };
    let (key, secret) = identity.create_key(&caller, wish).await.map_err(|error| life.name_field(error))?;
    let view = View::new(key, identity.clock().now()).with_secret(&secret);
    Ok((StatusCode::CREATED, Json(view)))
}
