//! `GET /auth/authorize`: the sign-in page.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::Error;
use http_kit::{Anyone, ClientAddr, Query, Result};
use identity::Identity;

use super::{
    Asked, browser, keep_browser, new_browser,
    page::{self, Ways},
};

/// Show the sign-in page.
///
/// Where `/auth/login` sends a browser. The page works without scripts. Who signs in through the external provider is sent
/// on to it.
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
        ("change_password" = Option<String>, Query, description = "Shows the form to change the password."),
        ("provider" = Option<String>, Query, description = "`oidc` goes on to the external provider."),
    ),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 302, description = "On to the external provider."),
        (status = 503, description = "The external provider does not answer: a page that says so.",
            content((String = "text/html"), (http_kit::error::ErrorEnvelope = "application/json"))),
    )
)]
pub(crate) async fn show(
    _: Anyone,
    State(identity): State<Identity>,
    ClientAddr(from): ClientAddr,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    identity.check_authorization(&asked.to_request())?;
    let name = browser(&identity, &headers).map_or_else(new_browser, str::to_owned);
    if identity.leads_out(asked.provider.as_deref()) {
        let begun = identity.begin_external(&asked.to_request(), &name, from).await;
        return leave(&identity, &name, begun);
    }
    let form = page::form(&asked, &name, page::Typed::default(), None, Ways::of(&identity));
    let mut response = page::answer(StatusCode::OK, form.title, &form.body);
    response.headers_mut().insert(header::SET_COOKIE, keep_browser(&identity, &name));
    Ok(response)
}

/// Sends the browser, which is known from now on, to the provider; or says to a person why not.
fn leave(identity: &Identity, name: &str, begun: domain::Result<String>) -> Result<Response> {
    let mut response = match begun {
        Ok(target) => {
            let location = HeaderValue::try_from(target).map_err(Error::internal)?;
            (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
        }
        Err(error) if error.code() == "identity_provider_unavailable" => {
            let title = "Sign-in is not possible now";
            page::answer(StatusCode::SERVICE_UNAVAILABLE, title, &page::message(title, error.message()))
        }
        Err(error) => return Err(error.into()),
    };
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::SET_COOKIE, keep_browser(identity, name));
    Ok(response)
}
