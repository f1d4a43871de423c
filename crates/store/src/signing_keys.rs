//! The table `signing_keys`: public halves only. A private key never leaves the data directory of its server.

use domain::Timestamp;
use serde_json::Value;

use crate::{
    Reader, Result, Revocation, Tx,
    statement::{Json, query},
};

const PUBLISH: &str = "INSERT INTO signing_keys (kid, public_jwk, created_at, seen_at) VALUES ($1, $2, $3, $3)
    ON CONFLICT (kid) DO UPDATE SET seen_at = excluded.seen_at RETURNING revoked_at";
const LIST: &str = "SELECT kid, public_jwk FROM signing_keys WHERE seen_at > $1 AND revoked_at IS NULL
    ORDER BY seen_at DESC, kid LIMIT $2";
const STATES: &str = "SELECT kid, created_at, seen_at, revoked_at FROM signing_keys
    ORDER BY created_at DESC, kid LIMIT $1";
const CREATED: &str = "SELECT created_at FROM signing_keys WHERE kid = $1";
const IS_REVOKED: &str = "SELECT COUNT(*) FROM signing_keys WHERE kid = $1 AND revoked_at IS NOT NULL";
const REVOKE: &str = "UPDATE signing_keys SET revoked_at = $2 WHERE kid = $1 AND revoked_at IS NULL";
const FORGET: &str = "DELETE FROM signing_keys WHERE seen_at <= $1 AND revoked_at IS NULL";

/// Servers on one database are few; a list longer than this is not one of servers.
const MOST: i64 = 1_000;

/// A key that some server on this database signs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The name that tokens carry.
    pub kid: String,
    /// The public key, as RFC 7517 writes it.
    pub public_jwk: Value,
}

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyState {
    /// The name that tokens carry.
    pub kid: String,
    /// When a server first signed with it.
    pub created_at: Timestamp,
    /// When a server last said that it signs with it.
    pub seen_at: Timestamp,
    /// When it was taken back, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl Reader {
    /// The keys seen after `since` that were not taken back, the latest first.
    pub async fn signing_keys(&mut self, since: Timestamp) -> Result<Vec<SigningKey>> {
        let rows: Vec<(String, Json<Value>)> = query(LIST).bind(since.micros()).bind(MOST).fetch_all(self).await?;
        Ok(rows.into_iter().map(|(kid, Json(public_jwk))| SigningKey { kid, public_jwk }).collect())
    }

    /// What became of the keys, the newest first, those that were taken back included.
    pub async fn signing_key_states(&mut self) -> Result<Vec<SigningKeyState>> {
        let rows: Vec<(String, i64, i64, Option<i64>)> = query(STATES).bind(MOST).fetch_all(self).await?;
        let state = |(kid, created_at, seen_at, revoked_at): (String, i64, i64, Option<i64>)| SigningKeyState {
            kid,
            created_at: Timestamp::from_micros(created_at),
            seen_at: Timestamp::from_micros(seen_at),
            revoked_at: revoked_at.map(Timestamp::from_micros),
        };
        Ok(rows.into_iter().map(state).collect())
    }

    /// Whether a key was taken back.
    pub async fn is_signing_key_revoked(&mut self, kid: &str) -> Result<bool> {
        let found: i64 = query(IS_REVOKED).bind(kid).fetch_one(self).await?;
        Ok(found > 0)
    }

    /// When a key was first published, if it is.
    pub async fn signing_key_created_at(&mut self, kid: &str) -> Result<Option<Timestamp>> {
        let at: Option<i64> = query(CREATED).bind(kid).fetch_optional(self).await?;
        Ok(at.map(Timestamp::from_micros))
    }
}

impl Tx {
    /// Says at `now` that a server signs with this key; `false` when it was taken back, and nobody believes it.
    pub async fn publish_signing_key(&mut self, key: &SigningKey, now: Timestamp) -> Result<bool> {
        let revoked_at: Option<i64> =
            query(PUBLISH).bind(&key.kid).bind(Json(&key.public_jwk)).bind(now.micros()).fetch_one(self).await?;
        Ok(revoked_at.is_none())
    }

    /// Takes a key back for ever, with every token that it signed, and tells the other processes at the commit; `false`
    /// when there is none to take back.
    pub async fn revoke_signing_key(&mut self, kid: &str, now: Timestamp) -> Result<bool> {
        let changed = query(REVOKE).bind(kid).bind(now.micros()).execute(self).await?;
        if changed > 0 {
            self.announce(&Revocation::Unknown).await?;
        }
        Ok(changed > 0)
    }

    /// Forgets the keys that nobody has signed with since `before`, except for those that were taken back: an old copy of
    /// a data directory must not bring them to life again.
    pub async fn delete_signing_keys(&mut self, before: Timestamp) -> Result<u64> {
        query(FORGET).bind(before.micros()).execute(self).await
    }
}
