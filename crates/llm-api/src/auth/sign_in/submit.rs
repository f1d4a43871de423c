//! `POST /auth/authorize`: the sign-in page's form.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{Error, Kind, Secret};
use http_kit::{Anyone, ClientAddr, PageOrigin, RawBody, Result};
use identity::AccountWish;
use url::form_urlencoded;

use super::{
    Asked, browser,
    page::{self, Ways},
};
use crate::acting::Acting;
use crate::auth::offered::origin;

/// What the form holds.
#[derive(Default)]
struct Form {
    asked: Asked,
    browser: String,
    name: String,
    email: String,
    username: String,
    password: Secret,
    new_password: Secret,
}

impl Form {
    fn read(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let value = value.into_owned();
            match &*name {
                "client_id" => form.asked.client_id = value,
                "response_type" => form.asked.response_type = value,
                "redirect_uri" => form.asked.redirect_uri = value,
                "state" => form.asked.state = value,
                "code_challenge" => form.asked.code_challenge = value,
                "code_challenge_method" => form.asked.code_challenge_method = value,
                "register" => form.asked.register = Some(value),
                "change_password" => form.asked.change_password = Some(value),
                "browser" => form.browser = value,
                "name" => form.name = value,
                "email" => form.email = value,
                "username" => form.username = value,
                "password" => form.password = Secret::new(value),
                "new_password" => form.new_password = Secret::new(value),
                _ => {}
            }
        }
        form
    }

    /// The form again, with what is wrong; the password is typed anew.
    fn again(&self, error: &Error, ways: Ways<'_>) -> Response {
        let status = match error.kind() {
            Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::BAD_REQUEST,
        };
        let typed = page::Typed { name: &self.name, email: &self.email, username: &self.username };
        let form = page::form(&self.asked, &self.browser, typed, Some(error.message()), ways);
        let mut response = page::answer(status, form.title, &form.body);
        if let Kind::RateLimited(Some(pause)) = error.kind() {
            let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Sign in, make an account, or change the password, by the page's form.
///
/// For the page itself: the form is good only for the browser that was shown it.
#[utoipa::path(
    post, path = "/auth/authorize", tag = "auth", operation_id = "submitSignIn",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "The form."),
    responses(
        (status = 303, description = "Signed in: on to the callback, with a code."),
        (status = 400, description = "The page again, with what is wrong; or it was not this browser's.",
            content((String = "text/html"), (http_kit::error::ErrorEnvelope = "application/json"))),
        (status = 401, description = "The page again: not the right name or password.", body = String,
            content_type = "text/html"),
        (status = 403, description = "The page again: accounts are not made here; or another site's page sent the form.",
            content((String = "text/html"), (http_kit::error::ErrorEnvelope = "application/json"))),
        (status = 409, description = "The page again: somebody has the address or username.", body = String,
            content_type = "text/html"),
        (status = 429, description = "The page again: too many tries.",
            content((String = "text/html"), (http_kit::error::ErrorEnvelope = "application/json"))),
    )
)]
pub(crate) async fn submit(
    _: Anyone,
    Acting(identity): Acting,
    ClientAddr(from): ClientAddr,
    page: PageOrigin,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response> {
    let form = Form::read(&body);
    page.check(origin(identity.issuer()))?;
    let Some(browser) = browser(&identity, &headers).filter(|browser| *browser == form.browser) else {
        let message = "The page was not shown to this browser, or it keeps no cookies. Begin to sign in anew.";
        return Err(Error::invalid("invalid_request", message).into());
    };
    let request = form.asked.to_request();
    identity.check_authorization(&request)?;
    let done = if form.asked.register.is_some() {
        let username = Some(form.username.clone()).filter(|username| !username.trim().is_empty());
        let password = Some(form.password.clone());
        let wish = AccountWish { email: form.email.clone(), username, name: None, password };
        identity.register(&request, browser, wish, from).await
    } else if form.asked.change_password.is_some() {
        let Form { name, password, new_password, .. } = &form;
        identity.authorize_with_new_password(&request, browser, name, password, new_password, from).await
    } else {
        identity.authorize(&request, browser, &form.name, &form.password, from).await
    };
    match done {
        Ok(target) => {
            let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            let location = HeaderValue::try_from(target).map_err(Error::internal)?;
            Ok((StatusCode::SEE_OTHER, [no_store, (header::LOCATION, location)]).into_response())
        }
        Err(error) if matches!(error.kind(), Kind::Unavailable(_) | Kind::Internal) => Err(error.into()),
        Err(error) => Ok(form.again(&error, Ways::of(&identity))),
    }
}
