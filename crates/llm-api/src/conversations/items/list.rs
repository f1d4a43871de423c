//! `GET /v1/conversations/{conv_id}/items`: the items of a branch.

use app::conversations::Conversations;
use axum::extract::State;
use domain::scope::ConversationsRead;
use http_kit::{Caller, Json, PageQuery, Path, Query, Result};
use wire::{
    list::List,
    openai::items::{ItemDocument, ItemView},
};

use super::OnBranch;

/// List the items of a conversation.
///
/// A page holds 8 MiB at most: long items make it short, and `has_more` says so.
#[utoipa::path(
    get, path = "/v1/conversations/{conv_id}/items", tag = "conversations", operation_id = "listConversationItems",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        PageQuery,
        ("branch" = Option<String>, Query, description = "The branch whose items are shown; the active one when not given."),
    ),
    responses(
        (status = 200, description = "A page of items.", body = List<ItemDocument>),
        (status = 400, description = "`after` names no item of the branch (`invalid_cursor`), or a parameter is of no use; \
            `param` names it."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            branch (`branch_not_found`)."),
    )
)]
pub(crate) async fn list(
    caller: Caller<ConversationsRead>,
    State(conversations): State<Conversations>,
    Path(id): Path<String>,
    PageQuery(page): PageQuery,
    Query(branch): Query<OnBranch>,
) -> Result<Json<List<ItemView>>> {
    let page = conversations.items(&caller, &id, branch.name(), &page).await?;
    Ok(Json(List::new(page.map(ItemView), ItemView::id)))
}
