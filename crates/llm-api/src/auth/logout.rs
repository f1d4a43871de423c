//! `GET` and `POST /auth/logout`: end the session (E04).

use axum::response::{IntoResponse, Response};
use domain::{Error, Kind};
use http::{HeaderValue, Method, StatusCode, header};
use http_kit::{Json, MaybeJson, OfSession, Query, Result};
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
    /// Where the browser ends the external provider's session, if the sign-in came from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    logout_url: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Parameters {
    redirect_url: Option<String>,
    mode: Option<String>,
}

/// Log out.
///
/// Ends the session of the access token or refresh token: both stop working, at once here and within two seconds on every
/// other server. A good token of either kind is enough, be it in the cookie `refresh_token`, in the body or the bearer; a
/// session that is over already is no error. The cookie is removed. A sign-in through the external provider has a session
/// there, too, which the browser ends at `logout_url`.
#[utoipa::path(
    get, path = "/auth/logout", tag = "auth", operation_id = "logout",
    params(
        ("redirect_url" = Option<String>, Query, description = "Where the external provider is to send the browser after its \
            logout, from the same list as for `/auth/login`. The provider has to know it, too."),
        ("mode" = Option<String>, Query, description = "`redirect` sends the browser to `logout_url` at once, if there is one."),
    ),
    responses(
        (status = 200, description = "The session is over.", body = View),
        (status = 302, description = "The session is over here: on to the provider's logout."),
        (status = 400, description = "The target is not allowed (`invalid_redirect_url`)."),
        (status = 403, description = "Another site's page sent the cookie (`origin_not_allowed`)."),
    )
)]
pub(crate) async fn get(
    _: OfSession,
    Acting(identity): Acting,
    method: Method,
    Query(parameters): Query<Parameters>,
    offered: Offered,
) -> Result<Response> {
    // Who asks only what there is (previews of links do) ends nothing.
    if method == Method::HEAD {
        return Ok(StatusCode::OK.into_response());
    }
    log_out(&identity, &offered, None, &parameters).await
}

/// Log out.
///
/// The same as `GET`, with the refresh token in the body if one likes.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth", operation_id = "postLogout",
    params(
        ("redirect_url" = Option<String>, Query, description = "Where the external provider is to send the browser after its \
            logout, from the same list as for `/auth/login`. The provider has to know it, too."),
        ("mode" = Option<String>, Query, description = "`redirect` sends the browser to `logout_url` at once, if there is one."),
    ),
    request_body(content = Option<Request>, description = "A refresh token; may be empty."),
    responses(
        (status = 200, description = "The session is over.", body = View),
        (status = 302, description = "The session is over here: on to the provider's logout."),
        (status = 400, description = "The target is not allowed (`invalid_redirect_url`)."),
        (status = 403, description = "Another site's page sent the cookie (`origin_not_allowed`)."),
    )
)]
pub(crate) async fn post(
    _: OfSession,
    Acting(identity): Acting,
    Query(parameters): Query<Parameters>,
    offered: Offered,
    MaybeJson(body): MaybeJson<Request>,
) -> Result<Response> {
    let token = body.unwrap_or_default().refresh_token.filter(|token| !token.is_empty());
    log_out(&identity, &offered, token.as_deref(), &parameters).await
}

/// Ends every session that is proven; one proof is enough, since a stale cookie must not keep anybody from leaving.
async fn log_out(
    identity: &Identity,
    offered: &Offered,
    in_body: Option<&str>,
    parameters: &Parameters,
) -> Result<Response> {
    let (cookie, header) = (offered.cookie(), offered.header());
    let proofs = [cookie.as_ref().ok().copied().flatten(), in_body, header.as_ref().ok().copied()];
    let mut refused: Option<Error> = None;
    let (mut is_over, mut logout_url) = (false, None);
    for proof in proofs.into_iter().flatten() {
        match identity.log_out(proof, parameters.redirect_url.as_deref()).await {
            Ok(at_provider) => {
                is_over = true;
                logout_url = logout_url.or(at_provider);
            }
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
    let mut response = match logout_url {
        Some(url) if parameters.mode.as_deref() == Some("redirect") => {
            (StatusCode::FOUND, [(header::LOCATION, url)]).into_response()
        }
        logout_url => Json(View { status: "logged out", logout_url }).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::SET_COOKIE, offered::forget(identity));
    Ok(response)
}
