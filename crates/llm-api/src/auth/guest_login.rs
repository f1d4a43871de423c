//! `POST /auth/guest-login`: come in without an account (E01).
//!
//! The tokens are in the answer and in no cookie: the contract has one at the end of the sign-in page's way alone (5.6,
//! E03). Whoever comes in as a guest proves nothing, so any site's page can have a browser do it; a cookie would put the
//! new guest in the place of who is signed in there. A page of ours that wants to be known by its cookie keeps the refresh
//! token there itself.

use axum::{extract::State, response::IntoResponse};
use http::{StatusCode, header};
use http_kit::{Anyone, ClientAddr, Json, MaybeJson, Result};
use identity::{Identity, SignIn};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A guest, and the tokens that prove it.
#[derive(Serialize, ToSchema)]
#[schema(as = GuestLogin)]
pub(crate) struct View {
    /// The new user's id.
    #[schema(example = "user_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    user_id: String,
    #[schema(example = "guest-0f8b6c1e-4d0a-4c53-9f43-1f3a2b4c5d6e")]
    username: String,
    /// The subject of the tokens.
    #[schema(example = "user_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    principal_id: String,
    /// A JWT, to be sent as `Authorization: Bearer`.
    access_token: String,
    /// Gets the next access token when this one has expired.
    refresh_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// For how many seconds the access token is good.
    #[schema(example = 3600)]
    expires_in: i64,
}

impl From<SignIn> for View {
    fn from(sign_in: SignIn) -> Self {
        Self {
            user_id: sign_in.user.id.to_string(),
            username: sign_in.user.username,
            principal_id: sign_in.user.subject,
            access_token: sign_in.access_token.expose().to_owned(),
            refresh_token: sign_in.refresh_token.expose().to_owned(),
            token_type: "Bearer",
            expires_in: sign_in.expires_in,
        }
    }
}

/// Nothing is asked; fields are ignored.
#[derive(Deserialize, ToSchema)]
#[schema(as = GuestLoginRequest)]
pub(crate) struct Request {}

/// Come in as a guest.
///
/// Makes a new user with the role `guest` at each call. Guests may chat and make API keys unless the operator decided
/// otherwise.
#[utoipa::path(
    post, path = "/auth/guest-login", tag = "auth", operation_id = "guestLogin",
    request_body(content = Option<Request>, description = "Nothing, or an empty object."),
    responses(
        (status = 201, description = "The guest is in.", body = View),
        (status = 429, description = "Too many guests come from this address (`rate_limit_exceeded`)."),
        (status = 503, description = "Guests may not come in (`guest_login_disabled`), there are too many \
            (`guest_limit_reached`), or the database does not answer."),
    )
)]
pub(crate) async fn create(
    _: Anyone,
    State(identity): State<Identity>,
    ClientAddr(from): ClientAddr,
    _: MaybeJson<Request>,
) -> Result<impl IntoResponse> {
    let sign_in = identity.guest_login(from).await?;
    // The edge says so only where there was a caller; here one begins.
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(View::from(sign_in))))
}
