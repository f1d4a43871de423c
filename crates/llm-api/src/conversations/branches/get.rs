//! `GET /v1/conversations/{conv_id}/branches/{name}`: one branch.

use app::conversations::Conversations;
use axum::extract::State;
use domain::scope::ConversationsRead;
use http_kit::{Caller, Json, Path, Result};
use wire::conversation::BranchView;

/// Get a branch.
#[utoipa::path(
    get, path = "/v1/conversations/{conv_id}/branches/{name}", tag = "conversations", operation_id = "getBranch",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("name" = String, Path, max_length = 64, description = "The branch's name; `main` is `MAIN`."),
    ),
    responses(
        (status = 200, description = "The branch.", body = BranchView),
        (status = 400, description = "The conversation's id is of another form (`invalid_id`)."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            branch (`branch_not_found`)."),
    )
)]
pub(crate) async fn get(
    caller: Caller<ConversationsRead>,
    State(conversations): State<Conversations>,
    Path((id, name)): Path<(String, String)>,
) -> Result<Json<BranchView>> {
    Ok(Json(conversations.branch(&caller, &id, &name).await?.into()))
}
