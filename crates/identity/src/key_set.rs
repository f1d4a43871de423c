//! The keys whose signatures count: this server's own, and those of the other servers on the same database.
//!
//! A server publishes its key before it hands out a token of it. The others read the published keys from time to time,
//! and when a token names a key they do not know: then the token is probably of a server that started just now. No
//! other source of keys exists: what a token's header says about keys beyond the name is not looked at.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use domain::{Clock, Result, Timestamp};
use jsonwebtoken::DecodingKey;
use store::{SigningKey as PublishedKey, Store, StoreError, Tx};
use tokio::sync::Mutex;

use crate::{Jwk, time};

/// How often a server says again that it signs with its key.
pub(crate) const PUBLISH_EVERY: Duration = Duration::from_mins(10);
/// How often names that nobody knows may send us to the database.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The keys, and when they were last read and published.
pub(crate) struct KeySet {
    /// The one that new tokens are signed with.
    own: ArcSwap<Jwk>,
    /// For how long after its server's last sign of life a key counts: its last token's life, and two intervals of
    /// publishing.
    kept: Duration,
    clock: Clock,
    current: ArcSwap<Keys>,
    looked: Mutex<Option<Look>>,
    /// In microseconds; long ago before the first time.
    published_at: AtomicI64,
}

/// The keys at one time.
pub(crate) struct Keys {
    by_name: HashMap<String, DecodingKey>,
    /// The same, as published.
    public: Vec<Jwk>,
}

impl Keys {
    pub(crate) fn get(&self, kid: &str) -> Option<&DecodingKey> {
        self.by_name.get(kid)
    }

    pub(crate) fn public(&self) -> &[Jwk] {
        &self.public
    }
}

/// The last reading of the database.
#[derive(Clone, Copy)]
struct Look {
    at: Timestamp,
    failed: bool,
}

impl KeySet {
    pub(crate) fn new(own: Jwk, access_token_life: Duration, clock: Clock) -> Self {
        let kept = access_token_life + 2 * PUBLISH_EVERY;
        let current = ArcSwap::from_pointee(collect([own.clone()]));
        let own = ArcSwap::from_pointee(own);
        Self { own, kept, clock, current, looked: Mutex::new(None), published_at: AtomicI64::new(0) }
    }

    /// The keys known now.
    pub(crate) fn current(&self) -> Arc<Keys> {
        self.current.load_full()
    }

    /// The keys with the one called `kid` among them; `None` when there is no such key. Looks into the database for a
    /// name it does not know, but not more than once a second whoever asks.
    pub(crate) async fn find(&self, kid: &str, store: &Store) -> Result<Option<Arc<Keys>>> {
        let known = |keys: Arc<Keys>| if keys.get(kid).is_some() { Some(keys) } else { None };
        if let Some(keys) = known(self.current()) {
            return Ok(Some(keys));
        }
        // Whoever comes while another looks waits for what that one finds.
        let mut looked = self.looked.lock().await;
        if let Some(keys) = known(self.current()) {
            return Ok(Some(keys));
        }
        let now = self.clock.now();
        match *looked {
            Some(look) if time::is_within(look.at, now, LOOK_EVERY) => {
                if look.failed {
                    Err(time::no_answer())
                } else {
                    Ok(None)
                }
            }
            _ => {
                *looked = Some(Look { at: now, failed: true });
                self.read(store).await?;
                *looked = Some(Look { at: now, failed: false });
                Ok(known(self.current()))
            }
        }
    }

    /// Reads the published keys.
    pub(crate) async fn read(&self, store: &Store) -> Result<()> {
        let since = time::before(self.clock.now(), self.kept);
        let published = time::limited(async { store.read().await?.signing_keys(since).await }).await?;
        let peers = published.into_iter().filter_map(|key| match serde_json::from_value::<Jwk>(key.public_jwk) {
            Ok(jwk) if jwk.kid == key.kid => Some(jwk),
            _ => {
                tracing::warn!(kid = %key.kid, "A published signing key is of an unknown form");
                None
            }
        });
        self.current.store(Arc::new(collect(std::iter::once(Jwk::clone(&self.own.load())).chain(peers))));
        Ok(())
    }

    /// Makes sure in `tx` that the other servers can know our key, before a token of it goes out. What comes back is for
    /// [`KeySet::published`], after the commit. A key that was taken back has no tokens: the next moment has another.
    pub(crate) async fn publish(&self, tx: &mut Tx) -> Result<Option<Timestamp>, StoreError> {
        let now = self.clock.now();
        let last = Timestamp::from_micros(self.published_at.load(Ordering::Relaxed));
        if time::is_within(last, now, PUBLISH_EVERY) {
            return Ok(None);
        }
        if self.publish_at(tx, now).await? { Ok(Some(now)) } else { Err(StoreError::Unavailable(None)) }
    }

    /// Notes what [`KeySet::publish`] did, once it has committed.
    pub(crate) fn published(&self, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.published_at.store(at.micros(), Ordering::Relaxed);
        }
    }

    /// Publishes our key and forgets those of servers that are gone.
    pub(crate) async fn maintain(&self, store: &Store) -> Result<()> {
        let now = self.clock.now();
        time::limited(async {
            let mut tx = store.write().await?;
            self.publish_at(&mut tx, now).await?;
            tx.delete_signing_keys(time::before(now, self.kept)).await?;
            tx.commit().await
        })
        .await?;
        self.published(Some(now));
        Ok(())
    }

    /// Publishes our key; `false` when it was taken back.
    async fn publish_at(&self, tx: &mut Tx, now: Timestamp) -> Result<bool, StoreError> {
        tx.publish_signing_key(&to_row(&self.own.load()), now).await
    }

    /// Makes sure that the other servers can know `next`, and go on knowing our key while its last tokens live.
    pub(crate) async fn publish_next(&self, next: &Jwk, store: &Store) -> Result<()> {
        let now = self.clock.now();
        time::limited(async {
            let mut tx = store.write().await?;
            self.publish_at(&mut tx, now).await?;
            tx.publish_signing_key(&to_row(next), now).await?;
            tx.commit().await
        })
        .await
    }

    /// Takes `next` as our key. The one before counts on, as one of the published, unless it was taken back.
    pub(crate) fn adopt(&self, next: Jwk, revoked: bool) {
        let mut known = self.current().public().to_vec();
        if revoked {
            let own = self.own.load();
            known.retain(|key| key.kid != own.kid);
        }
        self.current.store(Arc::new(collect(std::iter::once(next.clone()).chain(known))));
        self.own.store(Arc::new(next));
    }

    /// Takes a key back in `tx`, so that no server believes it any more; `false` when there is no such key to take back.
    /// Ours is published first, so that it is taken back whether or not it ever signed.
    pub(crate) async fn revoke(&self, tx: &mut Tx, kid: &str) -> Result<bool, StoreError> {
        let now = self.clock.now();
        if kid == self.own.load().kid {
            self.publish_at(tx, now).await?;
        }
        tx.revoke_signing_key(kid, now).await
    }

    /// Whether our key was taken back.
    pub(crate) async fn own_is_revoked(&self, store: &Store) -> Result<bool> {
        let own = self.own.load_full();
        time::limited(async { store.read().await?.is_signing_key_revoked(&own.kid).await }).await
    }

    /// When our key was first published; none before it is.
    pub(crate) async fn own_since(&self, store: &Store) -> Result<Option<Timestamp>> {
        let own = self.own.load_full();
        time::limited(async { store.read().await?.signing_key_created_at(&own.kid).await }).await
    }
}

fn to_row(jwk: &Jwk) -> PublishedKey {
    // Six strings cannot fail to serialize.
    PublishedKey { kid: jwk.kid.clone(), public_jwk: serde_json::to_value(jwk).unwrap_or_default() }
}

/// The keys that can verify, each once.
fn collect(keys: impl IntoIterator<Item = Jwk>) -> Keys {
    let mut collected = Keys { by_name: HashMap::new(), public: Vec::new() };
    for jwk in keys {
        match jwk.decoding_key() {
            Some(key) if !collected.by_name.contains_key(&jwk.kid) => {
                collected.by_name.insert(jwk.kid.clone(), key);
                collected.public.push(jwk);
            }
            Some(_) => {}
            None => tracing::warn!(kid = %jwk.kid, "A signing key cannot verify and is left out"),
        }
    }
    collected
}
