//! `GET /v1/conversations/{conv_id}/branches`: the branches of a conversation.

use app::conversations::Conversations;
use axum::extract::State;
use domain::scope::ConversationsRead;
use http_kit::{Caller, Json, PageQuery, Path, Result};
use wire::{conversation::BranchView, list::List};

/// List the branches of a conversation.
#[utoipa::path(
    get, path = "/v1/conversations/{conv_id}/branches", tag = "conversations", operation_id = "listBranches",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("limit" = Option<i64>, Query, minimum = 1,
            description = "Branches of a page, 20 when not given; 100 at most, whatever is asked for."),
        ("after" = Option<String>, Query, max_length = 64, description = "The name of the last branch seen; `cursor` is another name."),
        ("order" = Option<String>, Query, pattern = "^(asc|desc)$", description = "`desc` (newest first, when not given) or `asc`."),
    ),
    responses(
        (status = 200, description = "A page of branches; the ids of the list are their names.", body = List<BranchView>,
            links(("get" = (operation_id = "getBranch",
                parameters(("conv_id" = "$request.path.conv_id"), ("name" = "$response.body#/first_id")))))),
        (status = 400, description = "`after` names no branch (`invalid_cursor`), or a parameter is of no use."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`)."),
    )
)]
pub(crate) async fn list(
    caller: Caller<ConversationsRead>,
    State(conversations): State<Conversations>,
    Path(id): Path<String>,
    PageQuery(page): PageQuery,
) -> Result<Json<List<BranchView>>> {
    let page = conversations.branches(&caller, &id, &page).await?;
    Ok(Json(List::new(page.map(BranchView::from), |view| &view.name)))
}
