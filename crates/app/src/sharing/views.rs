//! Counting who looks at shares, never in a reader's way.
//!
//! A view goes into a bounded queue and is written together with the others of a second; when the queue is full, or the
//! server dies, a view is lost.

use std::{collections::HashMap, time::Duration};

use domain::{Error, Timestamp, ids::ShareId};
use store::Store;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

/// Views that may wait.
const QUEUE: usize = 4_096;
/// How long views are gathered.
const GATHER: Duration = Duration::from_secs(1);

pub(super) struct Views {
    queue: mpsc::Sender<(ShareId, Timestamp)>,
    waiting: Mutex<mpsc::Receiver<(ShareId, Timestamp)>>,
}

impl Views {
    pub(super) fn new() -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        Self { queue, waiting: Mutex::new(waiting) }
    }

    /// Counts a view.
    pub(super) fn count(&self, share: &ShareId, now: Timestamp) {
        // A full queue loses it.
        self.queue.try_send((share.clone(), now)).ok();
    }

    /// Writes what waits; how many views that were.
    pub(super) async fn write(&self, store: &Store) -> store::Result<u64> {
        let mut waiting = self.waiting.lock().await;
        let mut counts: HashMap<ShareId, (u64, Timestamp)> = HashMap::new();
        for _ in 0..QUEUE {
            let Ok((share, at)) = waiting.try_recv() else { break };
            let count = counts.entry(share).or_insert((0, at));
            *count = (count.0 + 1, count.1.max(at));
        }
        if counts.is_empty() {
            return Ok(0);
        }
        // In one order everywhere, so that two servers do not wait for each other.
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort();
        let mut tx = store.write().await?;
        for (share, (views, last)) in &counts {
            tx.count_share_views(share, *views, *last).await?;
        }
        tx.commit().await?;
        Ok(counts.iter().map(|(_, (views, _))| views).sum())
    }

    /// Writes views until `stop`, and then those that are left.
    pub(super) async fn run(&self, store: &Store, stop: &CancellationToken) {
        loop {
            let stopped = stop.run_until_cancelled(tokio::time::sleep(GATHER)).await.is_none();
            if let Err(error) = self.write(store).await {
                let causes = Error::from(error).causes();
                tracing::debug!(causes, "The views of shares could not be counted");
            }
            if stopped {
                return;
            }
        }
    }
}
