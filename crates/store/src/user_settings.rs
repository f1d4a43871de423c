//! The table `user_settings`: what users changed, without the defaults.

use domain::{Timestamp, ids::UserId};
use serde_json::{Map, Value};

use crate::{
    Reader, Result, Tx,
    statement::{Json, query},
};

const GET: &str = "SELECT changes, updated_at FROM user_settings WHERE user_id = $1";
const PUT: &str = "INSERT INTO user_settings (user_id, changes, updated_at) VALUES ($1, $2, $3)
    ON CONFLICT (user_id) DO UPDATE SET changes = excluded.changes, updated_at = excluded.updated_at";

/// What a user changed.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangedSettings {
    /// The values that are not the defaults.
    pub changes: Map<String, Value>,
    /// When they were last changed.
    pub updated_at: Timestamp,
}

impl Reader {
    /// What the owner changed; `None` when that is nothing.
    pub async fn user_settings(&mut self, owner: &UserId) -> Result<Option<ChangedSettings>> {
        let row: Option<(Json<Map<String, Value>>, i64)> = query(GET).bind(owner.as_str()).fetch_optional(self).await?;
        Ok(row.map(|(Json(changes), at)| ChangedSettings { changes, updated_at: Timestamp::from_micros(at) }))
    }
}

impl Tx {
    /// Keeps what the owner changed, in the place of what was kept before.
    pub async fn put_user_settings(&mut self, owner: &UserId, changed: &ChangedSettings) -> Result<()> {
        query(PUT)
            .bind(owner.as_str())
            .bind(Json(&changed.changes))
            .bind(changed.updated_at.micros())
            .execute(self)
            .await?;
        Ok(())
    }
}
