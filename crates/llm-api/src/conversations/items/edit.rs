//! `PUT /v1/conversations/{conv_id}/items/{item_id}/edit`: give a message other content (E22).

use app::{
    conversations::Edited,
    turns::{Again, Turns},
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use domain::scope::{ChatWrite, ConversationsRead, ConversationsWrite};
use http_kit::{Also, Caller, Json, LogFields, Path, RequestId, Result};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use wire::{
    conversation::BranchView,
    openai::items::{ItemDocument, ItemView},
};

use super::regenerate::{self, answer, show};
use crate::chat::{hints::Memory, notes::LogNotes};

/// What the message is to say.
#[derive(Deserialize, ToSchema)]
#[schema(as = EditItem)]
pub(crate) struct Request {
    /// A text, or parts.
    #[schema(value_type = Object, example = "What grows in the shade?")]
    content: Box<RawValue>,
    /// Whether the model is to answer what the user says now. The answer is then what regenerating gives.
    #[serde(default)]
    regenerate: Option<bool>,
    /// The model: else the one that answered before, the one that the user prefers, or the first there is.
    #[serde(default)]
    #[schema(example = "jan-small")]
    model: Option<String>,
    /// Randomness, 0 to 2.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f64>,
    /// Tokens at most.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10_000_000)]
    max_tokens: Option<i64>,
    /// Whether the answer comes in chunks as it is made.
    #[serde(default)]
    stream: Option<bool>,
}

/// What the edit made.
#[derive(Serialize, ToSchema)]
#[schema(as = ItemEdited)]
pub(crate) struct View {
    /// The branch on which the edited message is.
    #[schema(example = "MAIN")]
    branch: String,
    /// The branch that keeps what was there.
    #[schema(example = "MAIN_20270115080000")]
    old_main_backup: String,
    /// Always true.
    #[schema(example = true)]
    branch_created: bool,
    /// The branch that was made.
    new_branch: BranchView,
    /// The edited message, if the user said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ItemDocument>, nullable = false)]
    user_item: Option<ItemView>,
    /// The edited message.
    #[schema(value_type = ItemDocument)]
    item: ItemView,
}

impl From<Edited> for View {
    fn from(Edited { branch, backup, new_branch, item }: Edited) -> Self {
        let is_users = item.head.role.as_deref() == Some("user");
        Self {
            branch,
            old_main_backup: backup,
            branch_created: true,
            new_branch: new_branch.into(),
            user_item: is_users.then(|| ItemView(item.clone())),
            item: ItemView(item),
        }
    }
}

/// What is answered: the edit, or, where the model was asked, what regenerating gives.
#[derive(ToSchema)]
#[schema(as = ItemEditedOrRegenerated)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the document")]
enum Either {
    Edited(View),
    Regenerated(regenerate::View),
}

/// What an edit needs that has the model answer, and what it may do besides.
type AsksModel = (Also<ChatWrite>, Also<ConversationsRead>, Memory);

/// Edit a message.
///
/// What the user said begins a new branch, which becomes `MAIN` and ends with the edited message; what was `MAIN` is kept
/// by another name. An answer of the assistant is changed where it stands, and a branch keeps what was there. With
/// `regenerate` the model answers what the user says now; when it fails, nothing is changed.
#[utoipa::path(
    put, path = "/v1/conversations/{conv_id}/items/{item_id}/edit", tag = "conversations",
    operation_id = "editConversationItem",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("item_id" = String, Path, max_length = 64, description = "The item's id."),
    ),
    request_body = Request,
    responses(
        (status = 200, description = "What the edit made.",
            content((Either = "application/json"), (regenerate::Event = "text/event-stream"))),
        (status = 400, description = "The content is out of its bounds, the item is neither the user's nor the \
            assistant's message (`invalid_item_role`), or there are too many branches (`branch_limit_reached`)."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            item (`item_not_found`)."),
    )
)]
pub(crate) async fn edit(
    caller: Caller<ConversationsWrite>,
    (chats, reads, memory): AsksModel,
    State(turns): State<Turns>,
    Path((id, item)): Path<(String, String)>,
    fields: LogFields,
    request_id: RequestId,
    Json(request): Json<Request>,
) -> Result<Response> {
    if request.regenerate != Some(true) {
        let edited = turns.conversations().edit(&caller, &id, &item, &request.content).await?;
        return Ok(Json(View::from(edited)).into_response());
    }
    chats.check()?;
    reads.check()?;
    let Request { content, model, temperature, max_tokens, stream, .. } = request;
    let stream = stream.unwrap_or(false);
    let again = Again { content: Some(content), model, temperature, max_tokens, stream, memory: memory.0 };
    let made = turns.regenerate(&caller, &id, &item, &again, LogNotes(fields), Box::new(show)).await?;
    Ok(answer(made, request_id))
}

/// Edit a message.
///
/// The same as `PUT`, for clients that say it so.
#[utoipa::path(
    post, path = "/v1/conversations/{conv_id}/items/{item_id}/edit", tag = "conversations",
    operation_id = "editConversationItemAlias",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("item_id" = String, Path, max_length = 64, description = "The item's id."),
    ),
    request_body = Request,
    responses(
        (status = 200, description = "What the edit made.",
            content((Either = "application/json"), (regenerate::Event = "text/event-stream"))),
        (status = 400, description = "As for `PUT`."),
        (status = 404, description = "As for `PUT`."),
    )
)]
pub(crate) async fn alias(
    caller: Caller<ConversationsWrite>,
    may: AsksModel,
    turns: State<Turns>,
    path: Path<(String, String)>,
    fields: LogFields,
    request_id: RequestId,
    request: Json<Request>,
) -> Result<Response> {
    edit(caller, may, turns, path, fields, request_id, request).await
}
