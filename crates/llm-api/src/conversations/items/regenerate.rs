//! `POST /v1/conversations/{conv_id}/items/{item_id}/regenerate`: another answer to the same question (E23).

use app::{
    prompt::MemoryAccess,
    turns::{Again, Outcome, Regenerated, Turns},
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use domain::{
    Error,
    scope::{ChatWrite, ConversationsRead, ConversationsWrite},
};
use http_kit::{Also, Caller, Json, LogFields, MaybeJson, Path, RequestId, Result, sse};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use wire::{
    conversation::BranchView,
    openai::{
        chat::{Chunk, Usage},
        items::{ItemDocument, ItemView},
    },
};

use crate::chat::{hints::Memory, notes::LogNotes};

/// How to ask again, and whether; what is not given is as before.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[schema(as = RegenerateItem)]
pub(crate) struct Request {
    /// Whether the model is asked; true when not given. Else there is only made room for another answer.
    #[serde(default)]
    generate: Option<bool>,
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

/// What was made.
#[derive(Serialize, ToSchema)]
#[schema(as = ItemRegenerated)]
pub(crate) struct View {
    /// Always `conversation.item.regenerated`.
    #[schema(example = "conversation.item.regenerated")]
    object: &'static str,
    /// The branch on which the new answer is.
    #[schema(example = "MAIN")]
    branch: String,
    /// The branch that keeps the former course; null if there was nothing to keep.
    #[schema(required, example = "MAIN_20270115080000")]
    old_main_backup: Option<String>,
    /// Whether a branch was made.
    #[schema(example = true)]
    branch_created: bool,
    /// The branch that was made.
    #[schema(required)]
    new_branch: Option<BranchView>,
    /// The question that was asked again.
    #[schema(example = "msg_0123456789abcdef")]
    user_item_id: String,
    /// The question, if it was edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ItemDocument>, nullable = false)]
    user_item: Option<ItemView>,
    /// The new answer, unless the model was not to be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ItemDocument>, nullable = false)]
    item: Option<ItemView>,
    /// What the answer took.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Usage>, nullable = false)]
    usage: Option<Box<RawValue>>,
}

/// An event of a streamed answer: a chunk, and before the last one what was made.
#[derive(ToSchema)]
#[schema(as = RegeneratingEvent)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the document")]
pub(crate) enum Event {
    Chunk(Box<Chunk>),
    Made(Box<View>),
}

impl From<&Regenerated> for View {
    fn from(made: &Regenerated) -> Self {
        Self {
            object: "conversation.item.regenerated",
            branch: made.branch.clone(),
            old_main_backup: made.backup.clone(),
            branch_created: made.new_branch.is_some(),
            new_branch: made.new_branch.clone().map(Into::into),
            user_item_id: made.question.to_string(),
            user_item: made.edited.clone().map(ItemView),
            item: made.item.clone().map(ItemView),
            usage: made.usage.clone().and_then(|usage| RawValue::from_string(usage).ok()),
        }
    }
}

/// What was made, as the event before a stream's last one.
pub(super) fn show(made: &Regenerated) -> Result<Bytes, Error> {
    let view = serde_json::to_string(&View::from(made)).map_err(Error::internal)?;
    Ok(Bytes::from(format!("data: {view}\n\n")))
}

/// What comes of asking again, as an answer.
pub(super) fn answer(made: Outcome, request_id: RequestId) -> Response {
    match made {
        Outcome::Kept(made) => Json(View::from(&*made)).into_response(),
        Outcome::Stream(events) => sse::response(request_id, events),
    }
}

/// Regenerate an answer.
///
/// The model is asked once more what was asked before the item: an answer of the assistant, or the question itself. The
/// new answer begins a new branch, which becomes `MAIN`; what was `MAIN` is kept by another name. When the model fails,
/// nothing is changed. With `stream` the answer comes as the chunks of a chat completion; the last event before `[DONE]`
/// says what was made. With `generate: false` the model is not asked: the branch ends with the question, and the client
/// asks.
#[utoipa::path(
    post, path = "/v1/conversations/{conv_id}/items/{item_id}/regenerate", tag = "conversations",
    operation_id = "regenerateConversationItem",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("item_id" = String, Path, max_length = 64, description = "The item's id."),
    ),
    request_body(content = Option<Request>),
    responses(
        (status = 200, description = "What was made, or the answer as it is made.",
            content((View = "application/json"), (Event = "text/event-stream"))),
        (status = 400, description = "The item is neither an answer nor a question (`invalid_item_role`), or there are too \
            many branches (`branch_limit_reached`)."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), it has no such item \
            (`item_not_found`), or there is no such model (`model_not_found`)."),
        (status = 502, description = "The model's provider failed (`upstream_error`): nothing was changed."),
    )
)]
pub(crate) async fn regenerate(
    caller: Caller<ConversationsWrite>,
    (chats, reads, memory): (Also<ChatWrite>, Also<ConversationsRead>, Memory),
    State(turns): State<Turns>,
    Path((id, item)): Path<(String, String)>,
    fields: LogFields,
    request_id: RequestId,
    MaybeJson(request): MaybeJson<Request>,
) -> Result<Response> {
    let Request { generate, model, temperature, max_tokens, stream } = request.unwrap_or_default();
    if generate == Some(false) {
        let made = turns.make_room(&caller, &id, &item).await?;
        return Ok(Json(View::from(&made)).into_response());
    }
    chats.check()?;
    reads.check()?;
    let stream = stream.unwrap_or(false);
    // What the question asks to have remembered was so when it was asked.
    let memory = MemoryAccess { remember: false, ..memory.0 };
    let again = Again { content: None, model, temperature, max_tokens, stream, memory };
    let made = turns.regenerate(&caller, &id, &item, &again, LogNotes(fields), Box::new(show)).await?;
    Ok(answer(made, request_id))
}
