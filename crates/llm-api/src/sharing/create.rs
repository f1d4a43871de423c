//! `POST /v1/conversations/{conv_id}/share`: share a conversation (E26).

use app::sharing::{ShareWish, Sharing};
use axum::{extract::State, response::IntoResponse};
use domain::{
    Error,
    scope::{ConversationsRead, SharesWrite},
};
use http::StatusCode;
use http_kit::{Also, Caller, MaybeJson, Path, Query, Result};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::View;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    branch: Option<String>,
}

/// What is to be shared, and how. All of it may be left out.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = CreateShare)]
#[serde(default)]
pub(crate) struct Request {
    /// `conversation`, or `item` for a single answer; `item` when only `item_id` is given.
    #[schema(nullable, pattern = "^(conversation|item)$", example = "conversation")]
    scope: Option<String>,
    /// The single answer.
    #[schema(nullable, max_length = 64)]
    item_id: Option<String>,
    /// What to call it, in at most 256 characters; the conversation's title when not given.
    #[schema(nullable, max_length = 256, example = "Why is the sky blue?")]
    title: Option<String>,
    /// Whether its images are part of it: those that were sent with the messages themselves.
    #[schema(nullable)]
    include_images: Option<bool>,
    /// Whether the questions right before the single answer are part of it.
    #[serde(alias = "include_context")]
    #[schema(nullable)]
    include_context_messages: Option<bool>,
    /// The branch to share; the active one when not given. Also as a parameter of the address.
    #[schema(nullable, example = "MAIN")]
    branch: Option<String>,
    /// How long it is to be seen, in seconds; for ever when not given.
    #[schema(nullable, minimum = 1, maximum = 315_360_000)]
    expires_in: Option<i64>,
    /// Only true is possible.
    #[schema(nullable)]
    read_only: Option<bool>,
    /// Ends what was shared of the conversation before.
    #[schema(nullable)]
    replace: Option<bool>,
}

impl Request {
    /// The wish, for the item that the path names or else for what the body says.
    pub(super) fn into_wish(self, item: Option<String>, branch: Option<String>) -> Result<ShareWish, Error> {
        if self.read_only == Some(false) {
            return Err(Error::invalid_parameter("read_only", "What is shared can only be read."));
        }
        let item = match (item, self.scope.as_deref()) {
            (Some(item), _) => Some(item),
            (None, Some("conversation")) => None,
            (None, Some("item")) if self.item_id.is_none() => {
                return Err(Error::invalid("missing_parameter", "item_id is required.").param("item_id"));
            }
            (None, Some("item") | None) => self.item_id,
            (None, Some(_)) => return Err(Error::invalid_parameter("scope", "scope is conversation or item.")),
        };
        Ok(ShareWish {
            item,
            branch: branch.or(self.branch),
            title: self.title,
            include_images: self.include_images.unwrap_or_default(),
            include_context: self.include_context_messages.unwrap_or_default(),
            expires_in: self.expires_in,
            replace: self.replace.unwrap_or_default(),
        })
    }
}

/// Share a conversation.
///
/// Whoever has the link sees what the user and the assistant said until now: a frozen copy, without instructions,
/// reasoning, tools, files, ratings, and without a name.
#[utoipa::path(
    post, path = "/v1/conversations/{conv_id}/share", tag = "sharing", operation_id = "shareConversation",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        ("branch" = Option<String>, Query, description = "The branch to share; the active one when not given."),
    ),
    request_body = Option<Request>,
    responses(
        (status = 201, description = "The share.", body = View,
            links(("open" = (operation_id = "openShare", parameters(("share_id" = "$response.body#/slug")))))),
        (status = 400, description = "A field is of no use, the conversation has fewer than 2 items \
            (`not_enough_items`), is temporary (`temporary_conversation`) or has too many shares (`share_limit_reached`), \
            or the item is no answer (`item_not_shareable`)."),
        (status = 403, description = "The server's operator has switched sharing off (`sharing_disabled`), or the \
            API key may not read conversations (`insufficient_scope`)."),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`), or it has no such \
            branch or item (`branch_not_found`, `item_not_found`)."),
        (status = 413, description = "It is more than 10 MiB (`snapshot_too_large`)."),
    )
)]
pub(crate) async fn create(
    caller: Caller<SharesWrite>,
    reads: Also<ConversationsRead>,
    State(sharing): State<Sharing>,
    Path(conversation): Path<String>,
    Query(parameters): Query<Parameters>,
    MaybeJson(request): MaybeJson<Request>,
) -> Result<impl IntoResponse> {
    reads.check()?;
    let wish = request.unwrap_or_default().into_wish(None, parameters.branch)?;
    let share = sharing.create(&caller, &conversation, &wish).await?;
    Ok((StatusCode::CREATED, http_kit::Json(View::new(&sharing, share))))
}
