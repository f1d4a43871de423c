//! Who is calling, as a handler's argument.
//!
//! A handler that takes a [`Caller`] cannot run without one, whatever the lists say; one that takes an [`Admin`] cannot
//! run for anybody else.

use std::{convert::Infallible, ops::Deref, sync::Arc};

use axum::extract::FromRequestParts;
use domain::{Error, Kind, Principal};
use http::request::Parts;

use crate::{ApiError, context::Context};

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

/// A caller who administers the platform; anybody else gets 403 `admin_required`.
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
        if caller.is_admin() {
            Ok(Self(caller))
        } else {
            Err(Error::new(Kind::Forbidden, "admin_required", "Only administrators may do this.").into())
        }
    }
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
