//! The table `setup_links`, and whether it is needed.

use domain::Timestamp;

use crate::{Reader, Result, Tx, statement::query};

const ADMINS: &str = r#"SELECT COUNT(*) FROM users WHERE CAST(roles AS TEXT) LIKE '%"admin"%' AND disabled_at IS NULL"#;
const IS_GOOD: &str = "SELECT COUNT(*) FROM setup_links WHERE token = $1 AND expires_at > $2";
const LOCK: &str = "LOCK TABLE setup_links IN EXCLUSIVE MODE";
const FORGET: &str = "DELETE FROM setup_links";
const INSERT: &str = "INSERT INTO setup_links (token, expires_at) VALUES ($1, $2)";
const TAKE: &str = "DELETE FROM setup_links WHERE token = $1 AND expires_at > $2";

impl Reader {
    /// Whether somebody administers the server.
    pub async fn has_admin(&mut self) -> Result<bool> {
        let found: i64 = query(ADMINS).fetch_one(self).await?;
        Ok(found > 0)
    }

    /// Whether the link with this SHA-256 can be used at `now`.
    pub async fn is_setup_link(&mut self, token: &[u8; 32], now: Timestamp) -> Result<bool> {
        let found: i64 = query(IS_GOOD).bind(&token[..]).bind(now.micros()).fetch_one(self).await?;
        Ok(found > 0)
    }
}

impl Tx {
    /// Makes others who make or use a link wait for this transaction, so that there is one link, and one administrator
    /// by it. SQLite has one writer and needs no lock.
    pub async fn lock_setup(&mut self) -> Result<()> {
        if self.is_postgres() {
            query(LOCK).execute(self).await?;
        }
        Ok(())
    }

    /// Puts a link, by its SHA-256, in the place of any other.
    pub async fn put_setup_link(&mut self, token: &[u8; 32], expires_at: Timestamp) -> Result<()> {
        query(FORGET).execute(self).await?;
        query(INSERT).bind(&token[..]).bind(expires_at.micros()).execute(self).await?;
        Ok(())
    }

    /// Uses a link up; `false` when it could not be used at `now`.
    pub async fn take_setup_link(&mut self, token: &[u8; 32], now: Timestamp) -> Result<bool> {
        let taken = query(TAKE).bind(&token[..]).bind(now.micros()).execute(self).await?;
        Ok(taken > 0)
    }
}
