//! A user as an administrator sees it.

use domain::{Role, user::User};
use serde::Serialize;
use utoipa::ToSchema;

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminUser)]
pub(crate) struct View {
    #[schema(example = "user_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    pub(super) id: String,
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
    /// Who vouches for the user.
    issuer: String,
    /// The user's name with that issuer.
    subject: String,
    #[schema(example = json!(["user"]))]
    roles: Vec<&'static str>,
    is_admin: bool,
    is_guest: bool,
    /// Whether the user may do anything.
    active: bool,
    /// Since when the user may do nothing, in seconds since the Unix epoch.
    #[schema(required)]
    disabled_at: Option<i64>,
    /// When the user came first, in seconds since the Unix epoch.
    #[schema(example = 1_800_000_000)]
    created_at: i64,
}

impl From<User> for View {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            object: "user",
            username: user.username,
            email: user.email,
            email_verified: user.email_verified,
            name: user.name,
            issuer: user.issuer,
            subject: user.subject,
            is_admin: user.roles.contains(&Role::Admin),
            is_guest: user.roles.contains(&Role::Guest),
            roles: user.roles.into_iter().map(Role::as_str).collect(),
            active: user.disabled_at.is_none(),
            disabled_at: user.disabled_at.map(domain::Timestamp::seconds),
            created_at: user.created_at.seconds(),
        }
    }
}
