//! `GET /v1/conversations/{conv_id}/items/by-call-id/{call_id}`: the item of a call (E25).

use app::conversations::Conversations;
use axum::extract::State;
use domain::scope::ConversationsRead;
use http_kit::{Caller, Json, Path, Query, Result};
use serde::Deserialize;
use wire::openai::items::{ItemDocument, ItemView};

#[derive(Deserialize)]
pub(crate) struct Parameters {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Get the item of a call.
///
/// The call itself, or its output when that is all there is; the newest of several.
#[utoipa::path(
    get, path = "/v1/conversations/{conv_id}/items/by-call-id/{call_id}", tag = "conversations",
    operation_id = "getConversationItemByCall",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("call_id" = String, Path, max_length = 256, description = "The call's id, as the model gave it."),
        ("type" = Option<String>, Query, description = "Only an item of this type, such as `function_call_output`."),
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
    Path((id, call_id)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<ItemView>> {
    let kind = parameters.kind.filter(|kind| !kind.is_empty());
    Ok(Json(ItemView(conversations.item_by_call(&caller, &id, &call_id, kind.as_deref()).await?)))
}
