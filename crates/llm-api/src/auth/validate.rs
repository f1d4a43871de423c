//! `POST /auth/validate`: what a token is good for (an alias of E11).

use axum::response::IntoResponse;
use domain::{Role, scope::AnyKey};
use http::header;
use http_kit::{Caller, Json, MaybeJson, Result};
use identity::Introspection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::offered::Offered;
use crate::acting::Acting;

/// The token in question; the presented credential when there is none.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = ValidateRequest)]
pub(crate) struct Request {
    /// An access token or API key, the caller's own unless an administrator asks.
    #[schema(nullable = false)]
    token: Option<String>,
}

/// What is said of a token. Of one that is not active nothing else is said.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = Validated)]
pub(crate) struct View {
    /// Whether it is good.
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_id: Option<String>,
    /// The user's name with the issuer that vouches for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = json!(["user"]))]
    roles: Option<Vec<&'static str>>,
    /// What it is: `jwt` or `apikey`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "jwt")]
    auth_method: Option<&'static str>,
    /// What an API key is limited to, with spaces between; absent where there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "chat:write models:read")]
    scope: Option<String>,
    /// When it lapses, in seconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 1_800_003_600)]
    exp: Option<i64>,
}

impl From<Introspection> for View {
    fn from(found: Introspection) -> Self {
        let caller = found.principal;
        Self {
            active: true,
            user_id: Some(caller.user_id.to_string()),
            sub: Some(caller.subject.clone()),
            username: Some(caller.username.clone()),
            roles: Some(caller.roles.iter().copied().map(Role::as_str).collect()),
            auth_method: Some(caller.method.as_str()),
            scope: Some(caller.scopes.join(" ")).filter(|scope| !scope.is_empty()),
            exp: Some(found.expires_at.seconds()),
        }
    }
}

/// What is a token good for?
///
/// For programs that stand before others and want to know whom they let through. A token that is unknown, lapsed, revoked
/// or another user's is not `active`, and which of these it is nobody learns.
#[utoipa::path(
    post, path = "/auth/validate", tag = "auth", operation_id = "validateToken",
    request_body(content = Option<Request>, description = "The token; empty for the presented credential."),
    responses((status = 200, description = "What the token is good for.", body = View))
)]
pub(crate) async fn validate(
    caller: Caller<AnyKey>,
    Acting(identity): Acting,
    offered: Offered,
    MaybeJson(body): MaybeJson<Request>,
) -> Result<impl IntoResponse> {
    let named = body.unwrap_or_default().token.filter(|token| !token.is_empty());
    let token = match &named {
        Some(token) => token,
        None => offered.header()?,
    };
    let view = identity.introspect(&caller, token).await?.map_or_else(View::default, View::from);
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(view)))
}
