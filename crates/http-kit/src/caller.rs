//! Who is calling, as a handler's argument.
//!
//! A handler that takes a [`Caller`] cannot run without one, whatever the lists say; one that takes an [`Admin`] cannot
//! run for anybody else. `Caller<ChatWrite>` lets in only those API keys that have the scope, plain `Caller` only those that
//! are not limited.

use std::{convert::Infallible, marker::PhantomData, ops::Deref, sync::Arc};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use domain::{
    Principal,
    scope::{Need, WholeKey},
};
use http::request::Parts;

use crate::{
    ApiError,
    access::{Access, Authorization},
    context::Context,
};

/// The verified caller, whose credential is of the kind that is needed.
#[derive(Debug)]
pub struct Caller<N = WholeKey>(Arc<Principal>, PhantomData<fn() -> N>);

impl<N> Caller<N> {
    /// The caller, shared.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.0
    }
}

impl<N> Clone for Caller<N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

impl<N> Deref for Caller<N> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl<S: Send + Sync, N: Need> FromRequestParts<S> for Caller<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(verified(parts, Self::ACCESS).await?, PhantomData))
    }
}

/// Whether the caller may do something on top of what the route is for, such as keep a chat in a conversation. It is asked
/// by the handler, when a request wants it.
#[derive(Debug)]
pub struct Also<N>(Result<(), ApiError>, PhantomData<fn() -> N>);

impl<N> Also<N> {
    /// Refuses who may not.
    ///
    /// # Errors
    /// `insufficient_scope`, `guest_not_allowed`.
    pub fn check(self) -> Result<(), ApiError> {
        self.0
    }
}

impl<S: Send + Sync, N: Need> FromRequestParts<S> for Also<N> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(verified(parts, Access::Caller(N::KEY)).await.map(drop), PhantomData))
    }
}

/// A caller who administers the platform; anybody else gets 403 `admin_required`, and an administrator's API key without
/// the scope `admin` gets 403 `insufficient_scope`.
#[derive(Clone, Debug)]
pub struct Admin(Arc<Principal>);

impl Deref for Admin {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(verified(parts, Self::ACCESS).await?))
    }
}

/// The caller, if this is one who may.
async fn verified(parts: &Parts, access: Access) -> Result<Arc<Principal>, ApiError> {
    let context = Context::of(&parts.extensions)?;
    let principal = match context.caller() {
        Some(principal) => Arc::clone(principal),
        // An open route that wants a caller after all.
        None => context.authenticate(&parts.headers).await?,
    };
    access.check(&principal, context.service.edge.authenticator())?;
    Ok(principal)
}

/// None on an open route for a request without credentials; bad ones are refused. Where a lapsed token must not keep
/// anybody from what needs none, a handler takes a `Result` of this.
impl<S: Send + Sync, N: Need> OptionalFromRequestParts<S> for Caller<N> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, ApiError> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Err(error) if error.0.code() == "missing_credentials" => Ok(None),
            found => found.map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        Clock, Method, Role, Scope,
        ids::{ApiKeyId, UserId},
        scope::Key,
    };

    use super::*;
    use crate::{Authenticator, Credentials, authenticate::Verdict};

    /// Lets guests do nothing that has a switch.
    struct Strict;

    impl Authenticator for Strict {
        fn cached(&self, _: Credentials<'_>) -> Option<Verdict> {
            None
        }

        fn verify<'a>(
            &'a self,
            _: Credentials<'a>,
            _: Option<std::net::IpAddr>,
        ) -> std::pin::Pin<Box<dyn Future<Output = Verdict> + Send + 'a>> {
            Box::pin(async { Err(domain::Error::internal("nobody asks")) })
        }

        fn lets_guests(&self, scope: Scope) -> bool {
            scope.guest_switch().is_none()
        }
    }

    fn refusal(access: Access, role: Role, key_with: Option<&[&str]>) -> Option<&'static str> {
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
        access.check(&caller, &Strict).err().map(|error| error.code())
    }

    #[test]
    fn a_key_never_exceeds_its_owner_and_administers_only_with_the_scope() {
        assert_eq!(refusal(Access::Admin, Role::Admin, None), None);
        assert_eq!(refusal(Access::Admin, Role::Admin, Some(&["keys:manage", "admin"])), None);
        for scopes in [&[][..], &["keys:manage"], &["admin:read", "Admin", "*"], &["read", "write"]] {
            assert_eq!(refusal(Access::Admin, Role::Admin, Some(scopes)), Some("insufficient_scope"), "{scopes:?}");
        }
        for role in [Role::User, Role::Guest] {
            assert_eq!(refusal(Access::Admin, role, None), Some("admin_required"));
            assert_eq!(refusal(Access::Admin, role, Some(&["admin"])), Some("admin_required"));
        }
    }

    #[test]
    fn a_limited_key_does_what_it_names() {
        let chat = Access::Caller(Key::With(Scope::ChatWrite));
        for scopes in [None, Some(&[][..]), Some(&["chat:write"]), Some(&["*"]), Some(&["write"])] {
            assert_eq!(refusal(chat, Role::User, scopes), None, "{scopes:?}");
        }
        for scopes in [&["models:read"][..], &["read"], &["admin"], &["unknown"]] {
            assert_eq!(refusal(chat, Role::Admin, Some(scopes)), Some("insufficient_scope"), "{scopes:?}");
        }
        assert_eq!(refusal(Access::Caller(Key::Any), Role::User, Some(&["chat:write"])), None);
        assert_eq!(refusal(Access::UNSAID, Role::User, Some(&["chat:write"])), Some("insufficient_scope"));
        assert_eq!(refusal(Access::UNSAID, Role::User, Some(&[])), None);
        assert_eq!(refusal(Access::Caller(Key::None), Role::User, Some(&[])), Some("insufficient_scope"));
        assert_eq!(refusal(Access::Caller(Key::None), Role::User, None), None);
    }

    #[test]
    fn guests_are_kept_from_what_the_operator_switched_off() {
        let may = |scope| refusal(Access::Caller(Key::With(scope)), Role::Guest, None);
        assert_eq!(may(Scope::ChatWrite), Some("guest_not_allowed"));
        assert_eq!(may(Scope::ModelsRead), None);
        assert_eq!(refusal(Access::Caller(Key::With(Scope::ChatWrite)), Role::User, None), None);
    }
}
