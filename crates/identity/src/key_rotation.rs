//! A new signing key from time to time, so that one that leaked unnoticed is of no use some day.
//!
//! The order matters, since a server may die between any two steps: the new key is on the disk before anybody is told of
//! it, published before a token of it goes out, and in its place before it signs. The old key stays published until the
//! last of its tokens has lapsed; its private half is gone at once.

use std::{sync::Arc, time::Duration};

use domain::{Error, Result};

use crate::{Identity, OpenError, signing_key::SigningKey, time};

/// How often the key's age is looked at.
pub(crate) const EVERY: Duration = Duration::from_hours(1);

impl Identity {
    /// Signs with a new key from now on. Tokens of the old one stay good until they lapse.
    ///
    /// # Errors
    /// When the key's directory cannot be written, or the database does not answer; then nothing has changed.
    pub async fn rotate_signing_key(&self) -> Result<()> {
        self.renew_signing_key(false).await
    }

    /// Puts a new key in the place of ours, which was taken back or just is old.
    pub(crate) async fn renew_signing_key(&self, revoked: bool) -> Result<()> {
        let directory = self.0.keys_dir.clone();
        let (key, draft) = blocking(move || SigningKey::draft(&directory)).await?;
        if let Err(error) = self.0.keys.publish_next(key.public(), &self.0.store).await {
            // A draft that stays is a key that nobody uses.
            std::fs::remove_file(&draft).ok();
            return Err(error);
        }
        let directory = self.0.keys_dir.clone();
        blocking(move || SigningKey::install(&directory, &draft)).await?;
        tracing::info!(kid = key.public().kid, "Access tokens are signed with a new key from now on");
        self.adopt(key, revoked);
        Ok(())
    }

    /// Renews the key when it is old; or takes the one that another process on the same directory made meanwhile.
    pub(crate) async fn keep_signing_key_young(&self) -> Result<()> {
        let Some(life) = self.0.options.signing_key_life() else { return Ok(()) };
        let Some(since) = self.0.keys.own_since(&self.0.store).await? else { return Ok(()) };
        if time::is_within(since, self.0.clock.now(), life) {
            return Ok(());
        }
        let directory = self.0.keys_dir.clone();
        let found = blocking(move || SigningKey::open(&directory)).await?;
        if found.public().kid == self.0.signing_key.load().public().kid {
            return self.rotate_signing_key().await;
        }
        self.0.keys.publish_next(found.public(), &self.0.store).await?;
        self.adopt(found, false);
        Ok(())
    }

    pub(crate) fn adopt(&self, key: SigningKey, revoked: bool) {
        self.0.keys.adopt(key.public().clone(), revoked);
        self.0.signing_key.store(Arc::new(key));
    }
}

/// Does what may take a while on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?.map_err(Error::internal)
}
