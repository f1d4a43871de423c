//! `GET` and `POST /auth/setup`: make the first administrator, by the link that the server prints.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{Error, Kind, Secret};
use http_kit::{Anyone, Query, RawBody, Result};
use identity::{AccountWish, Identity};
use serde::Deserialize;
use url::form_urlencoded;

use super::page;
use crate::acting::Acting;

const TITLE: &str = "Make the administrator";

#[derive(Deserialize)]
pub(crate) struct Parameters {
    #[serde(default)]
    token: String,
}

/// Show the page that makes the first administrator.
///
/// The server prints its address at the start, while nobody administers it. It is good for half an hour and one use.
#[utoipa::path(
    get, path = "/auth/setup", tag = "auth", operation_id = "showSetup",
    params(("token" = String, Query, description = "What the printed address holds.")),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 404, description = "The link is not good any more (`setup_link_invalid`)."),
    )
)]
pub(crate) async fn show(
    _: Anyone,
    State(identity): State<Identity>,
    Query(Parameters { token }): Query<Parameters>,
) -> Result<Response> {
    identity.check_setup(&token).await?;
    let body = page::setup(&token, page::Typed::default(), None);
    Ok(page::answer(StatusCode::OK, TITLE, &body))
}

/// Make the first administrator, by the page's form.
#[utoipa::path(
    post, path = "/auth/setup", tag = "auth", operation_id = "submitSetup",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "The form."),
    responses(
        (status = 303, description = "The account is made: on to the sign-in page."),
        (status = 400, description = "The page again, with what is wrong.", body = String, content_type = "text/html"),
        (status = 404, description = "The link is not good any more (`setup_link_invalid`)."),
        (status = 409, description = "The page again: somebody has the address or username.", body = String,
            content_type = "text/html"),
    )
)]
pub(crate) async fn submit(_: Anyone, Acting(identity): Acting, RawBody(body): RawBody) -> Result<Response> {
    // The token is what no other site's page knows, so no cookie is needed.
    let field = |name: &str| {
        let mut pairs = form_urlencoded::parse(&body);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let (token, email, username) = (field("token"), field("email"), field("username"));
    let wish = AccountWish {
        email: email.clone(),
        username: Some(username.clone()).filter(|username| !username.trim().is_empty()),
        name: None,
        password: Some(Secret::new(field("password"))),
    };
    let status = match identity.set_up(&token, wish).await {
        Ok(_) => return to_sign_in(&identity).await,
        Err(error) if error.kind() == Kind::Invalid => (StatusCode::BAD_REQUEST, error),
        Err(error) if error.kind() == Kind::Conflict => (StatusCode::CONFLICT, error),
        Err(error) => return Err(error.into()),
    };
    let typed = page::Typed { email: &email, username: &username, ..page::Typed::default() };
    let body = page::setup(&token, typed, Some(status.1.message()));
    Ok(page::answer(status.0, TITLE, &body))
}

async fn to_sign_in(identity: &Identity) -> Result<Response> {
    let target = identity.begin_login(None, None).await?.url;
    let location = HeaderValue::try_from(target).map_err(Error::internal)?;
    let no_store = HeaderValue::from_static("no-store");
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location), (header::CACHE_CONTROL, no_store)]).into_response())
}
