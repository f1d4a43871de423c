//! `POST /v1/conversations/{conv_id}/items/{item_id}/share`: share an answer (E24).

use app::sharing::Sharing;
use axum::{extract::State, response::IntoResponse};
use domain::scope::{ConversationsRead, SharesWrite};
use http::StatusCode;
use http_kit::{Also, Caller, Json, MaybeJson, Path, Result};

use super::{create::Request, view::View};

/// Share an answer.
///
/// A completed message of the assistant, with the questions right before it if that is asked for.
#[utoipa::path(
    post, path = "/v1/conversations/{conv_id}/items/{item_id}/share", tag = "sharing", operation_id = "shareItem",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("item_id" = String, Path, max_length = 64, description = "The answer's id."),
    ),
    request_body = Option<Request>,
    responses(
        (status = 201, description = "The share.", body = View),
        (status = 400, description = "The item is no completed message of the assistant (`item_not_shareable`); \
            otherwise as for a conversation."),
        (status = 403, description = "The server's operator has switched sharing off (`sharing_disabled`), or the \
            API key may not read conversations (`insufficient_scope`)."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            item (`item_not_found`)."),
    )
)]
pub(crate) async fn create(
    caller: Caller<SharesWrite>,
    reads: Also<ConversationsRead>,
    State(sharing): State<Sharing>,
    Path((conversation, item)): Path<(String, String)>,
    MaybeJson(request): MaybeJson<Request>,
) -> Result<impl IntoResponse> {
    reads.check()?;
    let wish = request.unwrap_or_default().into_wish(Some(item), None)?;
    let share = sharing.create(&caller, &conversation, &wish).await?;
    Ok((StatusCode::CREATED, Json(View::new(&sharing, share))))
}
