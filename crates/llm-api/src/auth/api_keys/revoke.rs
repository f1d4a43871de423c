//! `DELETE /auth/api-keys/{id}`: take a key back (E10).

use domain::scope::KeysManage;
use http::StatusCode;
use http_kit::{Caller, Path, Result};

use crate::acting::Acting;

/// Revoke one of my API keys.
///
/// It stops working at once. An API key may do this only with the scope `keys:manage`.
#[utoipa::path(
    delete, path = "/auth/api-keys/{id}", tag = "auth", operation_id = "revokeApiKey",
    params(("id" = String, Path, max_length = 64, description = "The key's id.")),
    responses(
        (status = 204, description = "It is revoked."),
        (status = 404, description = "There is no such key of the caller's, or it was revoked before \
            (`api_key_not_found`)."),
    )
)]
pub(crate) async fn revoke(
    caller: Caller<KeysManage>,
    Acting(identity): Acting,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    identity.revoke_key(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
