//! Who is calling.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ApiKeyId, SessionId, UserId},
    scope::{self, Key, Scope},
};

/// What a user is to the platform. Roles come from verified tokens and the user table alone (`security.md` A13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Came without an account.
    Guest,
    /// Has an account.
    User,
    /// Administers the platform.
    Admin,
}

impl Role {
    /// The role's name, as stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::User => "user",
            Self::Admin => "admin",
        }
    }

    /// Reads a role's name; `None` for an unknown one.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Guest, Self::User, Self::Admin].into_iter().find(|role| role.as_str() == name)
    }
}

/// How a caller proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// An access token of this session, if it names one.
    Jwt(Option<SessionId>),
    /// An API key.
    ApiKey(ApiKeyId),
}

impl Method {
    /// The method's name, as shown in `auth_method` and `X-Auth-Method`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Jwt(_) => "jwt",
            Self::ApiKey(_) => "apikey",
        }
    }
}

/// A verified caller: the only source of ownership and permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user on whose behalf the call is made, and who owns what it makes.
    pub user_id: UserId,
    /// The subject of the issuer that vouches for the user.
    pub subject: String,
    /// The user's short name.
    pub username: String,
    /// The user's address, if known.
    pub email: Option<String>,
    /// The user's name, if known.
    pub name: Option<String>,
    /// The user's roles.
    pub roles: Vec<Role>,
    /// What an API key is limited to; empty for no limit.
    pub scopes: Vec<String>,
    /// How the caller proved it.
    pub method: Method,
}

impl Principal {
    /// Whether the caller has `role`.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether the caller came without an account.
    pub fn is_guest(&self) -> bool {
        self.has(Role::Guest)
    }

    /// Whether the caller administers the platform.
    pub fn is_admin(&self) -> bool {
        self.has(Role::Admin)
    }

    /// Whether the caller proved it by an API key.
    pub fn is_by_key(&self) -> bool {
        matches!(self.method, Method::ApiKey(_))
    }

    /// Whether the credential lets its bearer do what the scope names: a token of a sign-in everything, an API key what
    /// it has. What the user itself may is another question.
    pub fn allows(&self, scope: Scope) -> bool {
        !self.is_by_key() || scope::has(&self.scopes, scope)
    }

    /// Whether the credential is of the kind that is needed.
    pub fn satisfies(&self, need: Key) -> bool {
        match need {
            Key::Any => true,
            Key::With(scope) => self.allows(scope),
            Key::Whole => !self.is_by_key() || scope::is_whole(&self.scopes),
            Key::None => !self.is_by_key(),
        }
    }
}
