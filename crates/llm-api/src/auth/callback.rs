//! `GET /auth/callback`: back from the sign-in page (E03).

use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::Error;
use http_kit::{Anyone, Query, Result};
use identity::{Answer, Arrival, Arrived};
use url::form_urlencoded::Serializer;

use super::{offered, sign_in::browser};
use crate::acting::Acting;

/// End of a sign-in.
///
/// Where the browser comes back to with the code. It goes on to where the sign-in began: with `access_token`,
/// `refresh_token`, `token_type` and `expires_in` in the fragment; with `upgrade_code` there, when a guest is to become who
/// signed in; or with `error` and `error_description` in the query.
#[utoipa::path(
    get, path = "/auth/callback", tag = "auth", operation_id = "loginCallback",
    params(
        ("code" = Option<String>, Query, description = "What the sign-in page granted."),
        ("state" = Option<String>, Query, description = "What the sign-in began with."),
        ("error" = Option<String>, Query, description = "Why the external provider granted nothing."),
        ("iss" = Option<String>, Query, description = "Which external provider answers."),
    ),
    responses(
        (status = 302, description = "On to where the sign-in began."),
        (status = 400, description = "The state is none that a sign-in began with (`invalid_state`)."),
    )
)]
pub(crate) async fn callback(
    _: Anyone,
    Acting(identity): Acting,
    method: Method,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response> {
    // Who asks only what there is (previews of links do) uses nothing up.
    if method == Method::HEAD {
        return Ok(StatusCode::OK.into_response());
    }
    let Arrival { redirect_url, outcome } = identity.arrive(&answer, browser(&identity, &headers)).await?;
    let (target, kept) = match outcome {
        Ok(Arrived::SignedIn(sign_in)) => {
            let fragment = Serializer::new(String::new())
                .append_pair("access_token", sign_in.access_token.expose())
                .append_pair("refresh_token", sign_in.refresh_token.expose())
                .append_pair("token_type", "Bearer")
                .append_pair("expires_in", &sign_in.expires_in.to_string())
                .finish();
            let kept = offered::keep(&identity, sign_in.refresh_token.expose(), sign_in.session_expires_at);
            (format!("{redirect_url}#{fragment}"), Some(kept))
        }
        Ok(Arrived::Vouched(code)) => (format!("{redirect_url}#upgrade_code={}", code.expose()), None),
        Err(error) => (with_error(&redirect_url, &error), None),
    };
    let mut response = (StatusCode::FOUND, [(header::LOCATION, target)]).into_response();
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer.extend(kept.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

fn with_error(target: &str, error: &Error) -> String {
    let query = Serializer::new(String::new())
        .append_pair("error", error.code())
        .append_pair("error_description", error.message())
        .finish();
    format!("{target}{}{query}", if target.contains('?') { '&' } else { '?' })
}
