//! `DELETE /v1/conversations`: delete all of the caller's conversations.

use app::conversations::Conversations;
use axum::extract::State;
use domain::scope::ConversationsWrite;
use http_kit::{Caller, Json, Result};
use serde::Serialize;
use utoipa::ToSchema;

/// How many were deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = ConversationsDeleted)]
pub(crate) struct View {
    /// Always `conversations.deleted`.
    #[schema(example = "conversations.deleted")]
    object: &'static str,
    /// Always true.
    #[schema(example = true)]
    deleted: bool,
    /// How many there were; 0 the second time.
    #[schema(example = 12)]
    deleted_count: u64,
}

/// Delete all my conversations.
///
/// With everything in them and whatever was shared of them.
#[utoipa::path(
    delete, path = "/v1/conversations", tag = "conversations", operation_id = "deleteAllConversations",
    responses((status = 200, description = "They are deleted.", body = View))
)]
pub(crate) async fn delete_all(
    caller: Caller<ConversationsWrite>,
    State(conversations): State<Conversations>,
) -> Result<Json<View>> {
    let deleted_count = conversations.delete_all(&caller).await?;
    Ok(Json(View { object: "conversations.deleted", deleted: true, deleted_count }))
}
