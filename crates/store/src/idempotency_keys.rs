//! The table `idempotency_keys`: which requests must not be done twice, and what they were answered.
//!
//! A row is claimed by inserting it; of several servers that try at once one does. It is locked for a while that its
//! holder extends, so that the claim of a server that died can be taken over.

use domain::{Timestamp, ids::UserId};

use crate::{Reader, Result, Tx, row::row, statement::query};

const CLAIM: &str = "INSERT INTO idempotency_keys
        (user_id, route, key_digest, fingerprint, holder, locked_until, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (user_id, route, key_digest) DO UPDATE SET fingerprint = excluded.fingerprint,
        holder = excluded.holder, locked_until = excluded.locked_until, status = NULL, answer = NULL,
        expires_at = excluded.expires_at
    WHERE idempotency_keys.expires_at <= $8
        OR (idempotency_keys.locked_until <= $8 AND idempotency_keys.fingerprint = excluded.fingerprint)";
const GET: &str = "SELECT fingerprint, locked_until, status, answer FROM idempotency_keys
    WHERE user_id = $1 AND route = $2 AND key_digest = $3";
const EXTEND: &str = "UPDATE idempotency_keys SET locked_until = $2 WHERE holder = $1 AND locked_until IS NOT NULL";
const ANSWER: &str = "UPDATE idempotency_keys SET locked_until = NULL, status = $2, answer = $3
    WHERE holder = $1 AND locked_until IS NOT NULL";
const RELEASE: &str = "DELETE FROM idempotency_keys WHERE holder = $1 AND locked_until IS NOT NULL";
// Rows that are taken over at this moment are left alone: they are not expired any more when their turn comes.
const DELETE_EXPIRED: &str = "DELETE FROM idempotency_keys WHERE expires_at <= $1 AND (user_id, route, key_digest) IN
    (SELECT user_id, route, key_digest FROM idempotency_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

/// Names the one request that claimed a key.
pub type Holder = [u8; 16];

/// What makes a request the same as another.
#[derive(Clone, Copy, Debug)]
pub struct IdempotentRequest<'a> {
    /// Whose request it is.
    pub owner: &'a UserId,
    /// The verb and the route's template.
    pub route: &'a str,
    /// SHA-256 of the key.
    pub key_digest: &'a [u8; 32],
    /// SHA-256 of the rest: the address and the body.
    pub fingerprint: &'a [u8; 32],
}

/// What is known of a key that is claimed already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRequest {
    /// Whether it was claimed by a request with the same fingerprint.
    pub is_same: bool,
    /// Whether it was answered.
    pub is_answered: bool,
    /// The answer's status and what its owner made of the rest; none where the answer is not kept.
    pub answer: Option<(u16, Vec<u8>)>,
}

row! {
    struct KnownRow {
        fingerprint: Vec<u8>,
        locked_until: Option<i64>,
        status: Option<i64>,
        answer: Option<Vec<u8>>,
    }
}

impl Reader {
    /// What is known of the request's key; none when nobody has claimed it.
    pub async fn idempotent_request(&mut self, request: &IdempotentRequest<'_>) -> Result<Option<KnownRequest>> {
        let row: Option<KnownRow> = query(GET)
            .bind(request.owner.as_str())
            .bind(request.route)
            .bind(&request.key_digest[..])
            .fetch_optional(self)
            .await?;
        Ok(row.map(|row| KnownRequest {
            is_same: row.fingerprint == request.fingerprint,
            is_answered: row.locked_until.is_none(),
            answer: row.status.and_then(|status| u16::try_from(status).ok()).zip(row.answer),
        }))
    }
}

impl Tx {
    /// Claims a request's key until `locked_until`; `false` when another request has it. One that expired before `now`
    /// can be claimed anew, as can one of the same request whose lock is over.
    pub async fn claim_idempotency_key(
        &mut self,
        request: &IdempotentRequest<'_>,
        holder: &Holder,
        now: Timestamp,
        locked_until: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool> {
        let claimed = query(CLAIM)
            .bind(request.owner.as_str())
            .bind(request.route)
            .bind(&request.key_digest[..])
            .bind(&request.fingerprint[..])
            .bind(&holder[..])
            .bind(locked_until.micros())
            .bind(expires_at.micros())
            .bind(now.micros())
            .execute(self)
            .await?;
        Ok(claimed > 0)
    }

    /// Keeps a claim locked for longer; `false` when it is the holder's no more.
    pub async fn extend_idempotency_lock(&mut self, holder: &Holder, locked_until: Timestamp) -> Result<bool> {
        let changed = query(EXTEND).bind(&holder[..]).bind(locked_until.micros()).execute(self).await?;
        Ok(changed > 0)
    }

    /// Ends a claim with its answer, or with none where the answer is not kept; `false` when it is the holder's no more.
    pub async fn answer_idempotency_key(&mut self, holder: &Holder, answer: Option<(u16, &[u8])>) -> Result<bool> {
        let changed = query(ANSWER)
            .bind(&holder[..])
            .bind(answer.map(|(status, _)| i64::from(status)))
            .bind(answer.map(|(_, bytes)| bytes))
            .execute(self)
            .await?;
        Ok(changed > 0)
    }

    /// Gives a claim up: whoever asks next may try again.
    pub async fn release_idempotency_key(&mut self, holder: &Holder) -> Result<()> {
        query(RELEASE).bind(&holder[..]).execute(self).await?;
        Ok(())
    }

    /// Forgets at most `limit` keys that expired before `now`; says how many.
    pub async fn delete_expired_idempotency_keys(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        query(DELETE_EXPIRED).bind(now.micros()).bind(i64::from(limit)).execute(self).await
    }
}
