//! `GET /auth/done`: where a sign-in ends that was begun without a target.

use axum::{http::StatusCode, response::Response};

use super::page;
use http_kit::Anyone;

/// Say that the sign-in is done.
///
/// For browsers. The tokens are in the address's fragment, which stays in the browser.
#[utoipa::path(
    get, path = "/auth/done", tag = "auth", operation_id = "signInDone",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(crate) async fn done(_: Anyone) -> Response {
    let text = "This window can be closed. Programs find the tokens in the fragment of its address.";
    page::answer(StatusCode::OK, "Done", &page::message("Done", text))
}
