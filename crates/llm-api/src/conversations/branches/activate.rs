//! `POST /v1/conversations/{conv_id}/branches/{name}/activate`: go on from a branch.

use app::conversations::Conversations;
use axum::extract::State;
use domain::scope::ConversationsWrite;
use http_kit::{Caller, Json, Path, Result};
use wire::conversation::BranchView;

/// Make a branch the active one.
///
/// Its items are the conversation's from then on, and what is added comes to its end.
#[utoipa::path(
    post, path = "/v1/conversations/{conv_id}/branches/{name}/activate", tag = "conversations",
    operation_id = "activateBranch",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("name" = String, Path, max_length = 64, description = "The branch's name."),
    ),
    responses(
        (status = 200, description = "The branch.", body = BranchView),
        (status = 400, description = "The conversation's id is of another form (`invalid_id`)."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            branch (`branch_not_found`)."),
    )
)]
pub(crate) async fn activate(
    caller: Caller<ConversationsWrite>,
    State(conversations): State<Conversations>,
    Path((id, name)): Path<(String, String)>,
) -> Result<Json<BranchView>> {
    Ok(Json(conversations.activate_branch(&caller, &id, &name).await?.into()))
}
