//! `GET /v1/conversations/{conv_id}`: one conversation (E15).

use app::conversations::Conversations;
use axum::extract::State;
use domain::{Error, scope::ConversationsRead};
use http_kit::{Caller, Json, Path, Query, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::{
    conversation::ConversationView,
    openai::items::{ItemDocument, ItemView},
};

/// Most items that are shown with a conversation.
const MOST_ITEMS: u32 = 1_000;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    branch: Option<String>,
    #[serde(default = "yes")]
    include_items: bool,
    items_limit: Option<String>,
}

const fn yes() -> bool {
    true
}

/// A conversation with its items.
#[derive(Serialize, ToSchema)]
#[schema(as = ConversationWithItems)]
pub(crate) struct WithItems {
    #[serde(flatten)]
    #[schema(inline)]
    conversation: ConversationView,
    /// The items of the branch, oldest first; left out when they are not wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ItemDocument>>, nullable = false)]
    items: Option<Vec<ItemView>>,
    /// Whether the branch has more items than these; the list of items goes on from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    items_has_more: Option<bool>,
}

/// Get a conversation.
///
/// With the items of the active branch: at most a thousand, and 8 MiB.
#[utoipa::path(
    get, path = "/v1/conversations/{conv_id}", tag = "conversations", operation_id = "getConversation",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("branch" = Option<String>, Query, description = "The branch whose items are shown; the active one when not given."),
        ("include_items" = Option<bool>, Query, description = "Whether items are shown; true when not given."),
        ("items_limit" = Option<i64>, Query, minimum = 1, maximum = 1000, description = "How many items are shown, from the first; 1000 when not given."),
    ),
    responses(
        (status = 200, description = "The conversation.", body = WithItems),
        (status = 400, description = "The id is of another form (`invalid_id`), or a parameter is of no use."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            branch (`branch_not_found`)."),
    )
)]
pub(crate) async fn get(
    caller: Caller<ConversationsRead>,
    State(conversations): State<Conversations>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<WithItems>> {
    let most = read_limit(parameters.items_limit.as_deref())?;
    if !parameters.include_items {
        let conversation = conversations.get(&caller, &id).await?.into();
        return Ok(Json(WithItems { conversation, items: None, items_has_more: None }));
    }
    let branch = parameters.branch.filter(|name| !name.is_empty());
    let (conversation, page) = conversations.get_with_items(&caller, &id, branch.as_deref(), most).await?;
    let items_has_more = Some(page.has_more);
    let items = Some(page.items.into_iter().map(ItemView).collect());
    Ok(Json(WithItems { conversation: conversation.into(), items, items_has_more }))
}

fn read_limit(text: Option<&str>) -> Result<u32, Error> {
    match text.map(str::parse::<u32>) {
        None => Ok(MOST_ITEMS),
        Some(Ok(limit)) if limit >= 1 => Ok(limit.min(MOST_ITEMS)),
        Some(_) => Err(Error::invalid_parameter("items_limit", "items_limit must be a whole number of at least 1.")),
    }
}
