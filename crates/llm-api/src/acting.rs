//! Where a request comes from, for the audit log.
//!
//! A handler that changes what anybody may do takes [`Acting`] or [`AsAdmin`] in the place of the bare `Identity`.

use axum::extract::FromRequestParts;
use domain::audit::{Actor, Origin};
use http::{header, request::Parts};
use http_kit::{Access, Admin, ApiError, ClientAddr, RequestId, access::Authorization};
use identity::Identity;

/// The identity whose acts come from this request; who acts, the act shows.
pub(crate) struct Acting(pub(crate) Identity);

impl FromRequestParts<Identity> for Acting {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, identity: &Identity) -> Result<Self, ApiError> {
        Ok(Self(identity.acting(origin(parts, Actor::Unknown).await?)))
    }
}

/// The identity that acts for an administrator; anybody else gets 403 `admin_required`.
pub(crate) struct AsAdmin(pub(crate) Identity);

impl Authorization for AsAdmin {
    const ACCESS: Access = Admin::ACCESS;
}

impl FromRequestParts<Identity> for AsAdmin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, identity: &Identity) -> Result<Self, ApiError> {
        let admin = Admin::from_request_parts(parts, identity).await?;
        let actor = Actor::User(admin.user_id.clone());
        Ok(Self(identity.acting(origin(parts, actor).await?)))
    }
}

/// An administrator, for what is changed outside of identity; anybody else gets 403 `admin_required`.
pub(crate) struct ByAdmin(pub(crate) Origin);

impl Authorization for ByAdmin {
    const ACCESS: Access = Admin::ACCESS;
}

impl<S: Send + Sync> FromRequestParts<S> for ByAdmin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let admin = Admin::from_request_parts(parts, state).await?;
        let actor = Actor::User(admin.user_id.clone());
        Ok(Self(origin(parts, actor).await?.plain()))
    }
}

async fn origin(parts: &mut Parts, actor: Actor) -> Result<Origin, ApiError> {
    let id = RequestId::from_request_parts(parts, &()).await?;
    let ClientAddr(client) = ClientAddr::from_request_parts(parts, &()).await?;
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Ok(Origin {
        actor,
        address: client,
        user_agent: user_agent.map(str::to_owned),
        request_id: Some(id.as_str().to_owned()),
    })
}
