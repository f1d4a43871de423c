//! `POST /v1/conversations/bulk-delete`: delete several conversations (E18).

use app::conversations::{BulkDeleted, Conversations};
use axum::extract::State;
use domain::scope::ConversationsWrite;
use http_kit::{Caller, Json, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which conversations.
#[derive(Deserialize, ToSchema)]
#[schema(as = BulkDelete)]
pub(crate) struct Request {
    /// 1 to 100 ids.
    #[serde(default)]
    #[schema(required, min_items = 1, max_items = 100, example = json!(["conv_0mhk2v1qs5x3n8r7"]))]
    conversation_ids: Vec<String>,
}

/// What was deleted, and what could not be.
#[derive(Serialize, ToSchema)]
#[schema(as = ConversationsBulkDeleted)]
pub(crate) struct View {
    /// Always `conversations.deleted`.
    #[schema(example = "conversations.deleted")]
    object: &'static str,
    /// Always true.
    #[schema(example = true)]
    deleted: bool,
    #[schema(example = 1)]
    deleted_count: usize,
    #[schema(example = 0)]
    failed_count: usize,
    /// Ids that name no conversation of the caller's, or none any more.
    failed_ids: Vec<String>,
}

/// Delete several conversations.
///
/// Ids that name none of the caller's conversations are listed in the answer and keep no other from being deleted.
#[utoipa::path(
    post, path = "/v1/conversations/bulk-delete", tag = "conversations", operation_id = "bulkDeleteConversations",
    request_body = Request,
    responses(
        (status = 200, description = "What was deleted.", body = View),
        (status = 400, description = "No id (`invalid_request`), or more than a hundred (`too_many_ids`)."),
    )
)]
pub(crate) async fn bulk_delete(
    caller: Caller<ConversationsWrite>,
    State(conversations): State<Conversations>,
    Json(request): Json<Request>,
) -> Result<Json<View>> {
    let BulkDeleted { deleted, failed } = conversations.delete_many(&caller, &request.conversation_ids).await?;
    Ok(Json(View {
        object: "conversations.deleted",
        deleted: true,
        deleted_count: deleted,
        failed_count: failed.len(),
        failed_ids: failed,
    }))
}
