//! `POST /v1/chat/completions`: answer a chat (E12).

use app::turns::{self, Reply, Turns};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use domain::scope::{ChatWrite, ConversationsRead, ConversationsWrite};
use http::{HeaderName, HeaderValue, header::CONTENT_TYPE};
use http_kit::{Also, Caller, LogFields, ReadJson, RequestId, Result, sse};
use wire::openai::chat::{ChatRequest, Chunk, Completion as Answer};

use super::{
    hints::{self, Asked},
    notes::LogNotes,
};

/// In the answer's head: the conversation it belongs to.
const CONVERSATION: HeaderName = HeaderName::from_static("x-conversation-id");

/// Answer a chat.
///
/// With `stream: true` the answer comes as server-sent events, each a `chat.completion.chunk`, the last one `[DONE]`. A
/// stream that breaks off ends with an event that holds the error instead. Fields that are not described here are passed
/// on to the model's provider.
///
/// Messages go to the model as they are, unless the request asks for a prompt before them, by `deep_research` or one of
/// the headers below, or the operator wants one. The answer's `X-Applied-Prompt-Modules` then names its parts.
///
/// With `conversation` the conversation's history is put before the messages, and the new messages and the answer are
/// kept in it before the answer ends. Messages that the conversation has already may be sent again; they are not kept
/// twice. `X-Conversation-Id` and the field `conversation` of the answer, or of the chunk that ends it, say which
/// conversation it is; `trimmed` says whether the history was too long for the model and its beginning left out. A
/// client that leaves finds what was said so far, marked as incomplete.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "chat", operation_id = "createChatCompletion",
    params(
        ("referrer" = Option<String>, Query, max_length = 64, description = "Labels a conversation that is made."),
        ("persona" = Option<String>, Query, max_length = 200, description = "How the model is to act: a persona's name that \
            the administrators gave, or any text. Wins over the header."),
        ("X-Prompt-Persona" = Option<String>, Header, description = "The same, at most 200 characters."),
        ("X-Prompt-Memory" = Option<String>, Header, description = "What to remember for this chat: at most 20 texts of at \
            most 500 characters, separated by semicolons."),
        ("Accept-Language" = Option<String>, Header, description = "The preferred language, told to the model where the \
            date is."),
    ),
    request_body = ChatRequest,
    responses(
        (status = 200, description = "The answer, whole or as it is made.",
            content((Answer = "application/json"), (Chunk = "text/event-stream"))),
        (status = 400, description = "A field is out of its bounds, or the message does not fit into the model's context \
            (`context_length_exceeded`)."),
        (status = 404, description = "There is no such model (`model_not_found`), or the caller has no such \
            conversation (`conversation_not_found`)."),
        (status = 429, description = "The model has too much to do (`upstream_rate_limited`); `Retry-After` says how \
            long to wait."),
        (status = 502, description = "The model's provider failed (`upstream_error`)."),
        (status = 503, description = "The model cannot answer for now (`provider_not_configured`, `upstream_error`)."),
        (status = 504, description = "The model did not answer in time (`upstream_timeout`)."),
    )
)]
pub(crate) async fn create(
    caller: Caller<ChatWrite>,
    (keeps, reads): (Also<ConversationsWrite>, Also<ConversationsRead>),
    State(turns): State<Turns>,
    Asked { hints, referrer }: Asked,
    fields: LogFields,
    request_id: RequestId,
    ReadJson(request, body): ReadJson<Box<ChatRequest>>,
) -> Result<Response> {
    if request.conversation.is_some() {
        keeps.check()?;
    }
    if turns::goes_on(&request) {
        reads.check()?;
    }
    let answer = turns.answer(&caller, &hints, referrer.as_deref(), request, body, LogNotes(fields)).await?;
    let mut response = match answer.reply {
        Reply::Whole(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Reply::Stream(events) => sse::response(request_id, events),
    };
    hints::name(&mut response, answer.applied);
    if let Some(id) = answer.conversation {
        response.headers_mut().extend(HeaderValue::try_from(id.as_str()).ok().map(|id| (CONVERSATION, id)));
    }
    Ok(response)
}
