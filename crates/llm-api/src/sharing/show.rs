//! `GET /v1/share/{share_id}`: read what is shared (E28).

use std::convert::Infallible;

use app::sharing::{SeenShare, Sharing};
use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use domain::Error;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_kit::{Anyone, Json, Path, error::ErrorEnvelope, wants_page};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use wire::share::Snapshot;

use super::open;

/// What everybody sees of a share.
#[derive(Serialize, ToSchema)]
#[schema(as = PublicShare)]
pub(crate) struct View {
    /// Always `public_share`.
    #[schema(example = "public_share")]
    object: &'static str,
    #[schema(example = "3kTMd9sLqX0aZbYcWvUe1f")]
    slug: String,
    #[schema(example = "Why is the sky blue?")]
    title: String,
    /// When it was shared, in seconds since the Unix epoch.
    #[schema(example = 1_800_000_000)]
    created_at: i64,
    /// The conversation as it was then.
    #[schema(value_type = Snapshot)]
    snapshot: Box<RawValue>,
}

/// Read what is shared.
///
/// For everybody who has the link: JSON for programs; for browsers (`Accept: text/html`) a page. Nothing is kept by
/// caches without asking, so that what is ended is gone at once.
#[utoipa::path(
    get, path = "/v1/share/{share_id}", tag = "sharing", operation_id = "openShare",
    params(("share_id" = String, Path, max_length = 64, description = "The slug in the link; the share's id will do.")),
    responses(
        (status = 200, description = "What is shared.", content((View = "application/json"), (String = "text/html"))),
        (status = 304, description = "It is what `If-None-Match` names."),
        (status = 403, description = "The server's operator has switched sharing off (`sharing_disabled`).",
            content((ErrorEnvelope = "application/json"), (String = "text/html"))),
        (status = 404, description = "There is no such share (`share_not_found`).",
            content((ErrorEnvelope = "application/json"), (String = "text/html"))),
        (status = 410, description = "It was ended (`share_revoked`), with its conversation or by itself, or its time is \
            over (`share_expired`).", content((ErrorEnvelope = "application/json"), (String = "text/html"))),
    )
)]
pub(crate) async fn show(
    _: Anyone,
    State(sharing): State<Sharing>,
    method: Method,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Response {
    let answered = answer(&sharing, &method, &headers, &name, &name).await;
    answered.unwrap_or_else(|error| open::failed(&headers, error))
}

/// Read what is shared.
///
/// Another name for `GET /v1/share/{share_id}`.
#[utoipa::path(
    get, path = "/v1/public/shares/{share_id}", tag = "sharing", operation_id = "openShareAlias",
    params(("share_id" = String, Path, max_length = 64, description = "The slug in the link; the share's id will do.")),
    responses(
        (status = 200, description = "What is shared.", content((View = "application/json"), (String = "text/html"))),
        (status = 304, description = "It is what `If-None-Match` names."),
        (status = 403, description = "The server's operator has switched sharing off (`sharing_disabled`).",
            content((ErrorEnvelope = "application/json"), (String = "text/html"))),
        (status = 404, description = "There is no such share (`share_not_found`).",
            content((ErrorEnvelope = "application/json"), (String = "text/html"))),
        (status = 410, description = "It was ended (`share_revoked`), with its conversation or by itself, or its time is \
            over (`share_expired`).", content((ErrorEnvelope = "application/json"), (String = "text/html"))),
    )
)]
pub(crate) async fn alias(
    _: Anyone,
    State(sharing): State<Sharing>,
    method: Method,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Response {
    // The images are beside the other address.
    let base = format!("../../share/{name}");
    let answered = answer(&sharing, &method, &headers, &name, &base).await;
    answered.unwrap_or_else(|error| open::failed(&headers, error))
}

/// Read what is shared.
///
/// Another name for `GET /v1/share/{share_id}`.
#[utoipa::path(
    get, path = "/v1/conversations/share/{share_id}", tag = "sharing", operation_id = "openShareOfConversation",
    params(("share_id" = String, Path, max_length = 64, description = "The slug in the link; the share's id will do.")),
    responses(
        (status = 200, description = "What is shared.", content((View = "application/json"), (String = "text/html"))),
        (status = 304, description = "It is what `If-None-Match` names."),
        (status = 403, description = "The server's operator has switched sharing off (`sharing_disabled`).",
            content((ErrorEnvelope = "application/json"), (String = "text/html"))),
        (status = 404, description = "There is no such share (`share_not_found`).",
            content((ErrorEnvelope = "application/json"), (String = "text/html"))),
        (status = 410, description = "It was ended (`share_revoked`), with its conversation or by itself, or its time is \
            over (`share_expired`).", content((ErrorEnvelope = "application/json"), (String = "text/html"))),
    )
)]
pub(crate) async fn beside_conversations(
    anyone: Anyone,
    sharing: State<Sharing>,
    method: Method,
    headers: HeaderMap,
    name: Path<String>,
) -> Response {
    alias(anyone, sharing, method, headers, name).await
}

async fn answer(
    sharing: &Sharing,
    method: &Method,
    headers: &HeaderMap,
    name: &str,
    base: &str,
) -> Result<Response, Error> {
    let share = sharing.see(name).await?;
    let is_page = wants_page(headers);
    let tag = share.tag(if is_page { "page" } else { "json" });
    let content = match open::knows(headers, &tag) {
        true => None,
        false if is_page => Some(page(&share, base).await?),
        false => Some(json(&share).await?),
    };
    if *method == Method::GET {
        share.count_view();
    }
    let mut response = open::tagged(&tag, content);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

async fn page(share: &SeenShare, base: &str) -> Result<Response, Error> {
    // Piece by piece: what is shared may be long, and is written into HTML as the reader takes it.
    let pieces = stream::iter(share.page(base).await?.map(Ok::<_, Infallible>));
    Ok(open::html(StatusCode::OK, Body::from_stream(pieces)))
}

async fn json(share: &SeenShare) -> Result<Response, Error> {
    let snapshot = RawValue::from_string(share.snapshot_json().await?).map_err(Error::internal)?;
    let view = View {
        object: "public_share",
        slug: share.share.slug.to_string(),
        title: share.share.title.clone(),
        created_at: share.share.created_at.seconds(),
        snapshot,
    };
    Ok(Json(view).into_response())
}
