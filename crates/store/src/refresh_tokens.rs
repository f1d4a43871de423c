//! The table `refresh_tokens`. Tokens are kept as digests.

use domain::{Timestamp, ids::SessionId};

use crate::{Result, Tx, engine::on};

const INSERT: &str = "INSERT INTO refresh_tokens (digest, session_id, created_at, expires_at) VALUES ($1, $2, $3, $4)";

impl Tx {
    /// Adds a refresh token, by the SHA-256 of its text.
    pub async fn insert_refresh_token(
        &mut self,
        session: &SessionId,
        digest: &[u8; 32],
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<()> {
        on!(self, c => sqlx::query(INSERT)
            .bind(&digest[..])
            .bind(session.as_str())
            .bind(created_at.micros())
            .bind(expires_at.micros())
            .execute(c).await.map(drop))?;
        Ok(())
    }
}
