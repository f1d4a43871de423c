//! `PATCH /v1/conversations/{conv_id}/items/by-call-id/{call_id}`: what became of a call (E25).

use app::conversations::{CallChange, Conversations};
use axum::extract::State;
use domain::scope::ConversationsWrite;
use http_kit::{Caller, Json, Path, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use wire::openai::items::{ItemDocument, ItemView};

/// What became of the call.
#[derive(Deserialize, ToSchema)]
#[schema(as = FinishCall)]
pub(crate) struct Request {
    #[schema(pattern = "^(completed|failed|cancelled)$", example = "completed")]
    status: String,
    /// What the tool answered.
    output: Option<String>,
    /// What went wrong: a text or an object.
    #[schema(value_type = Option<Object>)]
    error: Option<Box<RawValue>>,
    /// The tool's name.
    name: Option<String>,
    /// What it was called with, as JSON.
    arguments: Option<String>,
    /// The server that has the tool.
    server_label: Option<String>,
}

/// Note what became of a call.
///
/// Of a call of an MCP tool, an item of the type `mcp_call`; what the body does not name stays as it is.
#[utoipa::path(
    patch, path = "/v1/conversations/{conv_id}/items/by-call-id/{call_id}", tag = "conversations",
    operation_id = "finishConversationCall",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("call_id" = String, Path, max_length = 256, description = "The call's id, as the model gave it."),
    ),
    request_body = Request,
    responses(
        (status = 200, description = "The item.", body = ItemDocument),
        (status = 400, description = "A field is of no use; `param` names it."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            call (`item_not_found`)."),
    )
)]
pub(crate) async fn finish(
    caller: Caller<ConversationsWrite>,
    State(conversations): State<Conversations>,
    Path((id, call_id)): Path<(String, String)>,
    Json(request): Json<Request>,
) -> Result<Json<ItemView>> {
    let Request { status, output, error, name, arguments, server_label } = request;
    let change = CallChange { status, output, error, name, arguments, server_label };
    Ok(Json(ItemView(conversations.finish_call(&caller, &id, &call_id, &change).await?)))
}
