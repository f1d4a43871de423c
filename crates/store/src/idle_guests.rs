//! Guests who do not come back and have left nothing: found and forgotten.

use domain::{Timestamp, ids::UserId};

use crate::{Reader, Result, Tx, statement::query, text};

/// What makes the guest `u` stay: it came or renewed a sign-in after $2, has a key that is good at $3, or something of its
/// own. A table of things that users make is added here.
macro_rules! is_idle {
    () => {
        r#"u.roles = '["guest"]' AND u.created_at <= $2
        AND NOT EXISTS (SELECT 1 FROM sessions s JOIN refresh_tokens t ON t.session_id = s.id
            WHERE s.user_id = u.id AND t.created_at > $2)
        AND NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.user_id = u.id AND k.revoked_at IS NULL AND k.expires_at > $3)
        AND NOT EXISTS (SELECT 1 FROM conversations c WHERE c.user_id = u.id)
        AND NOT EXISTS (SELECT 1 FROM projects p WHERE p.user_id = u.id)
        AND NOT EXISTS (SELECT 1 FROM memories m WHERE m.user_id = u.id)"#
    };
}

/// The expression on the roles is that of the index `users_guests`.
const LOOK: &str = concat!(
    "SELECT u.id, CAST(CASE WHEN ",
    is_idle!(),
    r#" THEN 1 ELSE 0 END AS BIGINT)
    FROM users u WHERE u.roles = '["guest"]' AND ($1 IS NULL OR u.id > $1) ORDER BY u.id LIMIT $4"#
);
const COUNT: &str = r#"SELECT COUNT(*) FROM (SELECT 1 FROM users WHERE roles = '["guest"]' LIMIT $1) AS guests"#;
const DELETE: &str = concat!("DELETE FROM users AS u WHERE u.id = $1 AND ", is_idle!());
const LOCK_SESSIONS: &str = "SELECT id FROM sessions WHERE user_id = $1 FOR UPDATE";

/// Guests that were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guests {
    /// Those of them who are idle.
    pub idle: Vec<UserId>,
    /// The last one looked at; none when there was none.
    pub last: Option<UserId>,
}

impl Reader {
    /// How many guests there are; no more than one more than `most` are counted.
    pub async fn count_guests(&mut self, most: u32) -> Result<u32> {
        let count: i64 = query(COUNT).bind(i64::from(most) + 1).long().fetch_one(self).await?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Looks at the next `limit` guests after `after`. Idle is who came until `before`, has had no new token since, and has
    /// neither a key that is good at `now` nor anything else of its own.
    pub async fn idle_guests(
        &mut self,
        after: Option<&UserId>,
        limit: u32,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Guests> {
        let rows: Vec<(String, i64)> = query(LOOK)
            .bind(after.map(UserId::as_str))
            .bind(before.micros())
            .bind(now.micros())
            .bind(i64::from(limit))
            .long()
            .fetch_all(self)
            .await?;
        let mut guests = Guests::default();
        for (id, idle) in rows {
            let id: UserId = text::id(&id, "users.id")?;
            if idle != 0 {
                guests.idle.push(id.clone());
            }
            guests.last = Some(id);
        }
        Ok(guests)
    }
}

impl Tx {
    /// Forgets a guest with its sessions, if it is idle still; says whether it was. Whoever is just coming back in
    /// another transaction is waited for, and then seen.
    pub async fn delete_idle_guest(&mut self, id: &UserId, before: Timestamp, now: Timestamp) -> Result<bool> {
        self.lock_user(id).await?;
        if self.is_postgres() {
            query(LOCK_SESSIONS).bind(id.as_str()).execute(self).await?;
        }
        let deleted =
            query(DELETE).bind(id.as_str()).bind(before.micros()).bind(now.micros()).long().execute(self).await?;
        Ok(deleted > 0)
    }
}
