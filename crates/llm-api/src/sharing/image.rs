//! `GET /v1/share/{share_id}/images/{number}`: an image of what is shared.

use app::sharing::Sharing;
use axum::{extract::State, response::Response};
use domain::Error;
use http::{HeaderMap, HeaderValue, header};
use http_kit::{Anyone, Path};

use super::open;

/// Get an image of what is shared.
///
/// As long as the share is there, and it was made with its images.
#[utoipa::path(
    get, path = "/v1/share/{share_id}/images/{number}", tag = "sharing", operation_id = "openShareImage",
    params(
        ("share_id" = String, Path, max_length = 64, description = "The slug in the link; the share's id will do."),
        ("number" = u32, Path, description = "The image's number, from 1 on."),
    ),
    responses(
        (status = 200, description = "The image.", content(
            (String = "image/png"), (String = "image/jpeg"), (String = "image/gif"), (String = "image/webp"))),
        (status = 304, description = "It is what `If-None-Match` names."),
        (status = 404, description = "There is no such share, or no such image of it (`share_not_found`)."),
        (status = 410, description = "The share was ended or its time is over (`share_revoked`, `share_expired`)."),
    )
)]
pub(crate) async fn get(
    _: Anyone,
    State(sharing): State<Sharing>,
    headers: HeaderMap,
    Path((name, number)): Path<(String, u32)>,
) -> Response {
    let answered = answer(&sharing, &headers, &name, number).await;
    answered.unwrap_or_else(|error| open::failed(&HeaderMap::new(), error))
}

async fn answer(sharing: &Sharing, headers: &HeaderMap, name: &str, number: u32) -> Result<Response, Error> {
    let share = sharing.see(name).await?;
    let tag = share.tag(&format!("image-{number}"));
    if open::knows(headers, &tag) {
        return Ok(open::tagged(&tag, None));
    }
    let image = share.image(number).await?;
    let mut response = Response::new(image.content.into());
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(image.mime_type).ok().map(|kind| (header::CONTENT_TYPE, kind)));
    // Opened by itself it is a document: one that does nothing.
    let policy = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(open::tagged(&tag, Some(response)))
}
