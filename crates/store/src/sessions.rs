//! The table `sessions`.

use domain::{
    Timestamp,
    ids::{SessionId, UserId},
    session::Session,
    user::User,
};

use crate::{Reader, Result, Revocation, Tx, engine::on, users::UserRow};

const INSERT: &str = "INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
const LIVE_USER: &str = "SELECT u.id, u.issuer, u.subject, u.username, u.email, u.name, u.roles, u.created_at
    FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.user_id = $1 AND s.id = $2 AND s.revoked_at IS NULL AND s.expires_at > $3 AND u.disabled_at IS NULL";
const REVOKE: &str = "UPDATE sessions SET revoked_at = $3 WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL";
const DELETE_EXPIRED: &str = "DELETE FROM sessions
    WHERE id IN (SELECT id FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

impl Reader {
    /// The user of a session, if the session lives at `now` and the user is not disabled.
    pub async fn live_session_user(&mut self, owner: &UserId, id: &SessionId, now: Timestamp) -> Result<Option<User>> {
        let row: Option<UserRow> = on!(self, c => sqlx::query_as(LIVE_USER)
            .bind(owner.as_str())
            .bind(id.as_str())
            .bind(now.micros())
            .fetch_optional(c).await)?;
        row.map(UserRow::into_user).transpose()
    }
}

impl Tx {
    /// Adds a session.
    pub async fn insert_session(&mut self, session: &Session) -> Result<()> {
        on!(self, c => sqlx::query(INSERT)
            .bind(session.id.as_str())
            .bind(session.user_id.as_str())
            .bind(session.created_at.micros())
            .bind(session.expires_at.micros())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Ends a session and tells the other processes at the commit; `false` when there was none to end.
    pub async fn revoke_session(&mut self, owner: &UserId, id: &SessionId, now: Timestamp) -> Result<bool> {
        let changed = on!(self, c => sqlx::query(REVOKE)
            .bind(owner.as_str())
            .bind(id.as_str())
            .bind(now.micros())
            .execute(c).await.map(|done| done.rows_affected()))?;
        if changed > 0 {
            self.announce(&Revocation::Session(id.clone())).await?;
        }
        Ok(changed > 0)
    }

    /// Forgets at most `limit` sessions that expired before `now`, with their refresh tokens; says how many.
    pub async fn delete_expired_sessions(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        Ok(on!(self, c => sqlx::query(DELETE_EXPIRED)
            .bind(now.micros())
            .bind(i64::from(limit))
            .execute(c).await.map(|done| done.rows_affected()))?)
    }
}
