//! A user's row.

use crate::{Role, Timestamp, ids::UserId};

/// A user, unique by issuer and subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The id that owns everything the user makes.
    pub id: UserId,
    /// Who vouches for the user: this server's own issuer or an external one.
    pub issuer: String,
    /// The user's name with that issuer.
    pub subject: String,
    /// A short name, unique.
    pub username: String,
    /// The address, if known.
    pub email: Option<String>,
    /// Whether the user has proven to receive what is sent to the address.
    pub email_verified: bool,
    /// The full name, if known.
    pub name: Option<String>,
    /// The roles, lowest first.
    pub roles: Vec<Role>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// Since when the user may do nothing any more; none for who may.
    pub disabled_at: Option<Timestamp>,
}
