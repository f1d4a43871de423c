//! `POST /v1/conversations/{conv_id}/items`: add items (E19).

use app::conversations::Conversations;
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use domain::{Error, page::Page, scope::ConversationsWrite};
use http::StatusCode;
use http_kit::{Caller, Json, Path, Query, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use wire::{
    list::List,
    openai::items::{self, ItemDocument, ItemView},
};

use super::OnBranch;

/// The items, or one item that is the body itself: a message with `role` and `content`, or an item with a `type`.
#[derive(Deserialize, ToSchema)]
#[schema(as = AddItems)]
pub(crate) struct Request {
    /// 1 to 20 items.
    #[schema(
        value_type = Option<Vec<Object>>, nullable = false, min_items = 1, max_items = 20,
        example = json!([{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}])
    )]
    items: Option<Vec<Box<RawValue>>>,
    #[serde(rename = "type")]
    #[schema(value_type = Option<String>, nullable = false)]
    kind: Option<Box<RawValue>>,
    #[schema(value_type = Option<String>, nullable = false)]
    role: Option<Box<RawValue>>,
}

/// Add items.
///
/// They come to stand together at the end of the branch. Content that is a text becomes a part. The fields of an item
/// come back as they were given.
#[utoipa::path(
    post, path = "/v1/conversations/{conv_id}/items", tag = "conversations", operation_id = "addConversationItems",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("branch" = Option<String>, Query, description = "The branch they are added to; the active one when not given."),
    ),
    request_body = Request,
    responses(
        (status = 200, description = "The items of `items`.", body = List<ItemDocument>),
        (status = 201, description = "The one item that the body was.", body = ItemDocument,
            links(("get" = (operation_id = "getConversationItem",
                parameters(("conv_id" = "$request.path.conv_id"), ("item_id" = "$response.body#/id")))))),
        (status = 400, description = "A field is out of its bounds; `param` names it, as in `items[3].content[0].text`."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            branch (`branch_not_found`)."),
        (status = 409, description = "Another item of the type has the `call_id` (`call_id_exists`)."),
    )
)]
pub(crate) async fn add(
    caller: Caller<ConversationsWrite>,
    State(conversations): State<Conversations>,
    Path(id): Path<String>,
    Query(branch): Query<OnBranch>,
    Json(body): Json<Box<RawValue>>,
) -> Result<Response> {
    let request: Request = wire::json::parse(body.get().as_bytes())?;
    let Some(list) = request.items else {
        if request.kind.is_none() && request.role.is_none() {
            return Err(Error::invalid("missing_parameter", "items is required.").param("items").into());
        }
        let item = items::read(&body, "")?;
        let added = conversations.append(&caller, &id, branch.name(), vec![item]).await.map_err(of_body)?;
        let item = added.into_iter().next().map(ItemView);
        return Ok((StatusCode::CREATED, Json(item)).into_response());
    };
    if list.is_empty() {
        return Err(Error::invalid_parameter("items", "items must hold at least one item.").into());
    }
    let items = items::read_all(&list, "items")?;
    let added = conversations.append(&caller, &id, branch.name(), items).await?;
    let page = Page { items: added.into_iter().map(ItemView).collect(), has_more: false, total: None };
    Ok(Json(List::new(page, ItemView::id)).into_response())
}

/// An error about the only item, pointing into the body that is the item.
fn of_body(error: Error) -> Error {
    match error.param_name().and_then(|param| param.strip_prefix("items[0].")).map(str::to_owned) {
        Some(field) => error.param(field),
        None => error,
    }
}
