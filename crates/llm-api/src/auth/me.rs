//! `GET /auth/me`: who the caller is (E11).

use axum::extract::State;
use domain::scope::AnyKey;
use domain::{Method, Role, user::User};
use http_kit::{Caller, Json, Result};
use identity::Identity;
use serde::Serialize;
use utoipa::ToSchema;

/// The caller.
#[derive(Serialize, ToSchema)]
#[schema(as = Me)]
pub(crate) struct View {
    /// Always `user`.
    #[schema(example = "user")]
    object: &'static str,
    #[schema(example = "user_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    id: String,
    username: String,
    #[schema(required)]
    email: Option<String>,
    /// The user's name with the issuer that vouches for it.
    subject: String,
    /// How the caller proved it: `jwt` or `apikey`.
    #[schema(example = "jwt")]
    auth_method: &'static str,
    #[schema(required)]
    name: Option<String>,
    #[schema(example = json!(["guest"]))]
    roles: Vec<&'static str>,
    is_admin: bool,
    is_guest: bool,
    #[schema(required)]
    picture: Option<String>,
    /// When the user came first, in seconds since the Unix epoch.
    #[schema(example = 1_800_000_000)]
    created_at: i64,
}

impl View {
    /// A user who called by this method.
    pub(super) fn new(method: &Method, user: User) -> Self {
        Self {
            object: "user",
            id: user.id.to_string(),
            username: user.username,
            email: user.email,
            subject: user.subject,
            auth_method: method.as_str(),
            name: user.name,
            is_admin: user.roles.contains(&Role::Admin),
            is_guest: user.roles.contains(&Role::Guest),
            roles: user.roles.into_iter().map(Role::as_str).collect(),
            picture: None,
            created_at: user.created_at.seconds(),
        }
    }
}

/// Who am I?
#[utoipa::path(
    get, path = "/auth/me", tag = "auth", operation_id = "getMe",
    responses((status = 200, description = "The caller.", body = View))
)]
pub(crate) async fn get(caller: Caller<AnyKey>, State(identity): State<Identity>) -> Result<Json<View>> {
    let user = identity.user(&caller).await?;
    let picture = identity.external_profile(&caller).await?.picture;
    Ok(Json(View { picture, ..View::new(&caller.method, user) }))
}
