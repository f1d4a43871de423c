//! Who cleans up: of several servers one, so that they do not wait for each other's locks.

use crate::{Result, Tx, statement::query};

const LOCK: &str = "SELECT pg_try_advisory_xact_lock($1)";

/// What is cleaned up at a time. The numbers mean nothing; they must not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub enum CleanUp {
    /// What lapsed, of whatever kind.
    Expired = 0x6a61_6e5f_636c_6561,
    /// Guests who do not come back.
    IdleGuests = 0x6a61_6e5f_636c_6775,
    /// Conversations and projects that were deleted.
    Deleted = 0x6a61_6e5f_636c_6465,
    /// What dead shares showed.
    DeadShares = 0x6a61_6e5f_636c_7368,
    /// Answers to requests that are done once.
    IdempotencyKeys = 0x6a61_6e5f_636c_696b,
}

impl Tx {
    /// Makes this transaction the only one that cleans this up; `false` when another process is at it, whose work is as
    /// good. SQLite has one writer and needs no lock.
    pub async fn lock_clean_up(&mut self, what: CleanUp) -> Result<bool> {
        if self.is_postgres() { query(LOCK).bind(what as i64).fetch_one(self).await } else { Ok(true) }
    }
}
