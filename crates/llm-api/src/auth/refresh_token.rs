//! `POST /auth/refresh-token`: exchange a refresh token for new tokens (E05).

use axum::response::{IntoResponse, Response};
use domain::{Error, scope::AnyKey};
use http::{HeaderValue, header};
use http_kit::{Caller, Json, MaybeJson, OfSession, Result};
use identity::SignIn;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::offered::{self, Offered};
use crate::acting::Acting;

/// The token to exchange, unless it is in the cookie.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = RefreshRequest)]
pub(crate) struct Request {
    #[schema(nullable = false)]
    refresh_token: Option<String>,
}

/// New tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = Tokens)]
pub(crate) struct View {
    /// A JWT, to be sent as `Authorization: Bearer`.
    access_token: String,
    /// Replaces the one that was exchanged.
    refresh_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// For how many seconds the access token is good.
    #[schema(example = 3600)]
    expires_in: i64,
    /// When it expires, in seconds since the Unix epoch.
    #[schema(example = 1_800_003_600)]
    expires_at: i64,
}

impl From<SignIn> for View {
    fn from(sign_in: SignIn) -> Self {
        Self {
            access_token: sign_in.access_token.expose().to_owned(),
            refresh_token: sign_in.refresh_token.expose().to_owned(),
            token_type: "Bearer",
            expires_in: sign_in.expires_in,
            expires_at: sign_in.expires_at.seconds(),
        }
    }
}

/// Get new tokens.
///
/// The refresh token is looked for in the body, then in the cookie `refresh_token`, then in `Authorization: Bearer`. It is
/// good for one use: the answer holds the next one. For ten seconds it may be used again, by another tab or because an
/// answer was lost; after that, a second use ends the sign-in, since somebody else has the token.
#[utoipa::path(
    post, path = "/auth/refresh-token", tag = "auth", operation_id = "refreshToken",
    request_body(content = Option<Request>, description = "The refresh token; empty when it is in the cookie."),
    responses(
        (status = 200, description = "New tokens. The cookie is renewed if the token came from it.", body = View),
        (status = 400, description = "There is no refresh token (`missing_refresh_token`)."),
        (status = 401, description = "The refresh token is unknown, used, expired or taken back \
            (`invalid_refresh_token`); or there are no credentials of any kind."),
        (status = 403, description = "Another site's page sent the cookie (`origin_not_allowed`)."),
    )
)]
pub(crate) async fn refresh(
    _: OfSession,
    Acting(identity): Acting,
    caller: Result<Caller<AnyKey>>,
    offered: Offered,
    MaybeJson(body): MaybeJson<Request>,
) -> Result<Response> {
    let is_empty = body.is_none();
    let in_body = body.unwrap_or_default().refresh_token.filter(|token| !token.is_empty());
    let cookie = if in_body.is_none() { offered.cookie()? } else { None };
    let in_header = offered.header().ok().filter(|text| text.starts_with(identity::REFRESH_MARK));
    let Some(token) = in_body.as_deref().or(cookie).or(in_header) else {
        // Nothing at all is as at every other route; a request that says who it is, or has a body, lacks this one thing.
        if is_empty {
            caller?;
        }
        return Err(missing().into());
    };
    let sign_in = identity.refresh(token).await?;
    let renewed = cookie.map(|_| offered::keep(&identity, sign_in.refresh_token.expose(), sign_in.session_expires_at));
    let mut response = Json(View::from(sign_in)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(renewed.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// Get new tokens.
///
/// Another name of `/auth/refresh-token`.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "auth", operation_id = "refresh",
    request_body(content = Option<Request>, description = "The refresh token; empty when it is in the cookie."),
    responses((status = 200, description = "New tokens.", body = View))
)]
pub(crate) async fn alias(
    _: OfSession,
    acting: Acting,
    caller: Result<Caller<AnyKey>>,
    offered: Offered,
    body: MaybeJson<Request>,
) -> Result<Response> {
    refresh(OfSession, acting, caller, offered, body).await
}

#[cold]
fn missing() -> Error {
    let message = "refresh_token required: send it in the body, in the cookie refresh_token, or as the bearer.";
    Error::invalid("missing_refresh_token", message).param("refresh_token")
}
