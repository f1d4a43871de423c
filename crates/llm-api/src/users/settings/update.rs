//! `PATCH /v1/users/me/settings`: change some of the caller's settings (E41).

use app::settings::UserSettings;
use axum::extract::State;
use domain::scope::ProfileWrite;
use http_kit::{Caller, Json, Result};
use serde_json::{Map, Value};

use super::view::View;

/// Change some of my settings.
///
/// The body has the fields to change, nested as they are shown; the others stay as they are. Null makes a field, or a
/// group of fields, what it is by default. Fields that only the server writes are ignored, so what was read can be sent
/// back.
#[utoipa::path(
    patch, path = "/v1/users/me/settings", tag = "users", operation_id = "updateSettings",
    request_body(
        content = Object, description = "Any part of the settings.",
        example = json!({"profile_settings": {"nick_name": "Ada"}, "memory_config": {"max_user_items": null}}),
    ),
    responses(
        (status = 200, description = "All of the settings.", body = View),
        (status = 400, description = "A field is of the wrong type or out of its bounds, and nothing was changed \
            (`invalid_parameter`, `invalid_base_style`)."),
    )
)]
pub(crate) async fn update(
    caller: Caller<ProfileWrite>,
    State(settings): State<UserSettings>,
    Json(change): Json<Map<String, Value>>,
) -> Result<Json<View>> {
    Ok(Json(settings.change(&caller, &change).await?.into()))
}
