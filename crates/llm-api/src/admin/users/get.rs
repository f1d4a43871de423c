//! `GET /v1/admin/users/{id}`: one user.

use http_kit::{Json, Path, Result};

use super::view::View;
use crate::acting::AsAdmin;

/// Show a user.
///
/// For administrators.
#[utoipa::path(
    get, path = "/v1/admin/users/{id}", tag = "admin", operation_id = "getUser",
    params(("id" = String, Path, max_length = 64, description = "The user's id.")),
    responses(
        (status = 200, description = "The user.", body = View),
        (status = 404, description = "There is no such user (`user_not_found`)."),
    )
)]
pub(crate) async fn get(AsAdmin(identity): AsAdmin, Path(id): Path<String>) -> Result<Json<View>> {
    Ok(Json(identity.user_by_id(&id).await?.into()))
}
