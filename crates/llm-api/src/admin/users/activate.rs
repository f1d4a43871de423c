//! `POST /v1/admin/users/{id}/activate` and `…/deactivate`: let a user in, or keep it out.

use http_kit::{Json, Path, Result};
use identity::Identity;

use super::view::View;
use crate::acting::AsAdmin;

/// Let a user in again.
///
/// For administrators. The user signs in anew; keys work again. Who is let in already stays so.
#[utoipa::path(
    post, path = "/v1/admin/users/{id}/activate", tag = "admin", operation_id = "activateUser",
    params(("id" = String, Path, max_length = 64, description = "The user's id.")),
    responses(
        (status = 200, description = "The user.", body = View),
        (status = 404, description = "There is no such user (`user_not_found`)."),
    )
)]
pub(crate) async fn activate(AsAdmin(identity): AsAdmin, Path(id): Path<String>) -> Result<Json<View>> {
    let id = Identity::user_id(&id)?;
    Ok(Json(identity.set_disabled(&id, false).await?.into()))
}

/// Keep a user out.
///
/// For administrators. Sessions end and keys stop working at once, within two seconds on every server of several. Who
/// is kept out already stays so.
#[utoipa::path(
    post, path = "/v1/admin/users/{id}/deactivate", tag = "admin", operation_id = "deactivateUser",
    params(("id" = String, Path, max_length = 64, description = "The user's id.")),
    responses(
        (status = 200, description = "The user.", body = View),
        (status = 404, description = "There is no such user (`user_not_found`)."),
        (status = 409, description = "It is the caller (`cannot_disable_self`), or nobody else administers the server \
            (`last_admin`)."),
    )
)]
pub(crate) async fn deactivate(AsAdmin(identity): AsAdmin, Path(id): Path<String>) -> Result<Json<View>> {
    let id = Identity::user_id(&id)?;
    Ok(Json(identity.set_disabled(&id, true).await?.into()))
}
