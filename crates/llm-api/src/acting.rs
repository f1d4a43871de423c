//! Where a request comes from, for the audit log.
//!
//! A handler that changes what anybody may do takes [`Acting`] or [`AsAdmin`] in the place of the bare `Identity`.

use axum::extract::FromRequestParts;
use domain::audit::{Actor, Origin};
use http::{header, request::Parts};
use http_kit::{Admin, ApiError, PeerAddr, RequestId};
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

impl FromRequestParts<Identity> for AsAdmin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, identity: &Identity) -> Result<Self, ApiError> {
        let admin = Admin::from_request_parts(parts, identity).await?;
        let actor = Actor::User(admin.user_id.clone());
        Ok(Self(identity.acting(origin(parts, actor).await?)))
    }
}

async fn origin(parts: &mut Parts, actor: Actor) -> Result<Origin, ApiError> {
    let id = RequestId::from_request_parts(parts, &()).await?;
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Ok(Origin {
        actor,
        address: parts.extensions.get::<PeerAddr>().map(|peer| peer.0.ip()),
        user_agent: user_agent.map(str::to_owned),
        request_id: Some(id.as_str().to_owned()),
    })
}
