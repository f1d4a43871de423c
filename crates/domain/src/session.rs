//! A sign-in.

use crate::{
    Timestamp,
    ids::{SessionId, UserId},
};

/// One sign-in of a user. Its access tokens and refresh tokens live no longer than it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The id that access tokens carry as `sid`.
    pub id: SessionId,
    /// Who signed in.
    pub user_id: UserId,
    /// When.
    pub created_at: Timestamp,
    /// When it lapses.
    pub expires_at: Timestamp,
}
