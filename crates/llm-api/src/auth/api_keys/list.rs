//! `GET /auth/api-keys`: the caller's keys (E08).

use axum::extract::State;
use http_kit::{Caller, Json, PageQuery, Query, Result};
use identity::Identity;
use serde::Deserialize;
use wire::list::List;

use super::view::View;

#[derive(Deserialize)]
pub(crate) struct Filter {
    #[serde(default)]
    include_revoked: bool,
}

/// List my API keys.
///
/// An API key may do this only with the scope `keys:manage`.
#[utoipa::path(
    get, path = "/auth/api-keys", tag = "auth", operation_id = "listApiKeys",
    params(
        ("limit" = Option<i64>, Query, minimum = 1,
            description = "Keys of a page, 20 when not given; 100 at most, whatever is asked for."),
        ("after" = Option<String>, Query, max_length = 64, description = "The id of the last key seen; `cursor` is another name."),
        ("order" = Option<String>, Query, pattern = "^(asc|desc)$", description = "`desc` (newest first, when not given) or `asc`."),
        ("include_revoked" = Option<bool>, Query, description = "Revoked and expired keys too."),
    ),
    responses(
        (status = 200, description = "A page of keys.", body = List<View>,
            links(("revoke" = (operation_id = "revokeApiKey", parameters(("id" = "$response.body#/first_id")))))),
        (status = 403, description = "The API key may not manage keys (`insufficient_scope`).",
            body = http_kit::error::ErrorEnvelope),
    )
)]
pub(crate) async fn list(
    caller: Caller,
    State(identity): State<Identity>,
    PageQuery(page): PageQuery,
    Query(filter): Query<Filter>,
) -> Result<Json<List<View>>> {
    let keys = identity.list_keys(&caller, filter.include_revoked, &page).await?;
    let now = identity.clock().now();
    Ok(Json(List::new(keys.map(|key| View::new(key, now)), |view| &view.id)))
}
