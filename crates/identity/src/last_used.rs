//! Notes that are never in a request's way: when API keys were last used, to the minute, that an access token which came
//! with a renewed refresh token was used at all, and that a password was refused. The last one so that the answer for an
//! account that exists takes no longer than the one for nobody's.
//!
//! A note goes into a bounded queue; when that is full, or the server dies, a note is lost and the next use's comes.

use std::{collections::HashMap, time::Duration};

use domain::{
    Timestamp,
    api_key::ApiKey,
    audit::Entry,
    ids::{ApiKeyId, TokenId},
};
use quick_cache::sync::Cache;
use store::Store;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    time,
    verdicts::{self, Digest},
};

/// How exact the note is.
const EVERY: Duration = Duration::from_mins(1);
/// Notes that may wait.
const QUEUE: usize = 1_024;
/// Notes written in one transaction.
const BATCH: usize = 256;
/// Keys, and refusals, of which is remembered that they were noted.
const REMEMBERED: usize = 10_000;

/// What waits to be written.
#[derive(Debug)]
enum Note {
    Use(Used, Timestamp),
    /// A line of the audit log, unless there is one with the same text beside it.
    Refusal(Box<Entry>, String),
}

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
    /// Refusals that were put into the queue.
    refusals: Cache<Digest, ()>,
}

impl LastUsed {
    pub(crate) fn new() -> Self {
        let (queue, notes) = mpsc::channel(QUEUE);
        let (noted, refusals) = (Cache::new(REMEMBERED), Cache::new(REMEMBERED));
        Self { queue, notes: Mutex::new(notes), noted, refusals }
    }

    /// Notes a use, unless one of the last minute is noted.
    pub(crate) fn note(&self, key: &ApiKey, now: Timestamp) {
        let is_recent = |at: Timestamp| time::is_within(at, now, EVERY);
        if key.last_used_at.is_some_and(is_recent) || self.noted.get(&key.id).is_some_and(is_recent) {
            return;
        }
        if self.queue.try_send(Note::Use(Used::ApiKey(key.id.clone()), now)).is_ok() {
            self.noted.insert(key.id.clone(), now);
        }
    }

    /// Notes the use of an access token of which none is noted yet. Uses of the same moment may be noted twice; the
    /// first one counts.
    pub(crate) fn note_token(&self, id: TokenId, now: Timestamp) {
        // A full queue forgets this one; the row still says that no use is noted, so the next use is.
        self.queue.try_send(Note::Use(Used::AccessToken(id), now)).ok();
    }

    /// Notes that a password was refused, unless it is noted. Of lines with the same `once` the first stays.
    pub(crate) fn note_refusal(&self, entry: Entry, once: String) {
        let digest = verdicts::digest(&once);
        if self.refusals.get(&digest).is_none() && self.queue.try_send(Note::Refusal(Box::new(entry), once)).is_ok() {
            self.refusals.insert(digest, ());
        }
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
            let (mut latest, mut refusals) = (HashMap::new(), Vec::new());
            for note in batch.drain(..) {
                match note {
                    Note::Use(used, at) => _ = latest.insert(used, at),
                    Note::Refusal(entry, once) => refusals.push((entry, once)),
                }
            }
            let written = time::limited(async {
                let mut tx = store.write().await?;
                for (used, at) in &latest {
                    match used {
                        Used::ApiKey(id) => tx.touch_api_key(id, *at).await?,
                        Used::AccessToken(id) => tx.note_access_token(id, *at).await?,
                    }
                }
                for (entry, once) in &refusals {
                    tx.insert_audit_once(entry, once).await?;
                }
                tx.commit().await
            });
            if let Err(error) = written.await {
                tracing::debug!(causes = %error.causes(), "Uses of keys and tokens, or refused passwords, could not be noted");
                if stop.is_cancelled() {
                    return;
                }
            }
        }
    }
}
