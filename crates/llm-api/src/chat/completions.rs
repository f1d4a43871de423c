//! `POST /v1/chat/completions`: answer a chat (E12).

use app::chat::{Chat, Completion};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header::CONTENT_TYPE;
use http_kit::{Caller, LogFields, ReadJson, RequestId, Result, error::ErrorEnvelope, sse};
use wire::openai::chat::{ChatRequest, Chunk, Completion as Answer};

use super::notes::LogNotes;

/// Answer a chat.
///
/// With `stream: true` the answer comes as server-sent events, each a `chat.completion.chunk`, the last one `[DONE]`. A
/// stream that breaks off ends with an event that holds the error instead. Fields that are not described here are passed
/// on to the model's provider.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "chat", operation_id = "createChatCompletion",
    request_body = ChatRequest,
    responses(
        (status = 200, description = "The answer, whole or as it is made.",
            content((Answer = "application/json"), (Chunk = "text/event-stream"))),
        (status = 404, description = "There is no such model (`model_not_found`).", body = ErrorEnvelope),
        (status = 429, description = "The model has too much to do (`upstream_rate_limited`); `Retry-After` says how \
            long to wait.", body = ErrorEnvelope),
        (status = 502, description = "The model's provider failed (`upstream_error`).", body = ErrorEnvelope),
        (status = 503, description = "The model cannot answer for now (`provider_not_configured`, `upstream_error`).",
            body = ErrorEnvelope),
        (status = 504, description = "The model did not answer in time (`upstream_timeout`).", body = ErrorEnvelope),
    )
)]
pub(crate) async fn create(
    caller: Caller,
    State(chat): State<Chat>,
    fields: LogFields,
    request_id: RequestId,
    ReadJson(request, body): ReadJson<ChatRequest>,
) -> Result<Response> {
    Ok(match chat.complete(&caller.user_id, request, body, LogNotes(fields)).await? {
        Completion::Whole(answer) => ([(CONTENT_TYPE, "application/json")], answer).into_response(),
        Completion::Stream(events) => sse::response(request_id, events),
    })
}
