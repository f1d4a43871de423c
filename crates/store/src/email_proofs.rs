//! The table `email_proofs`: links that prove an address. Whatever is taken is gone: it counts once.

use domain::{Timestamp, ids::UserId};

use crate::{Reader, Result, Tx, statement::query, text};

const FORGET: &str = "DELETE FROM email_proofs WHERE user_id = $1";
const INSERT: &str = "INSERT INTO email_proofs (token, user_id, email, expires_at) VALUES ($1, $2, $3, $4)";
const GET: &str = "SELECT user_id, email, expires_at FROM email_proofs WHERE token = $1";
const TAKE: &str = "DELETE FROM email_proofs WHERE token = $1 RETURNING user_id, email, expires_at";
const FORGET_EXPIRED: &str = "DELETE FROM email_proofs
    WHERE token IN (SELECT token FROM email_proofs WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

/// What a link proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailProof {
    /// Who has the address.
    pub user_id: UserId,
    /// The address, as it was when the link was made.
    pub email: String,
    /// Until when the link counts.
    pub expires_at: Timestamp,
}

type Row = (String, String, i64);

fn into_proof((user_id, email, expires_at): Row) -> Result<EmailProof> {
    let user_id = text::id(&user_id, "email_proofs.user_id")?;
    Ok(EmailProof { user_id, email, expires_at: Timestamp::from_micros(expires_at) })
}

impl Reader {
    /// What the link with this SHA-256 proves, lapsed or not.
    pub async fn email_proof(&mut self, token: &[u8; 32]) -> Result<Option<EmailProof>> {
        let row: Option<Row> = query(GET).bind(&token[..]).fetch_optional(self).await?;
        row.map(into_proof).transpose()
    }
}

impl Tx {
    /// Keeps a link, by its SHA-256, in the place of any other of this user.
    pub async fn put_email_proof(&mut self, token: &[u8; 32], proof: &EmailProof) -> Result<()> {
        query(FORGET).bind(proof.user_id.as_str()).execute(self).await?;
        query(INSERT)
            .bind(&token[..])
            .bind(proof.user_id.as_str())
            .bind(&proof.email)
            .bind(proof.expires_at.micros())
            .execute(self)
            .await?;
        Ok(())
    }

    /// Takes a link, lapsed or not.
    pub async fn take_email_proof(&mut self, token: &[u8; 32]) -> Result<Option<EmailProof>> {
        let row: Option<Row> = query(TAKE).bind(&token[..]).fetch_optional(self).await?;
        row.map(into_proof).transpose()
    }

    /// Forgets at most `limit` links that lapsed before `now`; says how many.
    pub async fn delete_expired_email_proofs(&mut self, now: Timestamp, limit: u32) -> Result<u64> {
        query(FORGET_EXPIRED).bind(now.micros()).bind(i64::from(limit)).execute(self).await
    }
}
