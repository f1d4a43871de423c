//! `PATCH /v1/conversations/{conv_id}/items/{item_id}`: rate an answer.

use app::conversations::Conversations;
use axum::extract::State;
use domain::{Error, scope::ConversationsWrite};
use http_kit::{Caller, Json, Path, Result};
use serde::Deserialize;
use utoipa::ToSchema;
use wire::{
    openai::items::{ItemDocument, ItemView},
    patch::Change,
};

/// What is thought of an answer.
#[derive(Deserialize, ToSchema)]
#[schema(as = RateItem)]
pub(crate) struct Request {
    /// `like`, `unlike`, or null to take back what was said.
    #[serde(default)]
    #[schema(value_type = Option<String>, required, pattern = "^(like|unlike)$", example = "like")]
    rating: Change<String>,
    /// Why, in at most 2000 characters.
    #[schema(max_length = 2_000)]
    rating_comment: Option<String>,
}

impl Request {
    fn into_rating(self) -> Result<Option<(bool, Option<String>)>, Error> {
        match self.rating {
            Change::Set(word) if word == "like" => Ok(Some((true, self.rating_comment))),
            Change::Set(word) if word == "unlike" => Ok(Some((false, self.rating_comment))),
            Change::Clear => Ok(None),
            Change::Set(_) => Err(Error::invalid_parameter("rating", "rating must be like, unlike or null.")),
            Change::Keep => Err(Error::invalid("missing_parameter", "rating is required.").param("rating")),
        }
    }
}

/// Rate an answer.
///
/// Only messages of the assistant can be rated.
#[utoipa::path(
    patch, path = "/v1/conversations/{conv_id}/items/{item_id}", tag = "conversations",
    operation_id = "rateConversationItem",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("item_id" = String, Path, max_length = 64, description = "The item's id."),
    ),
    request_body = Request,
    responses(
        (status = 200, description = "The item.", body = ItemDocument),
        (status = 400, description = "A field is of no use, or the item is no answer (`invalid_item_role`)."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            item (`item_not_found`)."),
    )
)]
pub(crate) async fn rate(
    caller: Caller<ConversationsWrite>,
    State(conversations): State<Conversations>,
    Path((id, item)): Path<(String, String)>,
    Json(request): Json<Request>,
) -> Result<Json<ItemView>> {
    Ok(Json(ItemView(conversations.rate(&caller, &id, &item, request.into_rating()?).await?)))
}
