//! What was deleted long enough ago is removed for good: conversations, and projects with what is remembered for them.

use std::time::Duration;

use domain::{Result, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use store::CleanUp;
use tokio_util::sync::CancellationToken;

use super::Conversations;

/// How often what was deleted is looked for.
const EVERY: Duration = Duration::from_mins(10);
/// Rows that are removed in one transaction: others wait for it on SQLite.
const BATCH: u32 = 200;

/// What is kept of conversations.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Days until a conversation or a project that its owner deleted is removed from the database. Nobody sees it in that
    /// time, but the operator can bring it back from the database. 0 removes it with the next round, after ten minutes at
    /// most.
    pub deleted_days: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { deleted_days: 30 }
    }
}

impl Conversations {
    /// Removes what was deleted, again and again until `stop`.
    pub(super) async fn run_purge(&self, options: Options, stop: &CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            if let Some(Err(error)) = stop.run_until_cancelled(self.purge(options)).await {
                tracing::warn!(causes = error.causes(), "Could not remove what was deleted: {error}");
            }
        }
    }

    /// Removes what was deleted long enough ago.
    ///
    /// # Errors
    /// When the database is away; what is left is removed the next time.
    pub async fn purge(&self, options: Options) -> Result<()> {
        let kept = i64::from(options.deleted_days) * 24 * 60 * 60 * 1_000_000;
        let before = Timestamp::from_micros(self.clock.now().micros() - kept);
        loop {
            let mut tx = self.store.write().await?;
            if !tx.lock_clean_up(CleanUp::Deleted).await? {
                return Ok(());
            }
            let removed = tx.purge_conversations(before, BATCH).await? + tx.purge_projects(before, BATCH).await?;
            tx.commit().await?;
            if removed == 0 {
                return Ok(());
            }
        }
    }
}
