//! `GET` and `POST /auth/verify-email`: prove an account's address, by the link that an administrator sent there.

use axum::{extract::State, http::StatusCode, response::Response};
use http_kit::{Anyone, Query, RawBody, Result};
use identity::Identity;
use serde::Deserialize;
use url::form_urlencoded;

use super::page;
use crate::acting::Acting;

const TITLE: &str = "Confirm the address";

#[derive(Deserialize)]
pub(crate) struct Parameters {
    #[serde(default)]
    token: String,
}

/// Show the page that confirms an address.
///
/// `jan-server user email-link` prints its address, which is good for a day and one use. Looking at the page confirms
/// nothing, since programs that scan mail do that.
#[utoipa::path(
    get, path = "/auth/verify-email", tag = "auth", operation_id = "showVerifyEmail",
    params(("token" = String, Query, description = "What the sent address holds.")),
    responses(
        (status = 200, description = "The page.", body = String, content_type = "text/html"),
        (status = 404, description = "The link is not good any more (`email_link_invalid`)."),
    )
)]
pub(crate) async fn show(
    _: Anyone,
    State(identity): State<Identity>,
    Query(Parameters { token }): Query<Parameters>,
) -> Result<Response> {
    let email = identity.check_email_link(&token).await?;
    Ok(page::answer(StatusCode::OK, TITLE, &page::verify_email(&token, &email)))
}

/// Confirm an address, by the page's button.
#[utoipa::path(
    post, path = "/auth/verify-email", tag = "auth", operation_id = "submitVerifyEmail",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "The form."),
    responses(
        (status = 200, description = "The address counts as verified.", body = String, content_type = "text/html"),
        (status = 404, description = "The link is not good any more (`email_link_invalid`)."),
    )
)]
pub(crate) async fn submit(_: Anyone, Acting(identity): Acting, RawBody(body): RawBody) -> Result<Response> {
    let token = form_urlencoded::parse(&body).find(|(key, _)| key == "token").map(|(_, value)| value.into_owned());
    let email = identity.prove_email(&token.unwrap_or_default()).await?;
    let body = page::message("The address is confirmed", &format!("{email} counts as verified from now on."));
    Ok(page::answer(StatusCode::OK, TITLE, &body))
}
