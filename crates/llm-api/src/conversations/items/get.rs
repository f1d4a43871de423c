//! `GET /v1/conversations/{conv_id}/items/{item_id}`: one item (E20).

use app::conversations::Conversations;
use axum::extract::State;
use domain::scope::ConversationsRead;
use http_kit::{Caller, Json, Path, Result};
use wire::openai::items::{ItemDocument, ItemView};

/// Get an item.
///
/// As the active branch shows it, or else another branch.
#[utoipa::path(
    get, path = "/v1/conversations/{conv_id}/items/{item_id}", tag = "conversations",
    operation_id = "getConversationItem",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("item_id" = String, Path, max_length = 64, description = "The item's id."),
    ),
    responses(
        (status = 200, description = "The item.", body = ItemDocument),
        (status = 400, description = "The conversation's id is of another form (`invalid_id`)."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            item (`item_not_found`)."),
    )
)]
pub(crate) async fn get(
    caller: Caller<ConversationsRead>,
    State(conversations): State<Conversations>,
    Path((id, item)): Path<(String, String)>,
) -> Result<Json<ItemView>> {
    Ok(Json(ItemView(conversations.item(&caller, &id, &item).await?)))
}
