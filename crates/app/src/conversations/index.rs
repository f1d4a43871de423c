//! Texts are put into the index of words when nobody writes: by the thousand that costs a part of what it costs one by one.
//! Whoever searches waits for their own texts alone (`Conversations::list`).

use std::time::Duration;

use domain::Result;
use tokio_util::sync::CancellationToken;

use super::Conversations;

/// How long nobody may have written for a pause to be one.
const PAUSE: Duration = Duration::from_secs(1);
/// Texts wait for no more than so many pauses that were none.
const PATIENCE: u32 = 60;

impl Conversations {
    /// Indexes what is due, again and again until `stop`.
    pub(super) async fn run_index(&self, stop: &CancellationToken) {
        let (mut seen, mut waited) = (None, 0);
        while stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
            match stop.run_until_cancelled(self.index(&mut seen, &mut waited)).await {
                None | Some(Ok(())) => {}
                Some(Err(error)) => {
                    tracing::warn!(causes = error.causes(), "Could not index what was written: {error}");
                }
            }
        }
    }

    /// Indexes what is due if nothing was written since the last time, or too much time has passed. `seen` is the newest
    /// text of the last time, `waited` how often somebody was writing.
    async fn index(&self, seen: &mut Option<i64>, waited: &mut u32) -> Result<()> {
        loop {
            let newest = self.store.newest_due().await?;
            let is_pause = newest == *seen || newest.is_none();
            *seen = newest;
            if newest.is_none() {
                *waited = 0;
                return Ok(());
            }
            if !is_pause && *waited < PATIENCE {
                *waited += 1;
                return Ok(());
            }
            self.store.index_due(None).await?;
        }
    }
}
