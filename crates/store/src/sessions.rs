//! The table `sessions`.

use domain::{
    Timestamp,
    ids::{SessionId, TokenId, UserId},
    session::Session,
    user::User,
};

use crate::{Reader, Result, Revocation, Tx, row::row, statement::query, users::UserRow};

const INSERT: &str = "INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";
const LIVE_USER: &str = "SELECT u.id, u.issuer, u.subject, u.username, u.email, u.name, u.roles, u.created_at,
        u.email_verified_at, u.disabled_at,
        CAST(CASE WHEN t.parent IS NOT NULL AND t.access_used_at IS NULL THEN 1 ELSE 0 END AS BIGINT) AS first_use
    FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN refresh_tokens t ON t.access_token_id = $3
    WHERE s.user_id = $1 AND s.id = $2 AND s.revoked_at IS NULL AND s.expires_at > $4 AND u.disabled_at IS NULL
        AND t.access_revoked_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM signing_keys k WHERE k.kid = $5 AND k.revoked_at IS NOT NULL)";
const EXTEND: &str = "UPDATE sessions SET expires_at = $3 WHERE user_id = $1 AND id = $2 AND expires_at < $3";
const REVOKE: &str = "UPDATE sessions SET revoked_at = $3 WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL";
const DELETE_EXPIRED: &str = "DELETE FROM sessions
    WHERE id IN (SELECT id FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

/// Whom an access token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUser {
    /// The user of its session.
    pub user: User,
    /// Whether its use is to be noted: it came with a token that replaced another, and no use of it is noted yet.
    pub first_use: bool,
}

row! {
    struct TokenUserRow {
        first_use: i64,
        ;
        user: UserRow,
    }
}

impl TokenUserRow {
    fn into_token_user(self) -> Result<TokenUser> {
        Ok(TokenUser { user: self.user.into_user()?, first_use: self.first_use != 0 })
    }
}

impl Reader {
    /// The user of an access token, if neither the token nor the key that signed it was taken back, its session lives at
    /// `now` and the user is not disabled.
    pub async fn access_token_user(
        &mut self,
        owner: &UserId,
        session: &SessionId,
        token: &TokenId,
        kid: &str,
        now: Timestamp,
    ) -> Result<Option<TokenUser>> {
        let row: Option<TokenUserRow> = query(LIVE_USER)
            .bind(owner.as_str())
            .bind(session.as_str())
            .bind(token.as_str())
            .bind(now.micros())
            .bind(kid)
            .fetch_optional(self)
            .await?;
        row.map(TokenUserRow::into_token_user).transpose()
    }
}

impl Tx {
    /// Adds a session.
    pub async fn insert_session(&mut self, session: &Session) -> Result<()> {
        query(INSERT)
            .bind(session.id.as_str())
            .bind(session.user_id.as_str())
            .bind(session.created_at.micros())
            .bind(session.expires_at.micros())
            .execute(self)
            .await?;
        Ok(())
    }

    /// Lets a session live until `until`, unless it already lives longer.
    pub async fn extend_session(&mut self, owner: &UserId, id: &SessionId, until: Timestamp) -> Result<()> {
        query(EXTEND).bind(owner.as_str()).bind(id.as_str()).bind(until.micros()).execute(self).await?;
        Ok(())
    }

    /// Ends a session and tells the other processes at the commit; `false` when there was none to end.
    pub async fn revoke_session(&mut self, owner: &UserId, id: &SessionId, now: Timestamp) -> Result<bool> {
        let changed = query(REVOKE).bind(owner.as_str()).bind(id.as_str()).bind(now.micros()).execute(self).await?;
        if changed > 0 {
            self.announce(&Revocation::Session(id.clone())).await?;
        }
        Ok(changed > 0)
    }

    /// Forgets at most `limit` sessions that expired before `now`, with their refresh tokens; says how many.
    pub async fn delete_expired_sessions(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        query(DELETE_EXPIRED).bind(now.micros()).bind(i64::from(limit)).execute(self).await
    }
}
