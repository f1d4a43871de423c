//! `GET /v1/users/me`: the caller's profile (E39).

use axum::extract::State;
use domain::scope::ProfileRead;
use domain::{Principal, Role, user::User};
use http_kit::{Caller, Json, Result};
use identity::{ExternalProfile, Identity};
use serde::Serialize;
use utoipa::ToSchema;

/// The caller's profile: what `/auth/me` says, and more.
#[derive(Serialize, ToSchema)]
#[schema(as = UserProfile)]
pub(crate) struct View {
    #[schema(example = "user_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    id: String,
    /// Always `user`.
    #[schema(example = "user")]
    object: &'static str,
    username: String,
    #[schema(required)]
    email: Option<String>,
    /// Whether the user has proven to receive what is sent to the address.
    email_verified: bool,
    #[schema(required)]
    name: Option<String>,
    #[schema(required)]
    picture: Option<String>,
    /// The user's name with the issuer that vouches for it.
    subject: String,
    #[schema(example = json!(["guest"]))]
    roles: Vec<&'static str>,
    /// The groups that the user's issuer names; this server's own users are in none.
    groups: Vec<String>,
    /// What the user's issuer switched on (its claim `feature_flags`); none for this server's own users.
    feature_flags: Vec<String>,
    is_admin: bool,
    is_guest: bool,
    /// How the caller proved it: `jwt` or `apikey`.
    #[schema(example = "jwt")]
    auth_method: &'static str,
    /// When the user came first, in seconds since the Unix epoch.
    #[schema(example = 1_800_000_000)]
    created_at: i64,
}

impl View {
    fn new(caller: &Principal, user: User, profile: ExternalProfile) -> Self {
        Self {
            id: user.id.to_string(),
            object: "user",
            username: user.username,
            email: user.email,
            email_verified: user.email_verified,
            name: user.name,
            picture: profile.picture,
            subject: user.subject,
            roles: user.roles.iter().copied().map(Role::as_str).collect(),
            groups: profile.groups,
            feature_flags: profile.feature_flags,
            is_admin: caller.is_admin(),
            is_guest: caller.is_guest(),
            auth_method: caller.method.as_str(),
            created_at: user.created_at.seconds(),
        }
    }
}

/// Show my profile.
#[utoipa::path(
    get, path = "/v1/users/me", tag = "users", operation_id = "getProfile",
    responses((status = 200, description = "The caller's profile.", body = View))
)]
pub(crate) async fn get(caller: Caller<ProfileRead>, State(identity): State<Identity>) -> Result<Json<View>> {
    let user = identity.user(&caller).await?;
    Ok(Json(View::new(&caller, user, identity.external_profile(&caller).await?)))
}
