//! The table `signing_keys`: public halves only. A private key never leaves the data directory of its server.

use domain::Timestamp;
use serde_json::Value;
use sqlx::types::Json;

use crate::{Reader, Result, Tx, engine::on};

const PUBLISH: &str = "INSERT INTO signing_keys (kid, public_jwk, created_at, seen_at) VALUES ($1, $2, $3, $3)
    ON CONFLICT (kid) DO UPDATE SET seen_at = excluded.seen_at";
const LIST: &str = "SELECT kid, public_jwk FROM signing_keys WHERE seen_at > $1 ORDER BY seen_at DESC, kid LIMIT $2";
const CREATED: &str = "SELECT created_at FROM signing_keys WHERE kid = $1";
const FORGET: &str = "DELETE FROM signing_keys WHERE seen_at <= $1";

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

impl Reader {
    /// The keys seen after `since`, the latest first.
    pub async fn signing_keys(&mut self, since: Timestamp) -> Result<Vec<SigningKey>> {
        let rows: Vec<(String, Json<Value>)> = on!(self, c => sqlx::query_as(LIST)
            .bind(since.micros())
            .bind(MOST)
            .fetch_all(c).await)?;
        Ok(rows.into_iter().map(|(kid, Json(public_jwk))| SigningKey { kid, public_jwk }).collect())
    }

    /// When a key was first published, if it is.
    pub async fn signing_key_created_at(&mut self, kid: &str) -> Result<Option<Timestamp>> {
        let at: Option<i64> = on!(self, c => sqlx::query_scalar(CREATED).bind(kid).fetch_optional(c).await)?;
        Ok(at.map(Timestamp::from_micros))
    }
}

impl Tx {
    /// Says at `now` that a server signs with this key.
    pub async fn publish_signing_key(&mut self, key: &SigningKey, now: Timestamp) -> Result<()> {
        on!(self, c => sqlx::query(PUBLISH)
            .bind(&key.kid)
            .bind(Json(&key.public_jwk))
            .bind(now.micros())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Forgets the keys that nobody has signed with since `before`.
    pub async fn delete_signing_keys(&mut self, before: Timestamp) -> Result<u64> {
        Ok(on!(self, c => sqlx::query(FORGET).bind(before.micros())
            .execute(c).await.map(|done| done.rows_affected()))?)
    }
}
