//! Who is calling, as a handler's argument.
//!
//! A handler that takes a [`Caller`] cannot run without one, whatever the lists say; one that takes an [`Admin`] cannot
//! run for anybody else.

use std::{convert::Infallible, ops::Deref, sync::Arc};

use axum::extract::FromRequestParts;
use domain::{Error, Kind, Method, Principal};
use http::request::Parts;

use crate::{ApiError, context::Context};

/// The scope without which an API key administers nothing, whosever it is: keys lie about in scripts.
const ADMIN: &str = "admin";

/// The verified caller.
#[derive(Clone, Debug)]
pub struct Caller(pub Arc<Principal>);

impl Deref for Caller {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let context = Context::of(&parts.extensions)?;
        match context.caller() {
            Some(principal) => Ok(Self(Arc::clone(principal))),
            // An open route that wants a caller after all.
            None => Ok(Self(context.authenticate(&parts.headers).await?)),
        }
    }
}

/// A caller who administers the platform; anybody else gets 403 `admin_required`, and an administrator's API key without
/// the scope `admin` gets 403 `insufficient_scope`.
#[derive(Clone, Debug)]
pub struct Admin(pub Caller);

impl Deref for Admin {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        may_administer(&caller)?;
        Ok(Self(caller))
    }
}

fn may_administer(caller: &Principal) -> Result<(), Error> {
    if !caller.is_admin() {
        return Err(Error::new(Kind::Forbidden, "admin_required", "Only administrators may do this."));
    }
    if matches!(caller.method, Method::ApiKey(_)) && !caller.scopes.iter().any(|scope| scope == ADMIN) {
        let message = "An API key needs the scope admin for this.";
        return Err(Error::new(Kind::Forbidden, "insufficient_scope", message));
    }
    Ok(())
}

/// The caller on an open route, if the request has credentials and they are good; bad ones count as none, so that a
/// lapsed token does not keep anybody from what needs no token.
#[derive(Clone, Debug)]
pub struct MaybeCaller(pub Option<Caller>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeCaller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self(Caller::from_request_parts(parts, state).await.ok()))
    }
}

#[cfg(test)]
mod tests {
    use domain::{Clock, Role, ids::ApiKeyId, ids::UserId};

    use super::*;

    fn refusal(role: Role, key_with: Option<&[&str]>) -> Option<&'static str> {
        let clock = Clock::System;
        let scopes = key_with.unwrap_or_default().iter().map(|scope| (*scope).to_owned()).collect();
        let caller = Principal {
            user_id: UserId::new(&clock),
            subject: String::new(),
            username: String::new(),
            email: None,
            name: None,
            roles: vec![role],
            scopes,
            method: if key_with.is_some() { Method::ApiKey(ApiKeyId::new(&clock)) } else { Method::Jwt(None) },
        };
        may_administer(&caller).err().map(|error| error.code())
    }

    #[test]
    fn a_key_never_exceeds_its_owner_and_administers_only_with_the_scope() {
        assert_eq!(refusal(Role::Admin, None), None);
        assert_eq!(refusal(Role::Admin, Some(&["keys:manage", "admin"])), None);
        for scopes in [&[][..], &["keys:manage"], &["admin:read", "Admin", "*"]] {
            assert_eq!(refusal(Role::Admin, Some(scopes)), Some("insufficient_scope"), "{scopes:?}");
        }
        for role in [Role::User, Role::Guest] {
            assert_eq!(refusal(role, None), Some("admin_required"));
            assert_eq!(refusal(role, Some(&["admin"])), Some("admin_required"));
        }
    }
}
