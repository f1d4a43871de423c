//! `GET /auth/api-keys`: the caller's keys (E08).

use axum::extract::State;
use domain::scope::KeysManage;
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
        PageQuery,
        ("include_revoked" = Option<bool>, Query, description = "Revoked and expired keys too."),
    ),
    responses(
        (status = 200, description = "A page of keys.", body = List<View>,
            links(("revoke" = (operation_id = "revokeApiKey", parameters(("id" = "$response.body#/first_id")))))),
    )
)]
pub(crate) async fn list(
    caller: Caller<KeysManage>,
    State(identity): State<Identity>,
    PageQuery(page): PageQuery,
    Query(filter): Query<Filter>,
) -> Result<Json<List<View>>> {
    let keys = identity.list_keys(&caller, filter.include_revoked, &page).await?;
    let now = identity.clock().now();
    Ok(Json(List::new(keys.map(|key| View::new(key, now)), |view| &view.id)))
}
