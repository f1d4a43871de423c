//! An API key's row. The key itself is shown once and kept only as a digest.

use crate::{
    Timestamp,
    ids::{ApiKeyId, UserId},
};

/// Whether a key can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It can.
    Active,
    /// Its owner took it back.
    Revoked,
    /// Its time is over.
    Expired,
}

impl Status {
    /// The status as shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// What is kept of an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The row's id.
    pub id: ApiKeyId,
    /// Whose key it is.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: String,
    /// What the key begins with, up to the last underscore.
    pub prefix: String,
    /// Its last four characters.
    pub suffix: String,
    /// What it is limited to; empty for no limit.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether the key can be used at `now`.
    pub fn status(&self, now: Timestamp) -> Status {
        if self.revoked_at.is_some() {
            Status::Revoked
        } else if self.expires_at <= now {
            Status::Expired
        } else {
            Status::Active
        }
    }
}
