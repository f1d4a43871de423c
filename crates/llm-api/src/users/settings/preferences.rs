//! `GET` and `PATCH /v1/users/me/settings/preferences`: what clients remember for the caller.

use app::settings::UserSettings;
use axum::extract::State;
use domain::scope::{ProfileRead, ProfileWrite};
use http_kit::{Caller, Json, Result};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What clients remember for the user, by name.
#[derive(Serialize, ToSchema)]
#[schema(as = Preferences)]
pub(crate) struct View {
    #[schema(value_type = Object, additional_properties, example = json!({"enable_search": true, "theme": "dark"}))]
    preferences: Map<String, Value>,
}

/// Show my preferences.
#[utoipa::path(
    get, path = "/v1/users/me/settings/preferences", tag = "users", operation_id = "getPreferences",
    responses((status = 200, description = "The caller's preferences.", body = View))
)]
pub(crate) async fn get(caller: Caller<ProfileRead>, State(settings): State<UserSettings>) -> Result<Json<View>> {
    let preferences = settings.get(&caller).await?.settings.preferences;
    Ok(Json(View { preferences }))
}

/// Change some of my preferences.
///
/// The body has the preferences to change, under `preferences` or by themselves; the others stay. Null forgets one.
#[utoipa::path(
    patch, path = "/v1/users/me/settings/preferences", tag = "users", operation_id = "updatePreferences",
    request_body(content = Object, description = "Some preferences.", example = json!({"preferences": {"theme": "dark"}})),
    responses((status = 200, description = "All of the preferences.", body = View))
)]
pub(crate) async fn update(
    caller: Caller<ProfileWrite>,
    State(settings): State<UserSettings>,
    Json(change): Json<Map<String, Value>>,
) -> Result<Json<View>> {
    let preferences = change.get("preferences").cloned().unwrap_or(Value::Object(change));
    let change = Map::from_iter([("preferences".to_owned(), preferences)]);
    let preferences = settings.change(&caller, &change).await?.settings.preferences;
    Ok(Json(View { preferences }))
}
