//! The index of words is written when nobody else writes: by the thousand that costs a part of what it costs one by one.
//! Whoever searches waits for what they wrote themselves, and for nothing else (`Conversations::list`).

use std::time::Duration;

use domain::Result;
use tokio_util::sync::CancellationToken;

use super::Conversations;

/// How long nobody may have written for a pause to be one.
const PAUSE: Duration = Duration::from_secs(1);
/// After so many times without a pause it is written all the same.
const PATIENCE: u32 = 60;

impl Conversations {
    /// Writes what is due of the index, again and again until `stop`.
    pub(super) async fn run_index(&self, stop: &CancellationToken) {
        let mut waited = 0;
        loop {
            let before = self.store.writes();
            if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                return;
            }
            waited += 1;
            let patient = waited < PATIENCE;
            match stop.run_until_cancelled(self.index(patient.then_some(before))).await {
                Some(Ok(true)) => waited = 0,
                None | Some(Ok(false)) => {}
                Some(Err(error)) => {
                    tracing::warn!(causes = error.causes(), "Could not index what was written: {error}");
                }
            }
        }
    }

    /// Writes what is due of the index, as long as nobody has begun to write since there were `writes`; says whether
    /// nothing is left.
    ///
    /// # Errors
    /// When the database is away; nothing is lost by that.
    async fn index(&self, writes: Option<u64>) -> Result<bool> {
        let mut is_due = self.store.has_due(None).await?;
        while is_due {
            if writes.is_some_and(|writes| self.store.writes() != writes) {
                return Ok(false);
            }
            is_due = self.store.index_due(None).await?;
        }
        Ok(true)
    }
}
