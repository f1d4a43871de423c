//! `DELETE /v1/conversations/{conv_id}/branches/{name}`: delete a branch.

use app::conversations::Conversations;
use axum::extract::State;
use domain::scope::ConversationsWrite;
use http_kit::{Caller, Json, Path, Result};
use serde::Serialize;
use utoipa::ToSchema;

/// What was deleted.
#[derive(Serialize, ToSchema)]
#[schema(as = BranchDeleted)]
pub(crate) struct View {
    #[schema(example = "Another idea")]
    name: String,
    /// Always `conversation.branch.deleted`.
    #[schema(example = "conversation.branch.deleted")]
    object: &'static str,
    /// Always true.
    #[schema(example = true)]
    deleted: bool,
}

/// Delete a branch.
///
/// With the items that no other branch shows.
#[utoipa::path(
    delete, path = "/v1/conversations/{conv_id}/branches/{name}", tag = "conversations", operation_id = "deleteBranch",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("name" = String, Path, max_length = 64, description = "The branch's name."),
    ),
    responses(
        (status = 200, description = "It is deleted.", body = View),
        (status = 400, description = "It is `MAIN` or the active one (`branch_protected`)."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            branch (`branch_not_found`)."),
    )
)]
pub(crate) async fn delete(
    caller: Caller<ConversationsWrite>,
    State(conversations): State<Conversations>,
    Path((id, name)): Path<(String, String)>,
) -> Result<Json<View>> {
    let name = conversations.delete_branch(&caller, &id, &name).await?;
    Ok(Json(View { name, object: "conversation.branch.deleted", deleted: true }))
}
