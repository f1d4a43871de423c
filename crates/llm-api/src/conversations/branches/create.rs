//! `POST /v1/conversations/{conv_id}/branches`: make a branch.

use app::conversations::{Conversations, NewBranch};
use axum::extract::State;
use domain::scope::ConversationsWrite;
use http::StatusCode;
use http_kit::{Caller, Json, MaybeJson, Path, Result};
use serde::Deserialize;
use utoipa::ToSchema;
use wire::conversation::BranchView;

/// What the branch is to be.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = CreateBranch)]
pub(crate) struct Request {
    /// 1 to 64 letters, digits and `_`, `-`, `.` or spaces, unique in the conversation; made up when not given.
    #[schema(min_length = 1, max_length = 64, example = "Another idea")]
    name: Option<String>,
    /// What it is for, in at most 512 characters.
    #[schema(max_length = 512)]
    description: Option<String>,
    /// The last item that it is to show; all that there are when not given.
    fork_from_item_id: Option<String>,
    /// The branch it is made from; the active one when not given.
    parent_branch: Option<String>,
}

/// Make a branch.
///
/// It shows what another branch has by now, up to an item, and goes its own way from there. Nothing is copied. The active
/// branch stays the same.
#[utoipa::path(
    post, path = "/v1/conversations/{conv_id}/branches", tag = "conversations", operation_id = "createBranch",
    params(("conv_id" = String, Path, max_length = 64, description = "The conversation's id.")),
    request_body(content = Option<Request>, description = "May be empty."),
    responses(
        (status = 201, description = "The branch.", body = BranchView,
            links(("get" = (operation_id = "getBranch",
                parameters(("conv_id" = "$request.path.conv_id"), ("name" = "$response.body#/name")))))),
        (status = 400, description = "A field is out of its bounds; `param` names it. Or there are too many branches \
            (`branch_limit_reached`)."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            branch (`branch_not_found`) or item (`item_not_found`)."),
        (status = 409, description = "The conversation has a branch of this name (`branch_exists`)."),
    )
)]
pub(crate) async fn create(
    caller: Caller<ConversationsWrite>,
    State(conversations): State<Conversations>,
    Path(id): Path<String>,
    MaybeJson(request): MaybeJson<Request>,
) -> Result<(StatusCode, Json<BranchView>)> {
    let Request { name, description, fork_from_item_id, parent_branch } = request.unwrap_or_default();
    let wish = NewBranch { name, description, fork_from_item_id, parent_branch };
    let branch = conversations.create_branch(&caller, &id, wish).await?;
    Ok((StatusCode::CREATED, Json(branch.into())))
}
