//! `GET /auth/done`: where a sign-in ends that was begun without a target.

use axum::{http::StatusCode, response::Response};
use http_kit::{Anyone, Query, Result};
use serde::Deserialize;

use super::page;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    error: Option<String>,
}

/// Say that the sign-in is over.
///
/// For browsers. The tokens are in the address's fragment, which stays in the browser; or the query says why there are
/// none.
#[utoipa::path(
    get, path = "/auth/done", tag = "auth", operation_id = "signInDone",
    params(("error" = Option<String>, Query, description = "Why there are no tokens.")),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(crate) async fn done(_: Anyone, Query(Parameters { error }): Query<Parameters>) -> Result<Response> {
    // Anybody can write an address, so its words are not made this page's.
    let (title, text, more) = if error.is_some() {
        ("Not signed in", "The end of this page's address says why.", "<p><a href=\"login\">Sign in</a></p>\n")
    } else {
        ("Done", "This window can be closed. Programs find the tokens in the fragment of its address.", "")
    };
    Ok(page::answer(StatusCode::OK, title, &(page::message(title, text) + more)))
}
