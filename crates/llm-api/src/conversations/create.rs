//! `POST /v1/conversations`: make a conversation (E14).

use std::collections::BTreeMap;

use app::conversations::{Conversations, NewConversation};
use axum::extract::State;
use domain::scope::ConversationsWrite;
use http_kit::{Caller, Json, MaybeJson, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use wire::{conversation::ConversationView, openai::items};

/// What a conversation is to begin with.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = CreateConversation)]
pub(crate) struct Request {
    /// One line, at most 256 characters.
    #[schema(max_length = 256, example = "Plans for spring")]
    title: Option<String>,
    /// Its first items, at most 20, as in `POST /v1/conversations/{conv_id}/items`.
    #[schema(value_type = Option<Vec<Object>>, max_items = 20, example = json!([{"role": "user", "content": "Hello"}]))]
    items: Option<Vec<Box<RawValue>>>,
    /// At most 16 entries; keys of at most 64 characters, texts of at most 512.
    #[schema(example = json!({"topic": "garden"}))]
    metadata: Option<BTreeMap<String, String>>,
    /// Where it comes from, at most 64 characters.
    #[schema(max_length = 64)]
    referrer: Option<String>,
    /// The project it belongs to.
    project_id: Option<String>,
}

/// Make a conversation.
#[utoipa::path(
    post, path = "/v1/conversations", tag = "conversations", operation_id = "createConversation",
    request_body(content = Option<Request>, description = "May be empty."),
    responses(
        (status = 200, description = "The conversation, without its items.", body = ConversationView,
            links(("get" = (operation_id = "getConversation", parameters(("conv_id" = "$response.body#/id")))))),
        (status = 400, description = "A field is out of its bounds; `param` names it, as in `items[3].content[0].text`."),
        (status = 404, description = "The caller has no such project (`project_not_found`)."),
        (status = 409, description = "Two items of one type have the same `call_id` (`call_id_exists`)."),
    )
)]
pub(crate) async fn create(
    caller: Caller<ConversationsWrite>,
    State(conversations): State<Conversations>,
    MaybeJson(request): MaybeJson<Request>,
) -> Result<Json<ConversationView>> {
    let Request { title, items, metadata, referrer, project_id } = request.unwrap_or_default();
    let items = items::read_all(&items.unwrap_or_default(), "items")?;
    let wish = NewConversation { title, referrer, project_id, metadata: metadata.unwrap_or_default(), items };
    Ok(Json(conversations.create(&caller, wish).await?.into()))
}
