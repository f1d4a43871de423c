//! `GET` and `POST /auth/logout`: end the session (E04).

use axum::response::{IntoResponse, Response};
use domain::{Error, Kind};
use http::{HeaderValue, header};
use http_kit::{Json, MaybeJson, Result};
use identity::Identity;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::offered::{self, Offered};
use crate::acting::Acting;

/// A refresh token of the session, unless the session is known by the cookie or the access token.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = LogoutRequest)]
pub(crate) struct Request {
    #[schema(nullable = false)]
    refresh_token: Option<String>,
}

/// The session is over.
#[derive(Serialize, ToSchema)]
#[schema(as = LoggedOut)]
pub(crate) struct View {
    #[schema(example = "logged out")]
    status: &'static str,
}

/// Log out.
///
/// Ends the session of the access token or refresh token: both stop working, at once here and within two seconds on every
/// other server. A good token of either kind is enough, be it in the cookie `refresh_token`, in the body or the bearer; a
/// session that is over already is no error. The cookie is removed.
#[utoipa::path(
    get, path = "/auth/logout", tag = "auth", operation_id = "logout",
    responses(
        (status = 200, description = "The session is over.", body = View),
        (status = 403, description = "Another site's page sent the cookie (`origin_not_allowed`).",
            body = http_kit::error::ErrorEnvelope),
    )
)]
pub(crate) async fn get(Acting(identity): Acting, offered: Offered) -> Result<Response> {
    log_out(&identity, &offered, None).await
}

/// Log out.
///
/// The same as `GET`, with the refresh token in the body if one likes.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth", operation_id = "postLogout",
    request_body(content = Option<Request>, description = "A refresh token; may be empty."),
    responses(
        (status = 200, description = "The session is over.", body = View),
        (status = 403, description = "Another site's page sent the cookie (`origin_not_allowed`).",
            body = http_kit::error::ErrorEnvelope),
    )
)]
pub(crate) async fn post(
    Acting(identity): Acting,
    offered: Offered,
    MaybeJson(body): MaybeJson<Request>,
) -> Result<Response> {
    let token = body.unwrap_or_default().refresh_token.filter(|token| !token.is_empty());
    log_out(&identity, &offered, token.as_deref()).await
}

/// Ends every session that is proven; one proof is enough, since a stale cookie must not keep anybody from leaving.
async fn log_out(identity: &Identity, offered: &Offered, in_body: Option<&str>) -> Result<Response> {
    let (cookie, header) = (offered.cookie(), offered.header());
    let proofs = [cookie.as_ref().ok().copied().flatten(), in_body, header.as_ref().ok().copied()];
    let mut refused: Option<Error> = None;
    let mut is_over = false;
    for proof in proofs.into_iter().flatten() {
        match identity.end_session(proof).await {
            Ok(()) => is_over = true,
            Err(error) if matches!(error.kind(), Kind::Unauthenticated | Kind::Invalid) => {
                refused.get_or_insert(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    if !is_over {
        if let Some(error) = refused {
            return Err(error.into());
        }
        cookie?;
        header?;
    }
    let mut response = Json(View { status: "logged out" }).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::SET_COOKIE, offered::forget(identity));
    Ok(response)
}
