//! Notes of uses, never in a request's way: when API keys were last used, to the minute, and that an access token which
//! came with a renewed refresh token was used at all.
//!
//! A note goes into a bounded queue; when that is full, or the server dies, a note is lost and the next use's comes.

use std::{collections::HashMap, time::Duration};

use domain::{
    Timestamp,
    api_key::ApiKey,
    ids::{ApiKeyId, TokenId},
};
use quick_cache::sync::Cache;
use store::Store;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use crate::time;

/// How exact the note is.
const EVERY: Duration = Duration::from_mins(1);
/// Notes that may wait.
const QUEUE: usize = 1_024;
/// Notes written in one transaction.
const BATCH: usize = 256;
/// Keys of which is remembered that they were noted.
const REMEMBERED: usize = 10_000;

type Note = (Used, Timestamp);

/// What was used.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Used {
    ApiKey(ApiKeyId),
    AccessToken(TokenId),
}

pub(crate) struct LastUsed {
    queue: mpsc::Sender<Note>,
    notes: Mutex<mpsc::Receiver<Note>>,
    /// What was put into the queue and may not have been written yet.
    noted: Cache<ApiKeyId, Timestamp>,
}

impl LastUsed {
    pub(crate) fn new() -> Self {
        let (queue, notes) = mpsc::channel(QUEUE);
        Self { queue, notes: Mutex::new(notes), noted: Cache::new(REMEMBERED) }
    }

    /// Notes a use, unless one of the last minute is noted.
    pub(crate) fn note(&self, key: &ApiKey, now: Timestamp) {
        let is_recent = |at: Timestamp| time::is_within(at, now, EVERY);
        if key.last_used_at.is_some_and(is_recent) || self.noted.get(&key.id).is_some_and(is_recent) {
            return;
        }
        if self.queue.try_send((Used::ApiKey(key.id.clone()), now)).is_ok() {
            self.noted.insert(key.id.clone(), now);
        }
    }

    /// Notes the use of an access token of which none is noted yet. Uses of the same moment may be noted twice; the
    /// first one counts.
    pub(crate) fn note_token(&self, id: TokenId, now: Timestamp) {
        // A full queue forgets this one; the row still says that no use is noted, so the next use is.
        self.queue.try_send((Used::AccessToken(id), now)).ok();
    }

    /// Writes notes until `stop`, and then those that are left.
    pub(crate) async fn write(&self, store: &Store, stop: &CancellationToken) {
        let mut notes = self.notes.lock().await;
        let mut batch = Vec::new();
        loop {
            let stopped = tokio::select! {
                biased;
                count = notes.recv_many(&mut batch, BATCH) => count == 0,
                () = stop.cancelled() => true,
            };
            if stopped {
                return;
            }
            let latest: HashMap<Used, Timestamp> = batch.drain(..).collect();
            let written = time::limited(async {
                let mut tx = store.write().await?;
                for (used, at) in &latest {
                    match used {
                        Used::ApiKey(id) => tx.touch_api_key(id, *at).await?,
                        Used::AccessToken(id) => tx.note_access_token(id, *at).await?,
                    }
                }
                tx.commit().await
            });
            if let Err(error) = written.await {
                tracing::debug!(causes = %error.causes(), "The use of keys and tokens could not be noted");
                if stop.is_cancelled() {
                    return;
                }
            }
        }
    }
}
