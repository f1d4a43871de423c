//! `DELETE /v1/conversations/{conv_id}/items/{item_id}`: delete an item (E21).

use app::conversations::{Conversations, Deleted};
use axum::extract::State;
use domain::{Error, scope::ConversationsWrite};
use http_kit::{Caller, Json, Path, Query, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::conversation::ConversationView;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    cascade: Option<String>,
}

/// The conversation without the item.
#[derive(Serialize, ToSchema)]
#[schema(as = ConversationItemDeleted)]
pub(crate) struct WithoutItem {
    #[serde(flatten)]
    #[schema(inline)]
    conversation: ConversationView,
    /// The item that was deleted.
    #[schema(example = "msg_0mhk2v1qs5x3n8r7")]
    deleted_item_id: String,
    /// The branch that goes on without what followed the item.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    branch: Option<String>,
    /// The branch that keeps the item and what followed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "MAIN_20270115080000")]
    old_main_backup: Option<String>,
    /// Whether a branch was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    branch_created: Option<bool>,
}

/// Delete an item.
///
/// The item alone, with its output if it is a call; other branches keep it. With `cascade=after` a new branch is begun
/// before it, which becomes `MAIN`, and the former one is kept by another name.
#[utoipa::path(
    delete, path = "/v1/conversations/{conv_id}/items/{item_id}", tag = "conversations",
    operation_id = "deleteConversationItem",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("item_id" = String, Path, max_length = 64, description = "The item's id."),
        ("cascade" = Option<String>, Query, pattern = "^(none|after)$", description = "`after` deletes what follows, too."),
    ),
    responses(
        (status = 200, description = "The conversation without the item.", body = WithoutItem),
        (status = 400, description = "The conversation's id is of another form (`invalid_id`), or the parameter is of no \
            use."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            item (`item_not_found`)."),
    )
)]
pub(crate) async fn delete(
    caller: Caller<ConversationsWrite>,
    State(conversations): State<Conversations>,
    Path((id, item)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<WithoutItem>> {
    let and_after = match parameters.cascade.as_deref() {
        None | Some("" | "none") => false,
        Some("after") => true,
        Some(_) => return Err(Error::invalid_parameter("cascade", "cascade must be none or after.").into()),
    };
    let Deleted { conversation, item, backup } = conversations.delete_item(&caller, &id, &item, and_after).await?;
    Ok(Json(WithoutItem {
        deleted_item_id: item.to_string(),
        branch: backup.as_ref().map(|_| conversation.active_branch.clone()),
        branch_created: backup.as_ref().map(|_| true),
        old_main_backup: backup,
        conversation: conversation.into(),
    }))
}
