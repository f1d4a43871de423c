//! `GET /auth/authorize`: the sign-in page.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use http_kit::{Query, Result};
use identity::Identity;

use super::{Asked, browser, keep_browser, new_browser, page};

/// Show the sign-in page.
///
/// Where `/auth/login` sends a browser. The page works without scripts.
#[utoipa::path(
    get, path = "/auth/authorize", tag = "auth", operation_id = "authorize",
    params(
        ("client_id" = String, Query, description = "As `/auth/login` made it, like all of these."),
        ("response_type" = String, Query, description = "Always `code`."),
        ("redirect_uri" = String, Query, description = "This server's own callback."),
        ("state" = String, Query, description = "What comes back with the code."),
        ("code_challenge" = String, Query, description = "The verifier's SHA-256 in base64url."),
        ("code_challenge_method" = String, Query, description = "Always `S256`."),
        ("register" = Option<String>, Query, description = "Shows the form to make an account."),
    ),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(crate) async fn show(
    State(identity): State<Identity>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    identity.check_authorization(&asked.to_request())?;
    let name = browser(&identity, &headers).map_or_else(new_browser, str::to_owned);
    let may_register = identity.registration();
    let (title, body) = if asked.register.is_some() && may_register {
        ("Make an account", page::register(&asked, &name, page::Typed::default(), None))
    } else {
        ("Sign in", page::sign_in(&asked, &name, page::Typed::default(), None, may_register))
    };
    let mut response = page::answer(StatusCode::OK, title, &body);
    response.headers_mut().insert(header::SET_COOKIE, keep_browser(&identity, &name));
    Ok(response)
}
