//! `PATCH /v1/conversations/{conv_id}`: change a conversation (E16).

use std::collections::BTreeMap;

use app::conversations::{ConversationChange, Conversations, MetadataChange};
use axum::extract::State;
use domain::scope::ConversationsWrite;
use http_kit::{Caller, Json, Path, Result};
use serde::Deserialize;
use utoipa::ToSchema;
use wire::{conversation::ConversationView, patch::Change};

/// What is to change.
#[derive(Deserialize, ToSchema)]
#[schema(as = UpdateConversation)]
pub(crate) struct Request {
    /// One line, at most 256 characters; null or empty for none.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 256)]
    title: Change<String>,
    /// The project it belongs to; null or empty for none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    project_id: Change<String>,
    /// Entries that are to be added or changed; null takes one out, or all of them.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>, example = json!({"topic": "garden", "old": null}))]
    metadata: Change<BTreeMap<String, Option<String>>>,
    /// Where it comes from, at most 64 characters; null or empty for nothing.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 64)]
    referrer: Change<String>,
}

/// Change a conversation.
///
/// What the body does not name stays as it is.
#[utoipa::path(
    patch, path = "/v1/conversations/{conv_id}", tag = "conversations", operation_id = "updateConversation",
    params(("conv_id" = String, Path, max_length = 64, description = "The conversation's id.")),
    request_body = Request,
    responses(
        (status = 200, description = "The conversation.", body = ConversationView),
        (status = 400, description = "A field is out of its bounds; `param` names it."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`) or project \
            (`project_not_found`)."),
    )
)]
pub(crate) async fn update(
    caller: Caller<ConversationsWrite>,
    State(conversations): State<Conversations>,
    Path(id): Path<String>,
    Json(request): Json<Request>,
) -> Result<Json<ConversationView>> {
    let Request { title, project_id, metadata, referrer } = request;
    let metadata = match metadata {
        Change::Keep => None,
        Change::Clear => Some(MetadataChange::Replace(BTreeMap::new())),
        Change::Set(changes) => Some(MetadataChange::Merge(changes)),
    };
    let change = ConversationChange { title, referrer, project_id, metadata };
    Ok(Json(conversations.update(&caller, &id, change).await?.into()))
}
