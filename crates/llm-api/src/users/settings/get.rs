//! `GET /v1/users/me/settings`: the caller's settings (E40).

use app::settings::UserSettings;
use axum::extract::State;
use domain::scope::ProfileRead;
use http_kit::{Caller, Json, Result};

use super::view::View;

/// Show my settings.
///
/// All of them, also those that were never changed.
#[utoipa::path(
    get, path = "/v1/users/me/settings", tag = "users", operation_id = "getSettings",
    responses((status = 200, description = "The caller's settings.", body = View))
)]
pub(crate) async fn get(caller: Caller<ProfileRead>, State(settings): State<UserSettings>) -> Result<Json<View>> {
    Ok(Json(settings.get(&caller).await?.into()))
}
