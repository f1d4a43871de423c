//! `DELETE /v1/conversations/{conv_id}/share/{share_id}` and its aliases: end a share (E27).

use app::sharing::Sharing;
use axum::extract::State;
use domain::{ids::ShareId, scope::SharesWrite};
use http_kit::{Caller, Json, Path, Result};
use serde::Serialize;
use utoipa::ToSchema;

/// What was ended.
#[derive(Serialize, ToSchema)]
#[schema(as = ShareDeleted)]
pub(crate) struct View {
    #[schema(example = "shr_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    id: String,
    /// Always `share.deleted`.
    #[schema(example = "share.deleted")]
    object: &'static str,
    /// Always true.
    #[schema(example = true)]
    deleted: bool,
}

impl View {
    fn of(id: &ShareId) -> Json<Self> {
        Json(Self { id: id.to_string(), object: "share.deleted", deleted: true })
    }
}

/// End a share.
///
/// From now on nobody sees it, whatever link they have.
#[utoipa::path(
    delete, path = "/v1/conversations/{conv_id}/share/{share_id}", tag = "sharing", operation_id = "revokeShare",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("share_id" = String, Path, max_length = 64, description = "The share's id or slug."),
    ),
    responses(
        (status = 200, description = "It is ended.", body = View),
        (status = 404, description = "The conversation has no such share of the caller's, or it was ended before \
            (`share_not_found`)."),
    )
)]
pub(crate) async fn of_conversation(
    caller: Caller<SharesWrite>,
    State(sharing): State<Sharing>,
    Path((conversation, share)): Path<(String, String)>,
) -> Result<Json<View>> {
    Ok(View::of(&sharing.revoke(&caller, Some(&conversation), &share).await?))
}

/// End a share.
///
/// Another name for `DELETE /v1/conversations/{conv_id}/share/{share_id}`.
#[utoipa::path(
    delete, path = "/v1/conversations/{conv_id}/shares/{share_id}", tag = "sharing", operation_id = "revokeShareAlias",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("share_id" = String, Path, max_length = 64, description = "The share's id or slug."),
    ),
    responses(
        (status = 200, description = "It is ended.", body = View),
        (status = 404, description = "The conversation has no such share of the caller's, or it was ended before \
            (`share_not_found`)."),
    )
)]
pub(crate) async fn of_conversation_alias(
    caller: Caller<SharesWrite>,
    sharing: State<Sharing>,
    path: Path<(String, String)>,
) -> Result<Json<View>> {
    of_conversation(caller, sharing, path).await
}

/// End a share, of whichever conversation.
#[utoipa::path(
    delete, path = "/v1/shares/{share_id}", tag = "sharing", operation_id = "revokeAnyShare",
    params(("share_id" = String, Path, max_length = 64, description = "The share's id or slug.")),
    responses(
        (status = 200, description = "It is ended.", body = View),
        (status = 404, description = "The caller has no such share, or it was ended before (`share_not_found`)."),
    )
)]
pub(crate) async fn any(
    caller: Caller<SharesWrite>,
    State(sharing): State<Sharing>,
    Path(share): Path<String>,
) -> Result<Json<View>> {
    Ok(View::of(&sharing.revoke(&caller, None, &share).await?))
}
