//! `GET /v1/shares` and `GET /v1/conversations/{conv_id}/shares`: what the caller shares.

use app::sharing::Sharing;
use axum::extract::State;
use domain::scope::SharesRead;
use http_kit::{Caller, Json, PageQuery, Path, Query, Result};
use serde::Deserialize;
use wire::list::List;

use super::view::View;

#[derive(Deserialize)]
pub(crate) struct Filter {
    #[serde(default)]
    include_revoked: bool,
}

/// List what I share.
///
/// Shares of deleted conversations are gone with them.
#[utoipa::path(
    get, path = "/v1/shares", tag = "sharing", operation_id = "listShares",
    params(
        PageQuery,
        ("include_revoked" = Option<bool>, Query, description = "Shares that were taken back or have expired, too."),
    ),
    responses((status = 200, description = "A page of shares.", body = List<View>))
)]
pub(crate) async fn all(
    caller: Caller<SharesRead>,
    State(sharing): State<Sharing>,
    PageQuery(page): PageQuery,
    Query(filter): Query<Filter>,
) -> Result<Json<List<View>>> {
    let shares = sharing.list(&caller, None, filter.include_revoked, &page).await?;
    Ok(Json(List::new(shares.map(|share| View::new(&sharing, share)), |view| &view.id)))
}

/// List what I share of a conversation.
#[utoipa::path(
    get, path = "/v1/conversations/{conv_id}/shares", tag = "sharing", operation_id = "listConversationShares",
    params(
        ("conv_id" = String, Path, max_length = 64, description = "The conversation's id."),
        PageQuery,
        ("include_revoked" = Option<bool>, Query, description = "Shares that were taken back or have expired, too."),
    ),
    responses(
        (status = 200, description = "A page of shares.", body = List<View>),
        (status = 404, description = "The caller has no such conversation (`conversation_not_found`)."),
    )
)]
pub(crate) async fn of_conversation(
    caller: Caller<SharesRead>,
    State(sharing): State<Sharing>,
    Path(conversation): Path<String>,
    PageQuery(page): PageQuery,
    Query(filter): Query<Filter>,
) -> Result<Json<List<View>>> {
    let shares = sharing.list(&caller, Some(&conversation), filter.include_revoked, &page).await?;
    Ok(Json(List::new(shares.map(|share| View::new(&sharing, share)), |view| &view.id)))
}
