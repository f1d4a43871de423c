//! The table `refresh_tokens`. Tokens are kept as digests.
//!
//! A token that was used is spent and has successors: one, or several when it was used again and its use was answered
//! again; all of those but the last are superseded.

use domain::{
    Timestamp,
    ids::{SessionId, TokenId},
    session::Session,
    user::User,
};

use crate::{Reader, Result, Tx, row::row, statement::query, text, users::UserRow};

const INSERT: &str = "INSERT INTO refresh_tokens (digest, session_id, parent, access_token_id, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6)";
const BY_DIGEST: &str = "SELECT t.used_at, t.superseded_at, t.expires_at AS token_expires_at, s.id AS session_id,
        s.created_at AS session_created_at, s.expires_at AS session_expires_at, s.revoked_at,
        u.id, u.issuer, u.subject, u.username, u.email, u.name, u.roles, u.created_at,
        u.email_verified_at, u.disabled_at
    FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id JOIN users u ON u.id = s.user_id
    WHERE t.digest = $1";
const SUCCESSORS: &str = "SELECT COUNT(*), MAX(used_at), MAX(access_used_at) FROM refresh_tokens WHERE parent = $1";
const SPEND: &str = "UPDATE refresh_tokens SET used_at = $2
    WHERE digest = $1 AND used_at IS NULL AND superseded_at IS NULL";
const SUPERSEDE: &str = "UPDATE refresh_tokens SET superseded_at = $2
    WHERE parent = $1 AND used_at IS NULL AND superseded_at IS NULL";
const REVOKE_ACCESS: &str =
    "UPDATE refresh_tokens SET access_revoked_at = $2 WHERE parent = $1 AND access_revoked_at IS NULL";
const ACCESS_USED: &str =
    "UPDATE refresh_tokens SET access_used_at = $2 WHERE access_token_id = $1 AND access_used_at IS NULL";
const LOCK: &str = "SELECT id FROM sessions WHERE id = $1 FOR UPDATE";
const DELETE_EXPIRED: &str = "DELETE FROM refresh_tokens
    WHERE digest IN (SELECT digest FROM refresh_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

/// A refresh token to be kept.
#[derive(Clone, Copy, Debug)]
pub struct NewRefreshToken<'a> {
    /// The SHA-256 of its text.
    pub digest: &'a [u8; 32],
    /// Its sign-in.
    pub session: &'a SessionId,
    /// The token it replaces; none for the first of a session.
    pub parent: Option<&'a [u8; 32]>,
    /// The access token that is handed out with it.
    pub access_token: &'a TokenId,
    /// When it is made.
    pub created_at: Timestamp,
    /// When it lapses.
    pub expires_at: Timestamp,
}

/// What is known of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// Its sign-in.
    pub session: Session,
    /// Who signed in.
    pub user: User,
    /// Whether the session was ended, or its user disabled.
    pub ended: bool,
    /// When the token lapses.
    pub expires_at: Timestamp,
    /// What became of it.
    pub state: RefreshTokenState,
}

/// What became of a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshTokenState {
    /// Nothing yet.
    Unused,
    /// It was used, for the first time at this moment.
    Spent(Timestamp),
    /// Another one took its place at this moment, before it was used.
    Superseded(Timestamp),
}

/// What became of the successors of a spent token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Successors {
    /// How many there are, superseded ones included.
    pub count: u64,
    /// Whether one of them was used.
    pub spent: bool,
    /// Whether an access token that was handed out with one of them was used.
    pub access_used: bool,
}

row! {
    struct Row {
        used_at: Option<i64>,
        superseded_at: Option<i64>,
        token_expires_at: i64,
        session_id: String,
        session_created_at: i64,
        session_expires_at: i64,
        revoked_at: Option<i64>,
        ;
        user: UserRow,
    }
}

impl Row {
    fn into_token(self) -> Result<RefreshToken> {
        let user = self.user.into_user()?;
        Ok(RefreshToken {
            session: Session {
                id: text::id(&self.session_id, "sessions.id")?,
                user_id: user.id.clone(),
                created_at: Timestamp::from_micros(self.session_created_at),
                expires_at: Timestamp::from_micros(self.session_expires_at),
            },
            ended: self.revoked_at.is_some() || user.disabled_at.is_some(),
            user,
            expires_at: Timestamp::from_micros(self.token_expires_at),
            state: match (self.superseded_at, self.used_at) {
                (Some(at), _) => RefreshTokenState::Superseded(Timestamp::from_micros(at)),
                (None, Some(at)) => RefreshTokenState::Spent(Timestamp::from_micros(at)),
                (None, None) => RefreshTokenState::Unused,
            },
        })
    }
}

impl Reader {
    /// The token with this SHA-256, whatever became of it, with its session and user. This is how a caller becomes
    /// known, so there is no owner to begin with.
    pub async fn refresh_token(&mut self, digest: &[u8; 32]) -> Result<Option<RefreshToken>> {
        let row: Option<Row> = query(BY_DIGEST).bind(&digest[..]).fetch_optional(self).await?;
        row.map(Row::into_token).transpose()
    }

    /// What became of the successors of the token with this SHA-256.
    pub async fn refresh_token_successors(&mut self, digest: &[u8; 32]) -> Result<Successors> {
        let (count, used_at, access_used_at): (i64, Option<i64>, Option<i64>) =
            query(SUCCESSORS).bind(&digest[..]).fetch_one(self).await?;
        let (spent, access_used) = (used_at.is_some(), access_used_at.is_some());
        Ok(Successors { count: count.unsigned_abs(), spent, access_used })
    }
}

impl Tx {
    /// Adds a refresh token.
    pub async fn insert_refresh_token(&mut self, token: &NewRefreshToken<'_>) -> Result<()> {
        query(INSERT)
            .bind(&token.digest[..])
            .bind(token.session.as_str())
            .bind(token.parent.map(|parent| &parent[..]))
            .bind(token.access_token.as_str())
            .bind(token.created_at.micros())
            .bind(token.expires_at.micros())
            .execute(self)
            .await?;
        Ok(())
    }

    /// Makes other transactions that lock the same session wait for this one, so that a token has one successor at a
    /// time. SQLite has one writer and needs no lock.
    pub async fn lock_session(&mut self, id: &SessionId) -> Result<()> {
        if self.is_postgres() {
            query(LOCK).bind(id.as_str()).execute(self).await?;
        }
        Ok(())
    }

    /// Marks a token as used; `false` when it was not there to be used.
    pub async fn spend_refresh_token(&mut self, digest: &[u8; 32], now: Timestamp) -> Result<bool> {
        let changed = query(SPEND).bind(&digest[..]).bind(now.micros()).execute(self).await?;
        Ok(changed > 0)
    }

    /// Puts the unused successor of a spent token out of use, because another one takes its place.
    pub async fn supersede_refresh_tokens(&mut self, parent: &[u8; 32], now: Timestamp) -> Result<()> {
        query(SUPERSEDE).bind(&parent[..]).bind(now.micros()).execute(self).await?;
        Ok(())
    }

    /// Takes back the access tokens that were handed out with the successors of a spent token.
    pub async fn revoke_successors_access(&mut self, parent: &[u8; 32], now: Timestamp) -> Result<()> {
        query(REVOKE_ACCESS).bind(&parent[..]).bind(now.micros()).execute(self).await?;
        Ok(())
    }

    /// Notes the first use of an access token.
    pub async fn note_access_token(&mut self, id: &TokenId, now: Timestamp) -> Result<()> {
        query(ACCESS_USED).bind(id.as_str()).bind(now.micros()).execute(self).await?;
        Ok(())
    }

    /// Forgets at most `limit` tokens that expired before `now`; says how many.
    pub async fn delete_expired_refresh_tokens(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        query(DELETE_EXPIRED).bind(now.micros()).bind(i64::from(limit)).execute(self).await
    }
}
