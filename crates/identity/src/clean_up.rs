//! What is long over is forgotten: expired sign-ins and links, old lines of the audit log, guests who left nothing.
//!
//! A few rows at a time, since on SQLite everybody else waits for the transaction. Of several servers on one database one
//! is at it; the others find the work done.

use std::time::Duration;

use domain::{Result, ids::UserId};
use store::{CleanUp, StoreError, Tx};

use crate::{Identity, time};

/// How often the expired is forgotten.
pub(crate) const EVERY: Duration = Duration::from_mins(10);
/// How often guests are looked at.
pub(crate) const GUESTS_EVERY: Duration = Duration::from_hours(1);
/// Rows of each kind forgotten in one transaction.
const BATCH: u32 = 500;
/// Guests looked at at a time, of whom each idle one goes with all its rows.
const GUESTS: u32 = 100;

impl Identity {
    /// Forgets expired sessions, refresh tokens, sign-ins that nobody finished, links that nobody opened, and what of the
    /// audit log is older than the operator keeps it.
    pub(crate) async fn clean_up(&self) -> Result<()> {
        while time::limited(self.clean_up_some()).await? >= u64::from(BATCH) {}
        Ok(())
    }

    /// Forgets some, and says how many rows of the kind that had most.
    async fn clean_up_some(&self) -> Result<u64, StoreError> {
        let now = self.0.clock.now();
        let mut tx = self.0.store.write().await?;
        if !tx.lock_clean_up(CleanUp::Expired).await? {
            return Ok(0);
        }
        let mut most = tx.delete_expired_sessions(now, BATCH).await?;
        most = most.max(tx.delete_expired_refresh_tokens(now, BATCH).await?);
        most = most.max(tx.delete_expired_code_flow(now, BATCH).await?);
        most = most.max(tx.delete_expired_external(now, BATCH).await?);
        most = most.max(tx.delete_expired_email_proofs(now, BATCH).await?);
        if let Some(life) = self.0.options.audit_log_life() {
            most = most.max(tx.delete_audit(time::before(now, life), BATCH).await?);
        }
        tx.commit().await?;
        Ok(most)
    }

    /// Forgets guests who do not come back and left nothing. The audit log has no line of it, as it has none of their
    /// coming; the log of the server says how many.
    pub(crate) async fn forget_idle_guests(&self) -> Result<()> {
        let Some(life) = self.0.options.idle_guest_life() else { return Ok(()) };
        let now = self.0.clock.now();
        let before = time::before(now, life);
        let (mut after, mut forgotten): (Option<UserId>, usize) = (None, 0);
        loop {
            // Looked for without the writer's lock: most of the guests are not idle.
            let look = async { self.0.store.read().await?.idle_guests(after.as_ref(), GUESTS, before, now).await };
            let guests = time::limited(look).await?;
            if guests.last.is_none() {
                break;
            }
            after = guests.last;
            if guests.idle.is_empty() {
                continue;
            }
            let deleted = time::limited(async {
                let mut tx = self.0.store.write().await?;
                let deleted = delete(&mut tx, &guests.idle, before, now).await?;
                tx.commit().await?;
                Ok(deleted)
            });
            let Some(deleted) = deleted.await? else { break };
            forgotten += deleted;
        }
        if forgotten > 0 {
            tracing::info!(guests = forgotten, "Guests who did not come back and left nothing are deleted");
        }
        Ok(())
    }
}

/// Deletes those who are idle still; none when another server is at it.
async fn delete(
    tx: &mut Tx,
    guests: &[UserId],
    before: domain::Timestamp,
    now: domain::Timestamp,
) -> Result<Option<usize>, StoreError> {
    if !tx.lock_clean_up(CleanUp::IdleGuests).await? {
        return Ok(None);
    }
    let mut deleted = 0;
    for guest in guests {
        deleted += usize::from(tx.delete_idle_guest(guest, before, now).await?);
    }
    Ok(Some(deleted))
}
