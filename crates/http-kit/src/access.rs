//! Who may call an operation: said once, by the type of its handler's first argument.
//!
//! [`routes!`](crate::routes) mounts only handlers whose first argument is an [`Authorization`]; the extractor enforces it
//! and the macro reads the same type, so that the guard, the document (`security`, `x-access`) and the table in
//! `docs/reference/access.md` cannot say anything else. A route that says nothing wants a caller whose API key is not
//! limited.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, routing::MethodRouter};
use domain::{
    Error, Kind, Principal,
    scope::{Key, Need, Scope},
};
use http::request::Parts;
use serde_json::{Value, json};
use utoipa::openapi::{
    Paths, RefOr, extensions::Extensions, path::Operation, schema::Schema, security::SecurityRequirement,
};

use crate::{Admin, Authenticator, Caller, openapi::operations};

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody; no credentials are looked at.
    Anyone,
    /// Whoever holds a token of a session, which the handler judges itself: a refresh token counts there.
    Session,
    /// A user, guests included, with a credential of this kind.
    Caller(Key),
    /// Who administers the server.
    Admin,
}

/// The name of an operation's extension that says who may call it.
const EXTENSION: &str = "x-access";

impl Access {
    /// What holds for a route that says nothing.
    pub(crate) const UNSAID: Self = Self::Caller(Key::Whole);

    /// Whether a request needs credentials that the guard can judge.
    pub(crate) fn wants_caller(self) -> bool {
        matches!(self, Self::Caller(_) | Self::Admin)
    }

    /// Refuses a caller who may not.
    ///
    /// # Errors
    /// `admin_required`, `insufficient_scope`, `guest_not_allowed`.
    pub(crate) fn check(self, caller: &Principal, rules: &dyn Authenticator) -> Result<(), Error> {
        match self {
            Self::Caller(need) => {
                if !caller.satisfies(need) {
                    return Err(insufficient(need));
                }
                match need {
                    Key::With(scope) if caller.is_guest() && !rules.lets_guests(scope) => Err(not_for_guests()),
                    _ => Ok(()),
                }
            }
            Self::Admin if !caller.is_admin() => {
                Err(Error::new(Kind::Forbidden, "admin_required", "Only administrators may do this."))
            }
            Self::Admin if !caller.allows(Scope::Admin) => Err(insufficient(Key::With(Scope::Admin))),
            Self::Anyone | Self::Session | Self::Admin => Ok(()),
        }
    }

    /// The access as documents have it.
    fn to_json(self) -> Value {
        match self {
            Self::Anyone => json!({"caller": "anyone"}),
            Self::Session => json!({"caller": "session"}),
            Self::Admin => json!({"caller": "admin", "api_key": Scope::Admin.as_str()}),
            Self::Caller(need) => {
                let key = match need {
                    Key::Any => "any",
                    Key::Whole => "unlimited",
                    Key::With(scope) => scope.as_str(),
                    Key::None => "none",
                };
                json!({"caller": "user", "api_key": key})
            }
        }
    }

    fn from_json(value: &Value) -> Option<Self> {
        let all = [Self::Anyone, Self::Session, Self::Admin];
        let keys = [Key::Any, Key::Whole, Key::None];
        let needs = keys.into_iter().chain(Scope::ALL.iter().copied().map(Key::With)).map(Self::Caller);
        all.into_iter().chain(needs).find(|access| access.to_json() == *value)
    }

    /// What an operation says about itself.
    pub(crate) fn of(operation: &Operation) -> Self {
        let said = operation.extensions.as_ref().and_then(|extensions| Self::from_json(extensions.get(EXTENSION)?));
        said.unwrap_or(Self::UNSAID)
    }

    /// Writes the access into an operation.
    pub(crate) fn note(self, operation: &mut Operation) {
        let said = Extensions::from_iter([(EXTENSION, self.to_json())]);
        match &mut operation.extensions {
            Some(present) => present.merge(said),
            absent => *absent = Some(said),
        }
        operation.security = Some(self.requirements());
    }

    /// When an operation answers 403, unless it says more about it itself.
    pub(crate) fn refusals(self) -> String {
        match self {
            Self::Admin => {
                "The caller is no administrator (`admin_required`), or an API key without the scope `admin` \
                (`insufficient_scope`)."
                    .to_owned()
            }
            Self::Caller(Key::With(scope)) => {
                let guests = match scope.guest_switch() {
                    Some(_) => "; or guests may not do this here (`guest_not_allowed`)",
                    None => "",
                };
                format!("The API key does not have the scope `{}` (`insufficient_scope`){guests}.", scope.as_str())
            }
            Self::Caller(Key::Whole) => "The API key is limited to other things (`insufficient_scope`).".to_owned(),
            Self::Caller(Key::None) => "An API key cannot do this (`insufficient_scope`).".to_owned(),
            Self::Caller(Key::Any) | Self::Session | Self::Anyone => "The caller may not do this.".to_owned(),
        }
    }

    /// What a request needs, in the document's words: an API key goes in the bearer's place, too.
    fn requirements(self) -> Vec<SecurityRequirement> {
        let both = |scopes: &[&str]| {
            ["bearer", "api_key"].map(|scheme| SecurityRequirement::new(scheme, scopes.iter().copied())).to_vec()
        };
        match self {
            Self::Anyone => vec![SecurityRequirement::default()],
            Self::Caller(Key::None) => vec![SecurityRequirement::new("bearer", [""; 0])],
            Self::Session | Self::Caller(Key::Any | Key::Whole) => both(&[]),
            Self::Caller(Key::With(scope)) => both(&[scope.as_str()]),
            Self::Admin => both(&[Scope::Admin.as_str()]),
        }
    }
}

#[cold]
fn insufficient(need: Key) -> Error {
    let message = match need {
        Key::With(scope) => format!("An API key needs the scope {} for this.", scope.as_str()),
        Key::Any | Key::Whole => "A limited API key cannot do this.".to_owned(),
        Key::None => "An API key cannot do this; sign in.".to_owned(),
    };
    Error::new(Kind::Forbidden, "insufficient_scope", message)
}

#[cold]
fn not_for_guests() -> Error {
    Error::new(Kind::Forbidden, "guest_not_allowed", "Guests may not do this on this server.")
}

/// A handler's argument that says, and enforces, who may call it.
///
/// A type that wraps one of `http-kit`'s says what that one says.
#[diagnostic::on_unimplemented(
    message = "a handler's first argument says who may call it",
    label = "this is no authorization",
    note = "begin the handler's arguments with `Caller<…>`, `Admin`, `Anyone` or `OfSession`"
)]
pub trait Authorization {
    /// Who may call.
    const ACCESS: Access;
}

impl<N: Need> Authorization for Caller<N> {
    const ACCESS: Access = Access::Caller(N::KEY);
}

impl Authorization for Admin {
    const ACCESS: Access = Access::Admin;
}

/// Nobody is asked who they are.
#[derive(Clone, Copy, Debug)]
pub struct Anyone;

impl Authorization for Anyone {
    const ACCESS: Access = Access::Anyone;
}

impl<S: Sync> FromRequestParts<S> for Anyone {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// The handler judges the credentials itself, because other ones count than elsewhere: refresh tokens, and access tokens
/// whose session is over.
#[derive(Clone, Copy, Debug)]
pub struct OfSession;

impl Authorization for OfSession {
    const ACCESS: Access = Access::Session;
}

impl<S: Sync> FromRequestParts<S> for OfSession {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// A function that can be mounted: its first argument is an [`Authorization`].
pub trait Handler<Arguments> {
    /// Who may call it.
    const ACCESS: Access;
}

macro_rules! handlers {
    ($($argument:ident)*) => {
        impl<F, R, A, $($argument,)*> Handler<(A, $($argument,)*)> for F
        where
            F: Fn(A, $($argument,)*) -> R,
            A: Authorization,
        {
            const ACCESS: Access = A::ACCESS;
        }
    };
}

handlers!();
handlers!(B);
handlers!(B C);
handlers!(B C D);
handlers!(B C D E);
handlers!(B C D E G);
handlers!(B C D E G H);
handlers!(B C D E G H I);

/// Who may call a handler.
pub fn of<Arguments, H: Handler<Arguments>>(_: &H) -> Access {
    H::ACCESS
}

/// What `utoipa_axum` makes of handlers: their schemas, their operations, and their routes.
pub type Routes<S> = (Vec<(String, RefOr<Schema>)>, Paths, MethodRouter<S>);

/// A handler's route with its access in its operation.
#[doc(hidden)]
pub fn said<S>(access: Access, (schemas, mut paths, router): Routes<S>) -> Routes<S> {
    for (_, operation) in paths.paths.values_mut().flat_map(operations) {
        access.note(operation);
    }
    (schemas, paths, router)
}

/// Routes of one path as one.
#[doc(hidden)]
pub fn joined<S: Clone>(one: Routes<S>, other: Routes<S>) -> Routes<S> {
    let (mut schemas, mut paths, router) = one;
    schemas.extend(other.0);
    for (path, item) in other.1.paths {
        match paths.paths.get_mut(&path) {
            Some(present) => present.merge_operations(item),
            None => drop(paths.paths.insert(path, item)),
        }
    }
    (schemas, paths, router.merge(other.2))
}

/// Mounts the handlers of one path, each documented by `#[utoipa::path]` and each with an [`access::Authorization`] as its
/// first argument; for `OpenApiRouter::routes`.
///
/// [`access::Authorization`]: crate::access::Authorization
#[macro_export]
macro_rules! routes {
    ($handler:path $(,)?) => {
        $crate::access::said($crate::access::of(&$handler), $crate::utoipa_axum::routes!($handler))
    };
    ($handler:path, $($more:path),+ $(,)?) => {
        $crate::access::joined($crate::routes!($handler), $crate::routes!($($more),+))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_say_what_was_said() {
        let needs = [Key::Any, Key::Whole, Key::None, Key::With(Scope::ChatWrite)].map(Access::Caller);
        for access in [Access::Anyone, Access::Session, Access::Admin].into_iter().chain(needs) {
            let mut operation = Operation::new();
            assert_eq!(Access::of(&operation), Access::UNSAID);
            access.note(&mut operation);
            assert_eq!(Access::of(&operation), access);
        }
    }

    #[test]
    fn a_handler_says_who_may_call_it() {
        async fn closed(_: Caller<domain::scope::ModelsRead>, _: String) {}
        async fn open(_: Anyone) {}
        assert_eq!(of(&closed), Access::Caller(Key::With(Scope::ModelsRead)));
        assert_eq!(of(&open), Access::Anyone);
    }
}
