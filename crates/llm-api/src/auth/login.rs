//! `GET /auth/login`: where to sign in (E02).

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::scope::NoKey;
use http_kit::{Anyone, Caller, ClientAddr, Json, Query, Result, wants_page};
use identity::{Authorization, LoginWish};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::offered::Offered;
use crate::acting::Acting;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    redirect_url: Option<String>,
    mode: Option<String>,
    provider: Option<String>,
    #[serde(default)]
    upgrade: bool,
}

/// Where to sign in.
#[derive(Serialize, ToSchema)]
#[schema(as = Login)]
pub(crate) struct View {
    /// The sign-in page, to be opened in the browser.
    authorization_url: String,
    /// What the browser brings back; good for ten minutes.
    state: String,
}

/// Begin to sign in.
///
/// The browser is to open `authorization_url`; it ends at `redirect_url`, with the tokens in the fragment.
#[utoipa::path(
    get, path = "/auth/login", tag = "auth", operation_id = "login",
    params(
        ("redirect_url" = Option<String>, Query, description = "Where the browser is to land: at this server's own origin \
            or one that the operator listed. This server's own page when not given."),
        ("mode" = Option<String>, Query, description = "`redirect` sends the browser there at once; so does \
            `Accept: text/html`."),
        ("provider" = Option<String>, Query, description = "`oidc` goes to the external provider at once; without it the \
            sign-in page has a link there, if there is a provider."),
        ("upgrade" = Option<bool>, Query, description = "For guests, with their access token, \
            or else the cookie `refresh_token`: after a sign-in through the provider by somebody who \
            has no account yet, the fragment has `upgrade_code` for the same guest's `POST /auth/upgrade`, and no tokens."),
    ),
    responses(
        (status = 200, description = "Where to sign in.", body = View),
        (status = 302, description = "The same as a redirect, for browsers."),
        (status = 400, description = "The target is not allowed (`invalid_redirect_url`)."),
        (status = 401, description = "Nobody begins an upgrade (`missing_credentials`), or whoever does has a token that is \
            not good (`invalid_token`, `token_expired`; `invalid_refresh_token` in the cookie)."),
        (status = 403, description = "An API key begins an upgrade (`insufficient_scope`), another site's page sent the \
            cookie (`origin_not_allowed`), or the guest is deactivated (`access_denied`)."),
        (status = 409, description = "Who begins an upgrade has an account already (`not_a_guest`)."),
        (status = 503, description = "The external provider does not answer (`identity_provider_unavailable`)."),
    )
)]
pub(crate) async fn login(
    _: Anyone,
    Acting(identity): Acting,
    ClientAddr(from): ClientAddr,
    caller: Result<Option<Caller<NoKey>>>,
    offered: Offered,
    headers: HeaderMap,
    Query(parameters): Query<Parameters>,
) -> Result<Response> {
    let Parameters { redirect_url, mode, provider, upgrade } = parameters;
    let guest = if upgrade {
        let caller = caller?;
        let cookie = if caller.is_none() { offered.cookie()? } else { None };
        Some(identity.upgrading(caller.as_deref(), cookie).await?)
    } else {
        None
    };
    let wish = LoginWish { redirect_url: redirect_url.as_deref(), provider: provider.as_deref(), guest };
    let Authorization { url, state } = identity.begin_sign_in(wish, from).await?;
    let mut response = if wants_page(&headers) || mode.as_deref() == Some("redirect") {
        (StatusCode::FOUND, [(header::LOCATION, url)]).into_response()
    } else {
        Json(View { authorization_url: url, state }).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
