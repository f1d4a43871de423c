//! A user's settings: read with the defaults, changed field by field.

use domain::{Error, Kind, Principal, Result, Timestamp, ids::UserId};
use serde_json::{Map, Value};
use store::ChangedSettings;
use wire::settings::{self, Settings};

use crate::{models::Models, prompt::People};

/// Reads and changes settings. Clones share everything.
#[derive(Clone)]
pub struct UserSettings {
    people: People,
    models: Models,
}

/// The settings of a user.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingsOf {
    /// Whose they are.
    pub user_id: UserId,
    /// The settings, complete.
    pub settings: Settings,
    /// Since when they are: as long as the user.
    pub created_at: Timestamp,
    /// When they were last changed.
    pub updated_at: Timestamp,
}

impl UserSettings {
    /// The settings of `people`.
    pub fn new(people: People, models: Models) -> Self {
        Self { people, models }
    }

    /// The caller's settings.
    ///
    /// # Errors
    /// `invalid_token` for a user who is gone since the credential was verified.
    pub async fn get(&self, caller: &Principal) -> Result<SettingsOf> {
        let mut reader = self.people.store().read().await?;
        let user = reader.user(&caller.user_id).await?.ok_or_else(gone)?;
        let changed = reader.user_settings(&user.id).await?;
        let (changes, updated_at) = match changed {
            Some(changed) => (changed.changes, changed.updated_at),
            None => (Map::new(), user.created_at),
        };
        self.complete(user.id, &changes, user.created_at, updated_at)
    }

    /// Changes what `change` names and leaves the rest as it is; null makes a field what it is by default.
    ///
    /// # Errors
    /// 400 that names the field which is of the wrong type or out of its bounds; then nothing is changed.
    pub async fn change(&self, caller: &Principal, change: &Map<String, Value>) -> Result<SettingsOf> {
        let _changing = self.people.changing(&caller.user_id);
        let mut tx = self.people.store().write().await?;
        // Two tabs that change two fields at once both get their way.
        tx.lock_user(&caller.user_id).await?;
        let user = tx.user(&caller.user_id).await?.ok_or_else(gone)?;
        let before = tx.user_settings(&user.id).await?;
        let mut changes = before.map(|before| before.changes).unwrap_or_default();
        settings::merge(&mut changes, change)?;
        let now = self.people.clock().now();
        let after = self.complete(user.id, &changes, user.created_at, now)?;
        tx.put_user_settings(&after.user_id, &ChangedSettings { changes, updated_at: now }).await?;
        tx.commit().await?;
        Ok(after)
    }

    fn complete(
        &self,
        user_id: UserId,
        changes: &Map<String, Value>,
        created_at: Timestamp,
        updated_at: Timestamp,
    ) -> Result<SettingsOf> {
        let mut settings = Settings::read(changes)?;
        let selected = settings.preferences.entry("selected_model").or_insert(Value::Null);
        if selected.is_null()
            && let Some(first) = self.models.list().first()
        {
            *selected = Value::String(first.id.to_string());
        }
        Ok(SettingsOf { user_id, settings, created_at, updated_at })
    }
}

#[cold]
fn gone() -> Error {
    Error::new(Kind::Unauthenticated, "invalid_token", "The user is gone.")
}
