//! `DELETE /v1/conversations/{conv_id}`: delete a conversation (E17).

use app::conversations::Conversations;
use axum::extract::State;
use domain::scope::ConversationsWrite;
use http_kit::{Caller, Json, Path, Result};
use serde::Serialize;
use utoipa::ToSchema;

/// What was deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = ConversationDeleted)]
pub(crate) struct View {
    #[schema(example = "conv_0mhk2v1qs5x3n8r7")]
    id: String,
    /// Always `conversation.deleted`.
    #[schema(example = "conversation.deleted")]
    object: &'static str,
    /// Always true.
    #[schema(example = true)]
    deleted: bool,
}

/// Delete a conversation.
///
/// With its items, its branches and whatever was shared of it.
#[utoipa::path(
    delete, path = "/v1/conversations/{conv_id}", tag = "conversations", operation_id = "deleteConversation",
    params(("conv_id" = String, Path, max_length = 64, description = "The conversation's id.")),
    responses(
        (status = 200, description = "It is deleted.", body = View),
        (status = 400, description = "The id is of another form (`invalid_id`)."),
        (status = 404, description = "The caller has no such conversation, or none any more \
            (`conversation_not_found`)."),
    )
)]
pub(crate) async fn delete(
    caller: Caller<ConversationsWrite>,
    State(conversations): State<Conversations>,
    Path(id): Path<String>,
) -> Result<Json<View>> {
    let id = conversations.delete(&caller, &id).await?;
    Ok(Json(View { id: id.to_string(), object: "conversation.deleted", deleted: true }))
}
